/** What the view shows: the devices of the register, and the hosts that only books know, each with its quotas. */
import { call } from '../../live/connection';
import type { DeviceFacts } from '../../live/contract';
import { askDevices } from '../../live/devices';
import { departments, nameOf, type QuotaShape } from '../../live/state';

export interface Host {
  departmentId: string;
  address: string; // its newest one; the hardware address where none is known
  mac?: string; // behind a router there is none
  behindRouter?: boolean;
  addresses: string[];
  quotas: QuotaShape[];
  device?: DeviceFacts;
}

export interface Found {
  hosts: Host[];
  learning: string[];
}

const KNOWN_MS = 60_000; // how long an answer serves the search

export const keyOf = (host: Host) => host.mac ?? host.address;
/** How people know it. */
export const titleOf = (host: Host) => host.device?.name ?? host.address;
export const matches = (host: Host, words: string) =>
  [host.address, host.mac ?? '', ...host.addresses, nameOf(host.departmentId), host.device?.name ?? '', host.device?.called ?? '', host.device?.vendor ?? ''].join(' ').toLowerCase().includes(words.toLowerCase());

/** The devices and hosts of these departments, asked now. */
export async function hostsOf(ids: string[]): Promise<Found> {
  const [register, ...replies] = await Promise.all([
    askDevices(),
    ...ids.map(async (id) => ({ id, reply: (await call('quota:get', id)) as unknown as { hosts?: Omit<Host, 'departmentId'>[] } })),
  ]);
  const booked = replies.flatMap(({ id, reply }) => (reply.hosts ?? []).map((host): Host => ({ ...host, departmentId: id })));
  const books = new Map(booked.map((host) => [`${host.departmentId} ${keyOf(host)}`, host]));
  const known = register.devices.filter((one) => ids.includes(one.departmentId)).map((device): Host => {
    const key = `${device.departmentId} ${device.mac}`;
    const host = books.get(key);
    books.delete(key);
    const addresses = device.addresses.length > 0 ? device.addresses : (host?.addresses ?? []);
    return { departmentId: device.departmentId, mac: device.mac, address: addresses[0] ?? device.mac, addresses, quotas: host?.quotas ?? [], device };
  });
  return { hosts: [...known, ...books.values()], learning: register.learning.filter((one) => ids.includes(one)) };
}

let known: { atMs: number; hosts: Promise<Host[]> } | null = null;

/** Those of all departments, at most a minute old. */
export function knownHosts(): Promise<Host[]> {
  if (known === null || performance.now() - known.atMs > KNOWN_MS) {
    const hosts = hostsOf(departments.peek().map((one) => one.id)).then((found) => found.hosts);
    known = { atMs: performance.now(), hosts };
    hosts.catch(() => (known = null));
  }
  return known.hosts;
}
