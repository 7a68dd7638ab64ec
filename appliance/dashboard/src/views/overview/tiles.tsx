/** Five figures in one strip. Each is a link to what it counts. */
import { computed, useComputed } from '@preact/signals';
import type { ComponentChildren } from 'preact';

import { blockCounts } from '../../live/block_counts';
import { call, link } from '../../live/connection';
import { clock, percent, three, MBIT, volume, weekday, whole } from '../../live/formats';
import { dayStart } from '../../live/calendar';
import { minute, nowMs } from '../../live/clock';
import { conditionsOf } from '../../live/condition';
import { appliance, departments, total } from '../../live/state';
import { useAsked } from '../../parts/notices';
import { Icon, type IconName } from '../../parts/icons';
import { say, words } from '../../words/words';

const w = words({
  en: {
    title: 'Figures', traffic: 'Traffic now, Mbit/s', down: 'down ', up: 'up ', rising: 'rising over 5 min', falling: 'falling over 5 min', level: 'steady over 5 min', used: 'Used today', since: 'since {time}', above: '{share} above a usual {day} by now', below: '{share} below a usual {day} by now', same: 'as on a usual {day} by now',
    over: 'Over quota', of: 'of {count}', runsOut: { one: '{count} more runs out today', other: '{count} more run out today' }, none: 'none runs out today', noQuota: 'no quota is set',
    devices: 'Devices seen', in5: 'in 5 min', departments: { one: 'in {count} department', other: 'in {count} departments' }, blocks: 'Blocks in force', ends: { one: '{count} ends within the hour', other: '{count} end within the hour' }, noneEnds: 'none ends within the hour',
  },
  de: {
    title: 'Zahlen', traffic: 'Verkehr jetzt, Mbit/s', down: 'ab ', up: 'auf ', rising: 'steigt seit 5 Min.', falling: 'fällt seit 5 Min.', level: 'seit 5 Min. gleich', used: 'Heute verbraucht', since: 'seit {time}', above: '{share} über einem üblichen {day}', below: '{share} unter einem üblichen {day}', same: 'wie an einem üblichen {day}',
    over: 'Über Kontingent', of: 'von {count}', runsOut: { one: '{count} weiteres geht heute zu Ende', other: '{count} weitere gehen heute zu Ende' }, none: 'keines geht heute zu Ende', noQuota: 'kein Kontingent gesetzt',
    devices: 'Geräte gesehen', in5: 'in 5 Min.', departments: { one: 'in {count} Abteilung', other: 'in {count} Abteilungen' }, blocks: 'Wirksame Sperren', ends: { one: '{count} endet binnen einer Stunde', other: '{count} enden binnen einer Stunde' }, noneEnds: 'keine endet binnen einer Stunde',
  },
});

function Tile({ href, name, value, more }: { href: string; name: string; value: ComponentChildren; more: ComponentChildren }) {
  return (
    <a class="tile" href={href}>
      <span class="name">{name}</span>
      <span class="value">{value}</span>
      <span class="more">{more}</span>
    </a>
  );
}

const sum = (figure: 'rateDown' | 'rateUp' | 'usedToday' | 'devices') => departments.value.reduce<number | null>((all, one) => (one[figure].value === null ? all : (all ?? 0) + one[figure].value), null);
export const totalDown = computed(() => sum('rateDown'));
export const totalUp = computed(() => sum('rateUp'));
export const totalUsed = computed(() => sum('usedToday'));
export const totalDevices = computed(() => sum('devices'));

const HOUR_MS = 3_600_000;
const LATER_MS = 2000; // after what the first sight needs
const NOTHING = '\u2013'; // where the figure is not known
const mbit = (of: number | null) => (of === null ? NOTHING : three(of / MBIT));

type Trend = 'rising' | 'falling' | 'level';
const CHANGED = 1.2; // times: less is the usual unrest of traffic
const LEAST_POINTS = 60;

/** The latest third of the last five minutes against the first. */
function trend(): Trend | null {
  total.version.value;
  const { count, down, up } = total;
  if (count < LEAST_POINTS) return null;
  const third = Math.floor(count / 3);
  const mean = (from: number) => {
    let all = 0;
    for (let at = from; at < from + third; at++) all += down[at]! + up[at]!;
    return all / third;
  };
  const [then, now] = [mean(0), mean(count - third)];
  if (now > then * CHANGED) return 'rising';
  return now * CHANGED < then ? 'falling' : 'level';
}

const ICONS: Record<Trend, IconName> = { rising: 'rising', falling: 'falling', level: 'level' };

