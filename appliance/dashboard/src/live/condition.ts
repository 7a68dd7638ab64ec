/** What is wrong with a department: the decisions, apart from how they are shown. */
import { computed, type ReadonlySignal } from '@preact/signals';

import type { State } from '../parts/icons';
import { dayStart } from './calendar';
import { minute, nowMs } from './clock';
import type { Reason } from './health_words';
import { openIncidents } from './incidents';
import { appliance, departments, isOpen, periodMs, type Department, type QuotaShape, type Recent } from './state';

/** From here on bytes that no meter claims need somebody. */
export const UNACCOUNTED_PERCENT = 1;
const FIRST_THRESHOLD = 0.8; // where the configuration gives none
const LAST_THRESHOLD = 0.95; // of a limit: from here on it is red, whatever the configuration has

export type Condition =
  | { kind: 'down'; reason: string } // link or interface: nothing works there
  | { kind: 'cut' | 'slowed' | 'over'; quota: QuotaShape } // by what the configuration does when a quota is used up
  | { kind: 'incident'; count: number; isGrave: boolean }
  | { kind: 'gap'; wanted: number; enforced: number } // of blocks
  | { kind: 'runsOut'; quota: QuotaShape; at: string; isToday: boolean }
  | { kind: 'unaccounted'; percent: number }
  | { kind: 'reason'; text: string; of: string } // what the server tells, where no other condition says it; of a kind of its own
  | { kind: 'near'; quota: QuotaShape; share: number } // beyond a threshold
  | { kind: 'unknown' }
  | { kind: 'well' };

/** The worst first. The order of the sentence's parts, and of the rows. */
const ORDER: Record<Condition['kind'], number> = { down: 0, cut: 1, slowed: 2, over: 3, incident: 4, gap: 5, runsOut: 6, unaccounted: 7, reason: 8, near: 9, unknown: 10, well: 11 };
const MARKS: Record<Condition['kind'], State> = {
  down: 'crit', cut: 'crit', slowed: 'crit', over: 'crit', incident: 'incident', gap: 'warn', runsOut: 'warn', unaccounted: 'warn', reason: 'warn', near: 'warn', unknown: 'ok', well: 'ok',
};
const NAMES = { block: 'cut', throttle: 'slowed', alert: 'over' } as const;

/** The figures that decide; all of one moment. */
export interface Figures {
  quotas: readonly QuotaShape[];
  onExceeded: 'alert' | 'throttle' | 'block';
  thresholds: readonly number[];
  reachesLimitAt: string | null; // of the quota that is reached first
  incidents: readonly { severity: string }[];
  isActive: boolean | null;
  health: number | null;
  reasons: readonly Reason[];
  wanted: number | null;
  enforced: number | null;
  unaccountedPercent: number | null;
  canEnforce: boolean;
  nowMs: number;
  tomorrowMs: number;
}

/** How a quota stands: the colour of its bar, and of its department's state. `isReached`: before its period ends, by the last minutes. */
export type Tone = '' | 'warn' | 'crit';
export function toneOf(share: number, thresholds: readonly number[], isReached = false): Tone {
  if (share >= LAST_THRESHOLD) return 'crit';
  return isReached || share >= (thresholds[0] ?? FIRST_THRESHOLD) ? 'warn' : '';
}

export function markOf(condition: Condition): State {
  if (condition.kind === 'incident' && !condition.isGrave) return 'warn';
  const isFull = (condition.kind === 'runsOut' || condition.kind === 'near') && toneOf(shareOf(condition.quota), []) === 'crit';
  return isFull ? 'crit' : MARKS[condition.kind];
}

const shareOf = (quota: Pick<QuotaShape, 'limit' | 'used'>) => (quota.limit ? quota.used / quota.limit : 0);

/** Everything that is wrong, the worst first; never empty: `well` or `unknown` where nothing is. */
export function judge(of: Figures): Condition[] {
  const found = [...usedUp(of), ...network(of), ...forecast(of)];
  const cannotBlock = !of.canEnforce && (of.wanted ?? 0) > 0; // said once, of the position
  const isExplained = cannotBlock || found.some((one) => ['down', 'cut', 'slowed', 'over', 'incident', 'gap'].includes(one.kind));
  if (of.health !== null && of.health < 1 && !isExplained && of.reasons.length > 0) found.push({ kind: 'reason', text: of.reasons[0]!.text, of: of.reasons[0]!.kind });
  if (found.length === 0) found.push({ kind: of.isActive === null ? 'unknown' : 'well' });
  return found.sort((one, other) => ORDER[one.kind] - ORDER[other.kind]);
}

