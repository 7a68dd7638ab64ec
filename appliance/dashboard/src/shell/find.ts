/** What the page knows by a name: departments, devices, blocks, sites. */
import { topSites } from '../live/analytics';
import { call } from '../live/connection';
import { visible } from '../live/formats';
import { departments, nameOf } from '../live/state';
import { knownHosts, matches, titleOf } from '../views/devices/hosts';
import type { IconName } from '../parts/icons';
import { words } from '../words/words';

const w = words({
  en: { department: 'department', block: 'blocked', site: 'site' },
  de: { department: 'Abteilung', block: 'gesperrt', site: 'Seite' },
});

export interface Found {
  icon: IconName;
  name: string;
  note: string;
  href: string;
}

const MOST = 3; // of each kind: a list that one looks over at once

/** At most three of each kind, departments first. */
export async function find(text: string): Promise<Found[]> {
  const wanted = text.toLowerCase();
  const has = (...texts: string[]) => texts.some((one) => one.toLowerCase().includes(wanted));
  const [hosts, blocks] = await Promise.all([knownHosts().catch(() => []), call('ip:list', { contains: text, limit: MOST }).then((reply) => reply.blocks, () => [])]);
  return [
    ...departments.value
      .map((one) => one.facts.value)
      .filter((one) => has(one.name, one.id, one.interface, ...one.subnets))
      .slice(0, MOST)
      .map((one): Found => ({ icon: 'department', name: visible(one.name), note: w.department, href: `/departments/${encodeURIComponent(one.id)}` })),
    ...hosts
      .filter((one) => matches(one, text))
      .slice(0, MOST)
      .map((one): Found => ({ icon: 'device', name: visible(titleOf(one)), note: visible(nameOf(one.departmentId)), href: `/devices?${new URLSearchParams({ open: one.mac ?? one.address })}` })),
    ...blocks.map((one): Found => ({ icon: 'block', name: visible(one.address), note: w.block, href: `/blocks?${new URLSearchParams({ q: one.address })}` })),
    ...topSites.value
      .filter((one) => has(one.domain))
      .slice(0, MOST)
      .map((one): Found => ({ icon: 'website', name: visible(one.domain), note: w.site, href: `/websites?${new URLSearchParams({ q: one.domain })}` })),
  ];
}
