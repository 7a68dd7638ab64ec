/** The columns of departments, as the overview and the list show them. Each cell follows its own figure. */
import { computed, useComputed, type ReadonlySignal } from '@preact/signals';

import { minute, nowMs } from '../../live/clock';
import { barOf, conditionsOf, markOf, rankOf, type Tone } from '../../live/condition';
import { stateWords } from '../../live/condition_words';
import { fixed, MBIT, percent, setVolume, usedOf, visible, volume, whole } from '../../live/formats';
import { departments, fillRecent, missed, type Department, type QuotaShape } from '../../live/state';
import { StateMark } from '../../parts/icons';
import { QuotaBar } from '../../parts/quota_bar';
import { Sparkline } from '../../parts/sparkline';
import type { Column } from '../../parts/table';
import { common } from '../../words/common';
import { say, words } from '../../words/words';

const w = words({
  en: {
    state: 'State', down: 'Down, Mbit/s', up: 'Up, Mbit/s', last: 'Last 5 min', quota: 'Quota of the day', used: 'Used', devices: 'Devices', blocks: 'Blocks', none: 'no quota', of: 'of {limit} {unit}',
    bar: '{name}: {used} of {limit}', limit: 'Limit', usedBytes: 'used today (bytes)', limitBytes: 'limit (bytes)', downBytes: 'down (bytes/s)', upBytes: 'up (bytes/s)',
  },
  de: {
    state: 'Zustand', down: 'Ab, Mbit/s', up: 'Auf, Mbit/s', last: 'Letzte 5 Min.', quota: 'Tageskontingent', used: 'Verbraucht', devices: 'Geräte', blocks: 'Sperren', none: 'kein Kontingent', of: 'von {limit} {unit}',
    bar: '{name}: {used} von {limit}', limit: 'Limit', usedBytes: 'heute verbraucht (Bytes)', limitBytes: 'Limit (Bytes)', downBytes: 'ab (Bytes/s)', upBytes: 'auf (Bytes/s)',
  },
});

/** The quota that a row shows: of the day. */
export function dayQuota(of: Department): QuotaShape | undefined {
  return of.quotas.value.find((one) => one.type === 'daily');
}

/** What is used of it: the books are read each half minute, the figures of traffic come each second. */
function usedBy(of: Department): number {
  return Math.max(dayQuota(of)?.used ?? 0, of.usedToday.value ?? 0);
}

function Name({ of }: { of: Department }) {
  const name = visible(of.facts.value.name);
  return (
    <a class="main cut block" href={`/departments/${encodeURIComponent(of.id)}`} title={name} dir="auto">
      {name}
    </a>
  );
}

export function StateCell({ of }: { of: Department }) {
  const worst = conditionsOf(of).value[0]!;
  const said = stateWords(worst, of.facts.value);
  return (
    <span class="state two-lines" title={said}>
      <StateMark state={markOf(worst)} /> {said}
    </span>
  );
}

/** A rate in the column's one unit. Nothing is a dim nought. */
function RateCell({ of }: { of: ReadonlySignal<number | null> }) {
  const said = useComputed(() => (of.value === null ? '' : of.value === 0 ? '0' : fixed(of.value / MBIT, 2)));
  return <>{said}</>;
}

function WholeCell({ of }: { of: ReadonlySignal<number | null> }) {
  const said = useComputed(() => (of.value === null ? '' : whole(of.value)));
  return <>{said}</>;
}

/** Rounded to what can be seen, so that a bar is drawn when it moves and not each second. */
const seen = (share: number) => Math.round(share * 500) / 500;

function BarCell({ of }: { of: Department }) {
  const parts = useComputed(() => {
    const quota = dayQuota(of);
    if (quota === undefined || quota.limit === null) return '';
    const found = barOf(of, quota, (minute.value, nowMs()), usedBy(of));
    return found === null ? '' : [...[found.used, found.will, found.gone ?? -1].map(seen), found.tone].join(' ');
  });
  if (parts.value === '') return <span class="dim">{w.none}</span>;
  const [tone, ...shares] = parts.value.split(' ').reverse();
  const [gone = 0, will = 0, used = 0] = shares.map(Number);
  const { name, thresholds } = of.facts.value;
  const label = say(w.bar, { name: visible(name), used: percent(used), limit: setVolume(dayQuota(of)?.limit ?? 0) });
  return <QuotaBar used={used} will={will} gone={gone < 0 ? undefined : gone} thresholds={thresholds} tone={tone as Tone} label={label} />;
}