/** Whether it is used up, as the appliance says: the kernel also closes it where the next packet does not fit in the rest. */
export function isUsedUp(quota: Pick<QuotaShape, 'limit' | 'used' | 'isExceeded'>): boolean {
  return quota.limit !== null && (quota.isExceeded ?? quota.used >= quota.limit);
}

function usedUp({ quotas, onExceeded }: Figures): Condition[] {
  const over = quotas.filter(isUsedUp);
  const last = over.sort((one, other) => (one.resetsAt < other.resetsAt ? 1 : -1))[0]; // it opens again when the last of them begins anew
  return last === undefined ? [] : [{ kind: NAMES[onExceeded], quota: last }];
}

function network(of: Figures): Condition[] {
  const found: Condition[] = [];
  if (of.isActive === false && of.health === 0) found.push({ kind: 'down', reason: of.reasons[0]?.text ?? '' });
  if (of.incidents.length > 0) found.push({ kind: 'incident', count: of.incidents.length, isGrave: of.incidents.some((one) => one.severity === 'high' || one.severity === 'critical') });
  if (of.canEnforce && of.wanted !== null && of.enforced !== null && of.enforced < of.wanted) found.push({ kind: 'gap', wanted: of.wanted, enforced: of.enforced });
  if (of.unaccountedPercent !== null && of.unaccountedPercent >= UNACCOUNTED_PERCENT) found.push({ kind: 'unaccounted', percent: of.unaccountedPercent });
  return found;
}

function forecast(of: Figures): Condition[] {
  const first = firstReached(of.quotas, of.reachesLimitAt);
  if (first !== null && Date.parse(first.at) > of.nowMs) return [{ kind: 'runsOut', ...first, isToday: Date.parse(first.at) < of.tomorrowMs }];
  const nearest = of.quotas
    .filter((one) => one.limit !== null && one.limit > 0 && !isUsedUp(one))
    .map((quota) => ({ quota, share: shareOf(quota) }))
    .sort((one, other) => other.share - one.share)[0];
  return nearest !== undefined && toneOf(nearest.share, of.thresholds) !== '' ? [{ kind: 'near', ...nearest }] : [];
}

/** The quota that is used up first, if the last minutes go on. At one rate that is the one with the least left. */
export function firstReached(quotas: readonly QuotaShape[], reachesLimitAt: string | null): { quota: QuotaShape; at: string } | null {
  const open = quotas.filter((one) => one.limit !== null && !isUsedUp(one));
  const told = open.filter((one) => one.reachesLimitAt).sort((one, other) => (one.reachesLimitAt! < other.reachesLimitAt! ? -1 : 1))[0];
  if (told !== undefined) return { quota: told, at: told.reachesLimitAt! };
  if (reachesLimitAt === null) return null;
  const least = open.filter((one) => one.resetsAt > reachesLimitAt).sort((one, other) => one.limit! - one.used - (other.limit! - other.used))[0];
  return least === undefined ? null : { quota: least, at: reachesLimitAt };
}

const judged = new WeakMap<Department, ReadonlySignal<Condition[]>>();
const REACHES_STEP_MS = 60_000; // a forecast that moves by less says the same

/** The conditions of a department, followed. They change when they say something else, not with each figure. */
export function conditionsOf(department: Department): ReadonlySignal<Condition[]> {
  let known = judged.get(department);
  if (known !== undefined) return known;
  const unaccounted = computed(() => {
    const percent = department.unaccountedPercent.value;
    return percent !== null && percent >= UNACCOUNTED_PERCENT ? Math.round(percent * 100) / 100 : null;
  });
  const reaches = computed(() => {
    const at = department.reachesLimitAt.value;
    return at === null ? null : new Date(Math.round(Date.parse(at) / REACHES_STEP_MS) * REACHES_STEP_MS).toISOString();
  });
  let before = { text: '', found: [] as Condition[] };
  known = computed(() => {
    const found = judge(figuresOf(department, unaccounted.value, reaches.value));
    const text = JSON.stringify(found);
    if (text !== before.text) before = { text, found };
    return before.found;
  });
  judged.set(department, known);
  return known;
}

