/** What the page knows: one signal for each figure, so that a cell changes alone.
 *
 * Events are kept for a moment, the latest of each kind and department; a hidden tab draws no frame, and keeps no more.
 */
import { batch, computed, signal, type Signal } from '@preact/signals';

import { call, link, on, onConnect } from './connection';
import { nowMs, second, setNow, zone } from './clock';
import type { Calls, Events } from './contract';
import { reasonsOf, type Reason } from './health_words';
import { holder, token } from './session';

export type Appliance = Calls['appliance:get']['reply'];
export type DepartmentFacts = Appliance['departments'][number];
export interface QuotaShape {
  type: 'daily' | 'weekly' | 'monthly';
  used: number;
  limit: number | null;
  percentage: number | null;
  granted: number;
  resetsAt: string;
  startedAt?: string;
  reachesLimitAt?: string | null;
  exceededAt?: string | null;
  isExceeded?: boolean;
  grants?: { bytes: number; by: string; at: string; reason: string }[];
}

const STALE_MS = 15_000; // three metering periods of the slowest usual setting
const LIVE_POINTS = 300; // five minutes of seconds
const MOST_ALERTS = 500; // as many as the appliance keeps for who was away
const GATHERS_MS = 100; // the events of all departments come one after the other; drawn in several frames they cost several layouts
const MOST_WAITING = 2000; // events until the next frame: all states of 64 departments, and all alerts that are kept

/** The last five minutes of a department: a ring of bytes a second. `version` changes with each point. */
export interface Recent {
  atMs: Float64Array;
  down: Float64Array;
  up: Float64Array;
  count: number;
  version: Signal<number>;
}

export interface Department {
  id: string;
  facts: Signal<DepartmentFacts>;
  rateDown: Signal<number | null>; // bytes a second
  rateUp: Signal<number | null>;
  usedToday: Signal<number | null>; // bytes
  utilization: Signal<number | null>; // 0..1 of the line
  connections: Signal<number | null>;
  unaccountedPercent: Signal<number | null>;
  areLimitsPaused: Signal<boolean>;
  reachesLimitAt: Signal<string | null>;
  devices: Signal<number | null>; // seen in 5 minutes
  health: Signal<number | null>;
  isActive: Signal<boolean | null>;
  reasons: Signal<Reason[]>;
  wanted: Signal<number | null>; // blocks
  enforced: Signal<number | null>;
  quotas: Signal<QuotaShape[]>;
  recent: Recent;
}

export type Alert =
  | ({ kind: 'incident' } & Events['security:incident'])
  | ({ kind: 'anomaly' } & Events['analytics:anomaly'])
  | ({ kind: 'quota' } & Events['quota:alert'])
  | ({ kind: 'host' } & Events['quota:host'])
  | ({ kind: 'device' } & Events['device:new']);

/** The last five minutes of all departments that the person may see. */
export const total: Recent = emptyRecent();

export const appliance = signal<Appliance | null>(null);
export const departments = signal<Department[]>([]);
export const health = signal<Events['system:health']['status'] | null>(null);
type Maintenance = Events['system:maintenance']['maintenance'];
/** What was told last of a maintenance; while one runs, it is about that one. */
export const maintenance = signal<Maintenance | null>(null);
/** Those that are announced, the next first. */
export const planned = signal<readonly Maintenance[]>([]);
export const update = signal<Events['system:update'] | null>(null);
export const trial = signal<{ endsAtMs: number; actor: string } | null>(null);
/** The newest first; each alert once, whatever the connection did. */
export const alerts = signal<Alert[]>([]);
/** Blocks and their ends as they were told while the page was open, the newest first. */
export const blockEvents = signal<({ kind: 'blocked' } & Events['ip:blocked'] | { kind: 'unblocked' } & Events['ip:unblocked'])[]>([]);
/** Whether the books were read: before that nothing can be said of quotas. */
export const areQuotasKnown = signal(false);
export const requests = signal<Events['quota:request']['request'][]>([]);

/** When the newest `usage:update` came, by `performance.now()`, and its own time. */
const newest = signal<{ cameMs: number; at: string } | null>(null);
export const dataFrom = computed(() => newest.value?.at ?? null);
export type Freshness = 'waiting' | 'live' | 'reconnecting' | 'stale';
/** What the pill says. */
export const freshness = computed<Freshness>(() => {
  second.value;
  const known = newest.value;
  const isOld = known !== null && performance.now() - known.cameMs > STALE_MS;
  if (isOld) return 'stale';
  if (link.value === 'lost') return 'reconnecting';
  return known === null ? 'waiting' : 'live';
});
/** Whether what changes something can be done now. */
export const isReadOnly = computed(() => maintenance.value !== null && isRunning(maintenance.value));

