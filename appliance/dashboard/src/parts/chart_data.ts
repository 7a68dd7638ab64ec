/** The numbers of a chart: rates by time, with what was not metered between them. */
import { gapOf, type Recent } from '../live/state';

export interface Stretch {
  fromMs: number;
  toMs: number;
}

/** Times in seconds since 1970, rates in bytes a second; `up` is negative, so that it is drawn below zero. */
export interface Curves {
  at: number[];
  down: (number | null)[];
  up: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  gaps: Stretch[];
  hasBand: boolean; // whether what is expected is known
  fromMs: number;
  toMs: number;
  stepMs: number; // the width of a bucket
}

export type Step = 'second' | '5min' | 'hour' | 'day';
export type Point = [start: string, up: number, down: number]; // bytes of the bucket
export type Expected = [start: string, low: number, high: number]; // of both ways together

export const STEP_MS: Record<Step, number> = { second: 1000, '5min': 300_000, hour: 3_600_000, day: 86_400_000 };
const DAY_MS = 86_400_000;
const MISSED = 1.6; // buckets: a day may have 25 hours, and a second comes late

/** How wide a bucket is chosen for a span: the answer has at most 2,000 points, and five minutes are kept for 14 days. */
export function stepFor(fromMs: number, toMs: number, nowMs: number): Step {
  const span = toMs - fromMs;
  if (span <= 2 * DAY_MS && fromMs > nowMs - 13 * DAY_MS) return '5min';
  return span <= 62 * DAY_MS && fromMs > nowMs - 89 * DAY_MS ? 'hour' : 'day';
}

/** The curves of an answer of `history:get`. A bucket is drawn at its middle. */
export function fromHistory(points: readonly Point[], expected: readonly Expected[], step: Step, fromMs: number, toMs: number, nowMs: number): Curves {
  const stepMs = STEP_MS[step];
  const curves: Curves = { at: [], down: [], up: [], low: [], high: [], gaps: [], hasBand: expected.length > 0, fromMs, toMs, stepMs };
  const usual = new Map(expected.map(([start, low, high]) => [start, [low, high] as const]));
  const perS = stepMs / 1000;
  let endMs = fromMs;
  const unmetered = (untilMs: number, leastMs: number) => {
    if (untilMs - endMs < leastMs) return;
    curves.gaps.push({ fromMs: endMs, toMs: untilMs });
    if (curves.at.length > 0) push(curves, (endMs + untilMs) / 2000, null, null);
  };
  for (const [start, up, down] of points) {
    const startMs = Date.parse(start);
    unmetered(startMs, stepMs * (MISSED - 1));
    const band = usual.get(start);
    push(curves, (startMs + stepMs / 2) / 1000, down / perS, -up / perS, band && band[0] / perS, band && band[1] / perS);
    endMs = Math.max(endMs, startMs + stepMs);
  }
  unmetered(Math.min(toMs, nowMs), stepMs * MISSED); // the newest bucket is not over yet
  return curves;
}

function push(to: Curves, at: number, down: number | null, up: number | null, low: number | null = null, high: number | null = null): void {
  to.at.push(at);
  to.down.push(down);
  to.up.push(up);
  to.low.push(low);
  to.high.push(high);
}

/** The curves of the last five minutes. `periodMs`: how often a point comes. */
export function fromRecent(recent: Recent, spanMs: number, periodMs: number, now: number): Curves {
  const { count, atMs, down, up } = recent;
  const toMs = count > 0 ? atMs[count - 1]! : now;
  const curves: Curves = { at: [], down: [], up: [], low: [], high: [], gaps: [], hasBand: false, fromMs: toMs - spanMs, toMs, stepMs: periodMs };
  const leastMs = gapOf(periodMs);
  let endMs = curves.fromMs;
  for (let i = 0; i < count; i++) {
    const at = atMs[i]!;
    if (at < curves.fromMs) continue;
    if (at - endMs >= leastMs) {
      curves.gaps.push({ fromMs: endMs, toMs: at - periodMs });
      if (curves.at.length > 0) push(curves, (endMs + at) / 2000, null, null);
    }
    push(curves, at / 1000, down[i]!, -up[i]!);
    endMs = at;
  }
  return curves;
}

export interface TableRow {
  atMs: number;
  down: number | null;
  up: number | null;
}

/** The curves as a table of at most `most` rows, each the mean of its stretch. */
export function tableOf(curves: Curves, most: number): TableRow[] {
  const per = Math.max(1, Math.ceil(curves.at.length / most));
  const rows: TableRow[] = [];
  for (let first = 0; first < curves.at.length; first += per)
    rows.push({ atMs: curves.at[first]! * 1000 - curves.stepMs / 2, down: mean(curves.down, first, per), up: negated(mean(curves.up, first, per)) });
  return rows;
}

const negated = (value: number | null) => (value === null ? null : -value);

function mean(of: readonly (number | null)[], first: number, count: number): number | null {
  const known = of.slice(first, first + count).filter((one): one is number => one !== null);
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0) / known.length;
}