function TrafficTile() {
  const down = useComputed(() => mbit(totalDown.value));
  const up = useComputed(() => mbit(totalUp.value));
  const going = useComputed(trend);
  return (
    <Tile
      href="/departments?sort=-down"
      name={w.traffic}
      value={
        <span class="two">
          <span>
            <span class="arrow-in" aria-hidden="true">
              ↓
            </span>{' '}
            <span class="sr">{w.down}</span>
            {down}
          </span>
          <span>
            <span class="arrow-out" aria-hidden="true">
              ↑
            </span>{' '}
            <span class="sr">{w.up}</span>
            {up}
          </span>
        </span>
      }
      more={
        going.value !== null && (
          <>
            <Icon name={ICONS[going.value]} />
            {w[going.value]}
          </>
        )
      }
    />
  );
}

const USUAL_EVERY_MS = 600_000; // what is usual moves by the hour
const UNREST = 0.01; // less than this is the same

/** What was used in the whole hours of today, as a share of what is usual for them; `null`: not known. */
function useUsual(): number | null {
  const isLive = link.value === 'live' && appliance.value !== null;
  const { reply } = useAsked(async () => {
    if (!isLive) return null;
    await new Promise((done) => setTimeout(done, LATER_MS));
    const now = nowMs();
    const asked = await call('history:get', { departmentId: null, step: 'hour', from: new Date(dayStart(now)).toISOString(), to: new Date(Math.floor(now / HOUR_MS) * HOUR_MS).toISOString() });
    const usual = new Map((asked.expected ?? []).map(([start, low, high]) => [start, (low + high) / 2]));
    const known = asked.points.filter(([start]) => usual.has(start));
    const expected = known.reduce((all, [start]) => all + usual.get(start)!, 0);
    return known.length === asked.points.length && expected > 0 ? known.reduce((all, [, up, down]) => all + up + down, 0) / expected : null;
  }, [isLive, Math.floor(minute.value / USUAL_EVERY_MS)]);
  return reply;
}

function usedMore(ratio: number | null): string {
  const now = (minute.value, nowMs());
  if (ratio === null) return say(w.since, { time: clock(dayStart(now)) });
  const share = percent(Math.abs(ratio - 1));
  return say(Math.abs(ratio - 1) < UNREST ? w.same : ratio > 1 ? w.above : w.below, { share, day: weekday(now) });
}

function UsedTile() {
  const ratio = useUsual();
  const used = useComputed(() => (totalUsed.value === null ? [NOTHING, ''] : volume(totalUsed.value)));
  const value = useComputed(() => used.value[0]);
  const unit = useComputed(() => used.value[1]);
  return (
    <Tile
      href="/departments?sort=-used"
      name={w.used}
      value={
        <>
          {value} <span class="unit">{unit}</span>
        </>
      }
      more={
        <span class="cut" title={usedMore(ratio)}>
          {usedMore(ratio)}
        </span>
      }
    />
  );
}

const quotaCounts = computed(() => {
  const limited = departments.value.filter((one) => one.quotas.value.some((quota) => quota.limit !== null));
  const kinds = limited.map((one) => conditionsOf(one).value);
  return {
    all: limited.length,
    over: kinds.filter((found) => found.some((one) => one.kind === 'cut' || one.kind === 'slowed' || one.kind === 'over')).length,
    soon: kinds.filter((found) => found.some((one) => one.kind === 'runsOut' && one.isToday)).length,
  };
});

function QuotaTile() {
  const { all, over, soon } = quotaCounts.value;
  return (
    <Tile
      href="/quotas?period=day"
      name={w.over}
      value={
        <>
          {over} <span class="unit">{say(w.of, { count: all })}</span>
        </>
      }
      more={all === 0 ? w.noQuota : soon > 0 ? say(w.runsOut, { count: soon }) : w.none}
    />
  );
}

function DevicesTile() {
  return (
    <Tile
      href="/devices?seen=5m"
      name={w.devices}
      value={
        <>
          {totalDevices.value === null ? NOTHING : whole(totalDevices.value)} <span class="unit">{w.in5}</span>
        </>
      }
      more={say(w.departments, { count: departments.value.filter((one) => (one.devices.value ?? 0) > 0).length })}
    />
  );
}

const SOON_S = 3600;

/** How many blocks end soon: asked again when there are more or fewer of them, and once a minute. */
function useEnding(all: number | undefined): number | null {
  return useAsked(async () => (all === undefined ? null : (await call('ip:list', { limit: 1, expiring: SOON_S })).total), [all, minute.value]).reply;
}

function BlocksTile() {
  const counts = blockCounts.value;
  const ending = useEnding(counts?.all);
  return (
    <Tile
      href="/blocks"
      name={w.blocks}
      value={
        <>
          {counts === null ? NOTHING : whole(counts.inForce)} <span class="unit">{counts !== null && say(w.of, { count: whole(counts.all) })}</span>
        </>
      }
      more={ending !== null && (ending > 0 ? say(w.ends, { count: ending }) : w.noneEnds)}
    />
  );
}

export function Tiles() {
  return (
    <section class="tiles" aria-label={w.title}>
      <TrafficTile />
      <UsedTile />
      <QuotaTile />
      <DevicesTile />
      <BlocksTile />
    </section>
  );
}
