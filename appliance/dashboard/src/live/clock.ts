/** Time as the appliance has it: its clock and its zone. The browser's own clock may be wrong by a day. */
import { computed, signal } from '@preact/signals';

/** The zone of all times on the page, an IANA name. */
export const zone = signal('UTC');
const aheadMs = signal(Date.now() - performance.now());

/** Milliseconds since 1970 by the appliance's clock. */
export function nowMs(): number {
  return aheadMs.peek() + performance.now();
}

/** The appliance said that it is this time; a later answer is a later truth. */
export function setNow(at: string): void {
  const ms = Date.parse(at);
  if (!Number.isNaN(ms)) aheadMs.value = ms - performance.now();
}

/** Counts seconds while somebody looks; what shows an age reads it. */
export const second = signal(nowMs());
setInterval(() => {
  if (document.visibilityState === 'visible') second.value = nowMs();
}, 1000);
document.addEventListener('visibilitychange', () => (second.value = nowMs()));

/** The current minute, so that a clock is drawn 60 times an hour and not 3,600. */
export const minute = computed(() => Math.floor(second.value / 60_000) * 60_000);
