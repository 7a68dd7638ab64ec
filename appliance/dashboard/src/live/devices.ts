/** The register of devices, asked for when something shows devices; their names serve wherever a host is shown. */
import { signal } from '@preact/signals';

import { call, on } from './connection';
import type { DeviceFacts } from './contract';

const PAGE = 500; // as many as one answer has
const KNOWN_MS = 60_000; // how long an answer serves those who only want names

export interface Register {
  devices: DeviceFacts[];
  learning: string[]; // departments whose devices are still being learned, so that none is new
}

/** Counts what has changed on this page or was told: who shows devices asks again. */
export const deviceChanges = signal(0);
on('device:new', () => deviceChanges.value++);

/** All devices that the person may see, asked now. */
export async function askDevices(): Promise<Register> {
  const devices: DeviceFacts[] = [];
  let learning: string[] = [];
  for (let page: number | null = 1; page !== null; ) {
    const reply: { devices: DeviceFacts[]; next: number | null; learning: string[] } = await call('device:list', { page, limit: PAGE });
    devices.push(...reply.devices);
    learning = reply.learning;
    page = reply.next;
  }
  keep(devices);
  return { devices, learning };
}

const named = signal<ReadonlyMap<string, string>>(new Map());
let askedAtMs = -Infinity;

function keep(devices: readonly DeviceFacts[]): void {
  askedAtMs = performance.now();
  named.value = new Map(devices.flatMap(({ departmentId, mac, addresses, name }) => (name === null ? [] : [mac, ...addresses].map((one) => [`${departmentId} ${one}`, name] as const))));
}

/** The name of the device with this hardware or other address; null: none is known. Asks when what is known is old. */
export function deviceNameOf(departmentId: string, address: string): string | null {
  if (performance.now() - askedAtMs > KNOWN_MS) {
    askedAtMs = performance.now();
    queueMicrotask(() => void askDevices().catch(() => undefined)); // not while something is computed
  }
  return named.value.get(`${departmentId} ${address}`) ?? null;
}