/** Whether blocks and quotas are not enforced now, as the configuration has it for maintenance. */
export const isOpen = computed(() => isReadOnly.value && maintenance.value?.enforcement === 'opens');

const REPEATED_SHOWN_MS = 86_400_000; // one that comes each week is news a day before

/** The maintenance of the line above every view: the one that runs, else the next; `null`: none. */
export const comingMaintenance = computed<Maintenance | null>(() => {
  second.value;
  if (isReadOnly.value) return maintenance.value;
  return planned.value.find((one) => endOf(one) > nowMs() && (one.repeat === undefined || Date.parse(one.startTime) < nowMs() + REPEATED_SHOWN_MS)) ?? null;
});

export function endOf(found: Maintenance): number {
  return Date.parse(found.startTime) + found.duration * 1000;
}

function isAnnounced(found: Maintenance): boolean {
  return found.type !== 'completed' && Date.parse(found.startTime) > nowMs();
}

export function isRunning(found: Maintenance): boolean {
  if (found.type === 'completed') return false;
  second.value;
  const start = Date.parse(found.startTime);
  const now = nowMs();
  return now >= start && now < start + found.duration * 1000;
}

export function departmentOf(id: string): Department | undefined {
  return departments.value.find((one) => one.id === id);
}

export function nameOf(id: string | null | undefined): string {
  return (id && departmentOf(id)?.facts.value.name) || id || '';
}

function made(facts: DepartmentFacts): Department {
  return {
    id: facts.id,
    facts: signal(facts),
    rateDown: signal(null),
    rateUp: signal(null),
    usedToday: signal(null),
    utilization: signal(null),
    connections: signal(null),
    unaccountedPercent: signal(null),
    areLimitsPaused: signal(false),
    reachesLimitAt: signal(null),
    devices: signal(null),
    health: signal(null),
    isActive: signal(null),
    reasons: signal([]),
    wanted: signal(null),
    enforced: signal(null),
    quotas: signal([]),
    recent: emptyRecent(),
  };
}

export function emptyRecent(): Recent {
  const numbers = () => new Float64Array(LIVE_POINTS);
  return { atMs: numbers(), down: numbers(), up: numbers(), count: 0, version: signal(0) };
}

const LATE_MS = 5000; // of a point, before it is a gap and no delay

/** Points further apart than this have a gap between them: nothing was metered, or it was not heard. */
export function gapOf(periodMs: number): number {
  return Math.max(LATE_MS, periodMs * 3);
}

/** Counts what was not heard: before another connection, and while the tab was hidden. What was filled once is filled again. */
export const missed = signal(0);

export function addPoint(recent: Recent, atMs: number, down: number, up: number): void {
  const { count } = recent;
  if (count > 0 && atMs <= (recent.atMs[count - 1] ?? 0)) return; // already known: from the history, or again after a gap
  if (count === LIVE_POINTS) {
    for (const numbers of [recent.atMs, recent.down, recent.up]) numbers.copyWithin(0, 1);
    recent.count--;
  }
  recent.atMs[recent.count] = atMs;
  recent.down[recent.count] = down;
  recent.up[recent.count] = up;
  recent.count++;
  recent.version.value++;
}

/** How often figures come. */
export const periodMs = () => (appliance.peek()?.periods.metering ?? 1) * 1000;

/** Fill the ring with what the appliance remembers; at the opening of a chart, and after a gap. `null`: of the sum. */
export async function fillRecent(recent: Recent, departmentId: string | null): Promise<void> {
  const to = nowMs();
  const range = { from: new Date(to - LIVE_POINTS * 1000).toISOString(), to: new Date(to + 1000).toISOString() };
  const reply = await call('history:get', { departmentId, step: 'second', ...range });
  const points = reply.points as [string, number, number][];
  const perS = periodMs() / 1000;
  batch(() => {
    recent.count = 0;
    for (const [start, up, down] of points) addPoint(recent, Date.parse(start), down / perS, up / perS);
  });
}

// ---- events wait for the next frame ----

const waiting = new Map<string, () => void>();
let isAsked = false;

