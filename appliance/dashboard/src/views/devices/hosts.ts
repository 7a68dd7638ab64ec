/** The hosts that the books of departments know. */
import { call } from '../../live/connection';
import { departments, nameOf, type QuotaShape } from '../../live/state';

export interface Host {
  departmentId: string;
  address: string;
  mac?: string;
  behindRouter?: boolean;
  addresses: string[];
  quotas: QuotaShape[];
}

const KNOWN_MS = 60_000; // how long an answer serves the search

export const keyOf = (host: Host) => host.mac ?? host.address;
export const matches = (host: Host, words: string) => [host.address, host.mac ?? '', ...host.addresses, nameOf(host.departmentId)].join(' ').toLowerCase().includes(words.toLowerCase());

/** The hosts of these departments, asked now. */
export async function hostsOf(ids: string[]): Promise<Host[]> {
  const replies = await Promise.all(ids.map(async (id) => ({ id, reply: (await call('quota:get', id)) as unknown as { hosts?: Omit<Host, 'departmentId'>[] } })));
  return replies.flatMap(({ id, reply }) => (reply.hosts ?? []).map((host) => ({ ...host, departmentId: id })));
}

let known: { atMs: number; hosts: Promise<Host[]> } | null = null;

/** The hosts of all departments, at most a minute old. */
export function knownHosts(): Promise<Host[]> {
  if (known === null || performance.now() - known.atMs > KNOWN_MS) {
    const hosts = hostsOf(departments.peek().map((one) => one.id));
    known = { atMs: performance.now(), hosts };
    hosts.catch(() => (known = null));
  }
  return known.hosts;
}
