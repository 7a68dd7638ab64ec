/** The books of a period: which they are, and what follows when they are full, in words. */
import { setRate } from '../../live/formats';
import type { Department, QuotaShape } from '../../live/state';
import { say } from '../../words/words';
import { w } from './words';

export type Kind = QuotaShape['type'];
export const KINDS: readonly Kind[] = ['daily', 'weekly', 'monthly'];
/** The words of a period in the address: `/quotas?period=day`. */
export const PERIODS = { daily: 'day', weekly: 'week', monthly: 'month' } as const;

export function kindOfPeriod(period: string | undefined): Kind {
  return KINDS.find((one) => PERIODS[one] === period) ?? 'daily';
}

export function quotaOf(department: Department, kind: Kind): QuotaShape | undefined {
  return department.quotas.value.find((one) => one.type === kind);
}

/** What happens when it is used up, in words. */
export function consequenceText(department: Department): string {
  const { onExceeded, throttleRate } = department.facts.value;
  if (onExceeded === 'block') return w.isCutOff;
  return onExceeded === 'throttle' ? say(w.isSlowed, { rate: throttleRate === null ? '' : setRate(throttleRate) }) : w.isTold;
}