/** Apply what an event says with the others that came with it; of one key only the latest. */
export function soon(key: string, apply: () => void): void {
  waiting.delete(key);
  waiting.set(key, apply);
  if (waiting.size > MOST_WAITING) waiting.delete(waiting.keys().next().value!);
  if (isAsked || appliance.peek() === null) return;
  isAsked = true;
  setTimeout(() => requestAnimationFrame(flush), areQuotasKnown.peek() ? GATHERS_MS : 0);
}

const RESTS_MS = 150; // without a scroll event: the hand has stopped
const LONGEST_MS = 5000; // a hand that goes on longer sees new figures all the same
let scrolledMs = -Infinity;
let heldSinceMs = 0; // since when figures wait for the hand; 0: they do not
document.addEventListener('scroll', () => (scrolledMs = performance.now()), { passive: true, capture: true });

/** Apply what waits. Before the departments are known, their events wait for them; while the page scrolls, for its rest. */
function flush(): void {
  const now = performance.now();
  if (now - scrolledMs < RESTS_MS && now - (heldSinceMs ||= now) < LONGEST_MS) {
    setTimeout(() => requestAnimationFrame(flush), RESTS_MS);
    return;
  }
  heldSinceMs = 0;
  isAsked = false;
  if (appliance.peek() === null) return;
  const all = [...waiting.values()];
  waiting.clear();
  batch(() => all.forEach((apply) => apply()));
}

function find(id: string, then: (department: Department) => void): void {
  const found = departments.peek().find((one) => one.id === id);
  if (found !== undefined) then(found);
}

on('usage:update', (event) => {
  const cameMs = performance.now();
  soon(`usage ${event.departmentId}`, () =>
    find(event.departmentId, (to) => {
      const { metrics } = event;
      to.rateDown.value = metrics.rateDown ?? null;
      to.rateUp.value = metrics.rateUp ?? null;
      to.usedToday.value = metrics.bytesTransferred;
      to.utilization.value = metrics.bandwidthUtilization;
      to.connections.value = metrics.activeConnections;
      to.unaccountedPercent.value = metrics.unaccountedPercent ?? null;
      to.areLimitsPaused.value = metrics.limitsPaused === true;
      to.reachesLimitAt.value = metrics.reachesLimitAt ?? null;
      addPoint(to.recent, Date.parse(event.timestamp), metrics.rateDown ?? 0, metrics.rateUp ?? 0);
    }),
  );
  soon('newest', () => {
    newest.value = { cameMs, at: event.timestamp };
    const sum = (figure: 'rateDown' | 'rateUp') => departments.peek().reduce((all, one) => all + (one[figure].peek() ?? 0), 0);
    addPoint(total, Date.parse(event.timestamp), sum('rateDown'), sum('rateUp'));
  });
});

on('department:status', (event) =>
  soon(`status ${event.departmentId}`, () =>
    find(event.departmentId, (to) => {
      const { status } = event;
      to.isActive.value = status.active;
      to.devices.value = status.connectedUsers;
      to.health.value = status.healthScore;
      to.reasons.value = reasonsOf(status);
      to.wanted.value = status.blocks?.wanted ?? null;
      to.enforced.value = status.blocks?.enforced ?? null;
    }),
  ),
);

on('system:health', (event) => soon('health', () => (health.value = event.status)));
on('system:maintenance', (event) =>
  soon('maintenance', () => {
    maintenance.value = event.maintenance;
    planned.value = event.planned ?? [event.maintenance].filter(isAnnounced);
  }),
);
on('system:update', (event) => soon('update', () => (update.value = event)));
on('config:trial', (event) =>
  soon('trial', () => {
    trial.value = event.trial === null ? null : { endsAtMs: performance.now() + event.trial.remaining * 1000, actor: event.trial.actor };
  }),
);

let numbered = 0;
let arrived: Alert[] = [];
/** Alerts are not "the latest of a kind": all that came before the next frame are taken in together, each once. */
function alert(found: Alert): void {
  arrived = [...arrived.slice(1 - MOST_ALERTS), found];
  soon('alerts', () => {
    const known = new Set(alerts.peek().map((one) => one.alertId));
    const fresh = arrived.filter(({ alertId }) => alertId === undefined || (!known.has(alertId) && known.add(alertId))); // one that is told again may come in the same frame
    arrived = [];
    if (fresh.length > 0) alerts.value = [...fresh, ...alerts.peek()].sort((one, other) => (one.timestamp < other.timestamp ? 1 : -1)).slice(0, MOST_ALERTS);
  });
}

