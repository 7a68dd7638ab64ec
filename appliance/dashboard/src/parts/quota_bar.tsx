/** The bar of a quota: used (solid), forecast (hatched), thresholds (ticks), and how much of the period is over (notch). */

import type { Tone } from '../live/condition';

const TICKS = [0.8, 0.95]; // where the configuration's are not at hand

export interface QuotaBarProps {
  used: number; // share of the limit; above 1 is shown as 1
  will?: number; // share of the limit at the period's end, if the last minutes go on; 0: not known
  gone?: number; // share of the period that is over
  thresholds?: number[];
  tone: Tone;
  big?: boolean;
  label: string;
}

export function QuotaBar({ used, will = 0, gone, thresholds = TICKS, tone, big, label }: QuotaBarProps) {
  const classes = ['qb', tone, big ? 'big' : '', used >= 1 ? 'full' : ''].filter(Boolean).join(' ');
  return (
    <div class={classes} style={{ '--used': used, '--will': will, '--gone': gone ?? 0 }} role="img" aria-label={label}>
      <span class="u" />
      {will > used && <span class="f" />}
      {thresholds.filter((at) => at < 1).map((at) => <span class="t" style={{ '--at': at }} />)}
      {gone !== undefined && <span class="n" />}
    </div>
  );
}

/** A plain bar: a share of something. */
export function Meter({ share, tone: color = 'var(--ink-3)' }: { share: number; tone?: string }) {
  return (
    <div class="meter" style={{ '--v': Math.min(1, Math.max(0, share)), '--c': color }} aria-hidden="true">
      <i />
    </div>
  );
}