function figuresOf(one: Department, unaccountedPercent: number | null, reachesLimitAt: string | null): Figures {
  const facts = one.facts.value;
  const now = (minute.value, nowMs()); // what is "today" is looked at each minute
  return {
    quotas: one.quotas.value,
    onExceeded: one.areLimitsPaused.value || isOpen.value ? 'alert' : facts.onExceeded,
    thresholds: facts.thresholds,
    reachesLimitAt,
    incidents: openIncidents.value.filter((incident) => incident.departmentId === one.id),
    isActive: one.isActive.value,
    health: one.health.value,
    reasons: one.reasons.value,
    wanted: one.wanted.value,
    enforced: isOpen.value ? one.wanted.value : one.enforced.value, // the line above every view says it once
    unaccountedPercent,
    canEnforce: appliance.value?.position !== 'mirror',
    nowMs: now,
    tomorrowMs: tomorrow.value,
  };
}

const tomorrow = computed(() => dayStart((minute.value, nowMs()), 1));

/** How full the fullest quota is: what orders departments in the same condition. */
function fullness(department: Department): number {
  return Math.max(0, ...department.quotas.value.map(shareOf));
}

const names = new Intl.Collator();

/** The departments, the worst first, then by how full their quotas are, then by name. */
export const worstFirst = computed(() =>
  departments.value
    .map((department) => ({ department, rank: rankOf(department), full: fullness(department), name: department.facts.value.name as string }))
    .sort((one, other) => one.rank - other.rank || other.full - one.full || names.compare(one.name, other.name))
    .map((one) => one.department),
);

export function rankOf(department: Department): number {
  return ORDER[conditionsOf(department).value[0]!.kind];
}

// ---- what is expected until a quota's period ends ----

/** Bytes a second, both ways, over the last minutes: the server's where it expects a limit to be reached, else the page's own. */
function recentRate(department: Department, now: number): number {
  const first = firstReached(department.quotas.peek(), department.reachesLimitAt.peek());
  if (first === null) return meanRate(department.recent, periodMs());
  return (first.quota.limit! - first.quota.used) / Math.max(1, (Date.parse(first.at) - now) / 1000);
}

const MINUTES_MS = 300_000; // as the appliance's own forecast: a single download is no trend

/** What is not known of the last five minutes counts as nothing: the first seconds are no forecast. */
export function meanRate({ atMs, down, up, count }: Recent, everyMs: number): number {
  let sum = 0;
  for (let at = count - 1; at >= 0 && atMs[at]! > atMs[count - 1]! - MINUTES_MS; at--) sum += down[at]! + up[at]!;
  return (sum * everyMs) / MINUTES_MS;
}

export interface Progress {
  used: number; // share of the limit
  will: number; // share at the period's end, if the last minutes go on
  gone: number | undefined; // share of the period that is over; undefined: its start is not known
}

const DAY_MS = 86_400_000;
const LONGEST_MS: Record<QuotaShape['type'], number> = { daily: DAY_MS, weekly: 7 * DAY_MS, monthly: 30.4 * DAY_MS };

/** Where a quota stands. `rate`: bytes a second of the last minutes. */
export function progress(quota: QuotaShape, rate: number, now: number): Progress | null {
  if (quota.limit === null || quota.limit === 0) return quota.limit === 0 ? { used: 1, will: 1, gone: undefined } : null;
  const end = Date.parse(quota.resetsAt);
  const start = quota.startedAt ? Date.parse(quota.startedAt) : quota.type === 'daily' ? dayStart(now) : end - LONGEST_MS[quota.type];
  const leftS = Math.max(0, end - now) / 1000;
  return {
    used: quota.used / quota.limit,
    will: (quota.used + rate * leftS) / quota.limit,
    gone: Math.min(1, Math.max(0, (now - start) / (end - start))),
  };
}

export type Bar = Progress & { tone: Tone };

/** The bar of a quota of a department in these conditions: no bar warns where all is well. `rate`: bytes a second of the last minutes. */
export function barIn(conditions: readonly Condition[], quota: QuotaShape, thresholds: readonly number[], rate: number, now: number): Bar | null {
  const found = progress(quota, rate, now);
  if (found === null) return null;
  const runsOut = conditions.find((one) => one.kind === 'runsOut');
  const isReached = runsOut !== undefined && (runsOut.quota.type === quota.type || Boolean(quota.reachesLimitAt));
  return { ...found, will: isReached ? found.will : Math.min(1, found.will), tone: isUsedUp(quota) ? 'crit' : toneOf(found.used, thresholds, isReached) };
}

/** The same, followed. `used`: bytes, where newer ones are known than the state was judged by; they move the bar, and not its colour. */
export function barOf(department: Department, quota: QuotaShape, now: number, used = quota.used): Bar | null {
  const found = barIn(conditionsOf(department).value, quota, department.facts.value.thresholds, recentRate(department, now), now);
  return found === null || !quota.limit ? found : { ...found, used: used / quota.limit, will: Math.max(found.will, used / quota.limit) };
}
