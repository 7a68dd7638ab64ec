/** What the books of a period say: shares, forecast, and when it is used up. */
import { nowMs } from '../../live/clock';
import { rate, text, volume } from '../../live/formats';
import type { Department, QuotaShape } from '../../live/state';
import { say } from '../../words/words';
import { w } from './words';

export type Kind = QuotaShape['type'];
export const KINDS: readonly Kind[] = ['daily', 'weekly', 'monthly'];
/** The words of a period in the address: `/quotas?period=day`. */
export const PERIODS = { daily: 'day', weekly: 'week', monthly: 'month' } as const;

const DAYS: Record<Kind, number> = { daily: 1, weekly: 7, monthly: 30 };

export function kindOfPeriod(period: string | undefined): Kind {
  return KINDS.find((one) => PERIODS[one] === period) ?? 'daily';
}

export function quotaOf(department: Department, kind: Kind): QuotaShape | undefined {
  return department.quotas.value.find((one) => one.type === kind);
}

/** The limit of the running period, with what was granted: what the share is of. */
export function limitOf(quota: QuotaShape): number | null {
  return quota.limit === null ? null : quota.limit;
}

export function usedShare(quota: QuotaShape): number {
  return quota.limit ? quota.used / quota.limit : 0;
}

/** How much of the period is over, 0..1. */
export function goneShare(quota: QuotaShape): number {
  const end = Date.parse(quota.resetsAt);
  const start = quota.startedAt ? Date.parse(quota.startedAt) : end - DAYS[quota.type] * 86_400_000;
  return Math.min(1, Math.max(0, (nowMs() - start) / (end - start)));
}

/** The share at the period's end, if the rate goes on that makes it reach its limit then. 0: not known, or not within the period. */
export function willShare(quota: QuotaShape, reachesAt: string | null): number {
  if (!quota.limit) return 0;
  const at = quota.reachesLimitAt ?? reachesAt;
  if (!at) return 0;
  const left = Date.parse(at) - nowMs();
  if (left <= 0) return 1;
  const perMs = (quota.limit - quota.used) / left;
  return (quota.used + perMs * (Date.parse(quota.resetsAt) - nowMs())) / quota.limit;
}

/** What happens when it is used up, in words. */
export function consequenceText(department: Department): string {
  const { onExceeded, throttleRate } = department.facts.value;
  if (onExceeded === 'block') return w.isCutOff;
  return onExceeded === 'throttle' ? say(w.isSlowed, { rate: throttleRate === null ? '' : text(rate(throttleRate)) }) : w.isTold;
}

export function amountText(bytes: number): string {
  return text(volume(bytes));
}