function UsedCell({ of }: { of: Department }) {
  const amount = useComputed(() => {
    const limit = dayQuota(of)?.limit ?? null;
    return limit === null ? volume(usedBy(of)) : [usedOf(usedBy(of), limit).used, say(w.of, usedOf(0, limit))];
  });
  const said = useComputed(() => amount.value[0]);
  const limit = useComputed(() => amount.value[1]);
  return (
    <>
      {said} <span class="unit">{limit}</span>
    </>
  );
}

/** The upper edge of all small charts: the same for all, else they could not be compared. In steps, so that it seldom moves. */
export const sparkTop = computed(() => {
  let most = 0;
  for (const one of departments.value) most = Math.max(most, (one.rateDown.value ?? 0) + (one.rateUp.value ?? 0));
  return 2 ** Math.ceil(Math.log2(Math.max(1, most * 1.2)));
});

const asked = new WeakMap<Department, number>();
let queue = Promise.resolve();
const IDLE_MS = 2000; // a hand that scrolls longer waits no longer for the small charts
const idle = () => new Promise<unknown>((then) => ('requestIdleCallback' in window ? requestIdleCallback(then, { timeout: IDLE_MS }) : setTimeout(then)));

/** Ask for the last minutes of a row that came into sight: one after the other while nothing moves, once, and again when something was missed. */
function remember(of: Department): void {
  if (asked.get(of) === missed.peek()) return;
  asked.set(of, missed.peek());
  queue = queue.then(idle).then(() => fillRecent(of.recent, of.id)).catch(() => void asked.delete(of));
}

function Last({ of }: { of: Department }) {
  return <Sparkline recent={of.recent} top={sparkTop} onSeen={() => remember(of)} />;
}

export const columns: readonly Column<Department>[] = [
  { key: 'name', head: common.department, width: '14%', fold: 'top', cell: (of) => <Name of={of} />, sort: (of) => of.facts.value.name, csv: (of) => of.facts.value.name },
  {
    key: 'state', head: w.state, width: '272px', fold: 'full low two-lines', cell: (of) => <StateCell of={of} />, sort: rankOf,
    csv: (of) => stateWords(conditionsOf(of).value[0]!, of.facts.value),
  },
  { key: 'down', head: w.down, width: '98px', isNumber: true, fold: 'gone', cell: (of) => <RateCell of={of.rateDown} />, sort: (of) => of.rateDown.peek() },
  { key: 'up', head: w.up, width: '88px', isNumber: true, fold: 'gone', cell: (of) => <RateCell of={of.rateUp} />, sort: (of) => of.rateUp.peek() },
  { key: 'last', head: w.last, width: '92px', fold: 'gone', cell: (of) => <Last of={of} /> },
  { key: 'share', head: w.quota, fold: 'full', cell: (of) => <BarCell of={of} />, sort: (of) => (dayQuota(of)?.limit ? usedBy(of) / dayQuota(of)!.limit! : null) },
  { key: 'used', head: w.used, width: '124px', isNumber: true, fold: 'top', cell: (of) => <UsedCell of={of} />, sort: usedBy },
  { key: 'devices', head: w.devices, width: '68px', isNumber: true, fold: 'gone', cell: (of) => <WholeCell of={of.devices} />, sort: (of) => of.devices.peek(), csv: (of) => of.devices.peek() },
  { key: 'blocks', head: w.blocks, width: '76px', isNumber: true, fold: 'gone', cell: (of) => <WholeCell of={of.wanted} />, sort: (of) => of.wanted.peek(), csv: (of) => of.wanted.peek() },
];

/** The same as a file, in bytes: what a spreadsheet can add. */
export const filed: readonly Column<Department>[] = [
  ...columns,
  { key: 'downBytes', head: w.downBytes, cell: () => null, csv: (of) => of.rateDown.peek() },
  { key: 'upBytes', head: w.upBytes, cell: () => null, csv: (of) => of.rateUp.peek() },
  { key: 'usedBytes', head: w.usedBytes, cell: () => null, csv: usedBy },
  { key: 'limitBytes', head: w.limitBytes, cell: () => null, csv: (of) => dayQuota(of)?.limit ?? null },
];
