/** The websites of departments in the last hour, asked for while a view shows them. */
import { useEffect, useState } from 'preact/hooks';

import { call, link } from './connection';
import type { Named, SitesReply, VisitedSite } from './contract';

const AGAIN_MS = 15_000; // the appliance counts in steps of five minutes, a person waits less
const MOST = 256;

export interface Visited {
  sites: VisitedSite[];
  background: VisitedSite[];
  named: Named;
  records: ReadonlySet<SitesReply['record']>;
}

/** What is known of these departments together; null: nothing yet. */
export function useSites(ids: readonly string[]): Visited | null {
  const [found, keep] = useState<Visited | null>(null);
  const asked = ids.join(' ');
  const isLive = link.value === 'live';
  useEffect(() => {
    let isOver = false;
    const ask = async () => {
      const replies = await Promise.all(asked.split(' ').map((departmentId) => call('site:list', { departmentId, limit: MOST }).catch(() => null)));
      const answered = replies.filter((one) => one !== null);
      if (!isOver && answered.length > 0) keep(together(answered));
    };
    keep(null);
    if (!isLive || asked === '') return;
    void ask();
    const again = setInterval(() => document.visibilityState === 'visible' && void ask(), AGAIN_MS);
    return () => {
      isOver = true;
      clearInterval(again);
    };
  }, [asked, isLive]);
  return found;
}

function together(replies: readonly SitesReply[]): Visited {
  const named = { ...replies[0]!.named };
  for (const { named: other } of replies.slice(1))
    for (const key of Object.keys(named) as (keyof Named)[]) named[key] = key === 'unread' ? Math.max(named[key], other[key]) : named[key] + other[key];
  return {
    sites: summed(replies.flatMap((one) => one.sites)),
    background: summed(replies.flatMap((one) => one.background)),
    named,
    records: new Set(replies.map((one) => one.record)),
  };
}

function summed(rows: readonly VisitedSite[]): VisitedSite[] {
  const found = new Map<string, VisitedSite>();
  for (const row of rows) {
    const before = found.get(row.domain);
    const bytes = row.bytes === undefined && before?.bytes === undefined ? {} : { bytes: (row.bytes ?? 0) + (before?.bytes ?? 0) };
    found.set(row.domain, before ? { ...row, ...bytes, visits: before.visits + row.visits, error: before.error + row.error, devices: before.devices + row.devices } : row);
  }
  return [...found.values()].sort((one, other) => other.visits - one.visits || one.domain.localeCompare(other.domain));
}