on('security:incident', (event) => alert({ kind: 'incident', ...event }));
on('analytics:anomaly', (event) => alert({ kind: 'anomaly', ...event }));
on('device:new', (event) => alert({ kind: 'device', ...event }));
on('quota:host', (event) => alert({ kind: 'host', ...event }));
on('quota:alert', (event) => {
  alert({ kind: 'quota', ...event });
  refreshSoon();
});
on('ip:blocked', (event) => soon(`block ${numbered++}`, () => (blockEvents.value = [{ kind: 'blocked' as const, ...event }, ...blockEvents.peek()].slice(0, 100))));
on('ip:unblocked', (event) => soon(`block ${numbered++}`, () => (blockEvents.value = [{ kind: 'unblocked' as const, ...event }, ...blockEvents.peek()].slice(0, 100))));
on('quota:request', (event) =>
  soon(`request ${event.request.id}`, () => {
    requests.value = [event.request, ...requests.peek().filter((one) => one.id !== event.request.id)];
  }),
);

// ---- asked at each connection ----

const ALERTS_MS = 500; // alerts come many at once: those that were missed, and at midnight those of all
let gathering = 0;

function refreshSoon(): void {
  if (gathering !== 0 || !areQuotasKnown.peek()) return;
  gathering = window.setTimeout(() => {
    gathering = 0;
    void refreshQuotas().catch(() => undefined);
  }, ALERTS_MS);
}

type Books = { departments: { departmentId: string; quotas: QuotaShape[] }[] };
const askBooks = () => call('quota:get') as Promise<Books>;

function takeBooks({ departments: all }: Books): void {
  batch(() => {
    all.forEach((one) => find(one.departmentId, (to) => (to.quotas.value = one.quotas)));
    areQuotasKnown.value = true;
  });
}

export async function refreshQuotas(department?: string): Promise<void> {
  if (department === undefined) takeBooks(await askBooks());
  else {
    const reply = (await call('quota:get', department)) as { quotas: QuotaShape[] };
    find(department, (to) => (to.quotas.value = reply.quotas));
  }
}

/** The appliance and its departments, as they are now. */
async function refreshFacts(): Promise<void> {
  const found = await call('appliance:get');
  setNow(found.now);
  batch(() => {
    zone.value = found.timezone;
    appliance.value = found;
    departments.value = found.departments.map((facts: DepartmentFacts) => {
      const known = departments.peek().find((one) => one.id === facts.id);
      if (known === undefined) return made(facts);
      known.facts.value = facts;
      return known;
    });
  });
}

async function greet(): Promise<void> {
  const books = askBooks(); // with the first question, not after its answer
  books.catch(() => undefined);
  await refreshFacts();
  flush();
  await Promise.all([
    books.then(takeBooks),
    call('quota:requests', {}).then((reply) => (requests.value = reply.requests)),
    call('config:get').then((reply) => {
      trial.value = reply.trial === null ? null : { endsAtMs: performance.now() + reply.trial.remaining * 1000, actor: reply.trial.actor };
    }),
  ]);
}

onConnect(() => {
  missed.value++;
  void greet().catch((error: unknown) => console.warn('appliance:', error));
});

/** Quotas move with the traffic; the figures between are the events'. */
const QUOTAS_EVERY_MS = 30_000;
setInterval(() => {
  if (document.visibilityState !== 'visible' || link.peek() !== 'live') return;
  void refreshQuotas().catch(() => undefined);
  if (appliance.peek()?.isClockTrusted === false) void refreshFacts().catch(() => undefined); // until it is set, which no event tells
}, QUOTAS_EVERY_MS);

/** A tab that was hidden has drawn nothing and asked nothing: what it shows is asked again, at once. */
let hiddenAtMs = 0;
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState !== 'visible') hiddenAtMs = performance.now();
  else if (link.peek() === 'live' && performance.now() - hiddenAtMs > gapOf(periodMs())) {
    missed.value++;
    void refreshQuotas().catch(() => undefined);
  }
});

/** Whoever logs in next sees nothing of who was there before. */
let whose = '';
token.subscribe(() => {
  const who = holder.peek();
  const before = whose;
  if (who !== null) whose = `${who.subject} ${who.role} ${who.departments}`; // one whose session ended still sees what there was
  if (before === '' || before === whose) return;
  batch(() => {
    alerts.value = [];
    blockEvents.value = [];
  });
});
