/** What the list and the panel say of a device. */
import { nowMs } from '../../live/clock';
import { isUsedUp } from '../../live/condition';
import type { DeviceFacts } from '../../live/contract';
import { soonOr, visible } from '../../live/formats';
import { incidents } from '../../live/incidents';
import type { IconName } from '../../parts/icons';
import type { Host } from './hosts';
import { w } from './words';

const LATELY_MS = 300_000; // the contract's five minutes
const NOW_MS = 60_000; // the register is a few seconds old, and the list a minute

export const today = (host: Host) => host.quotas.find((one) => one.type === 'daily');
export const isOver = (host: Host) => host.quotas.some(isUsedUp);
export const wasSeenLately = (host: Host) => host.device === undefined || nowMs() - Date.parse(host.device.lastSeen) <= LATELY_MS;
export const incidentOf = (host: Host) => incidents.value.find((one) => one.isOpen && one.departmentId === host.departmentId && (host.addresses.includes(one.source) || one.source === host.address || one.source === host.mac));
export const iconOf = ({ device, behindRouter }: Host): IconName => (behindRouter ? 'server' : device?.isRandomised ? 'phone' : 'device');
export const seenText = ({ lastSeen }: DeviceFacts) => (nowMs() - Date.parse(lastSeen) < NOW_MS ? w.now : soonOr(lastSeen));

export function vendorText({ device }: Host): string {
  if (device === undefined) return w.behindRouter;
  return device.vendor !== null ? visible(device.vendor) : device.isRandomised ? w.privateAddress : w.unknownVendor;
}

/** The dialog that grants more to this host. */
export function grantAddressOf(host: Host): string {
  return `/quotas/${encodeURIComponent(host.departmentId)}/grant?${new URLSearchParams({ period: 'day', host: host.address })}`;
}

export function blockAddress(host: Host): string {
  return `/blocks/new?${new URLSearchParams({ address: host.mac ?? host.address, department: host.departmentId })}`;
}
