/** A wall display: read from across the room, without a pointer. `?departments=a,b` narrows it, `?theme=dark` fixes its colours. */
import { computed, effect, useComputed, type ReadonlySignal } from '@preact/signals';
import { Fragment, type ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { blockCounts } from '../../live/block_counts';
import { hourOf } from '../../live/calendar';
import { minute, nowMs } from '../../live/clock';
import { barOf, conditionsOf, markOf, worstFirst, type Condition } from '../../live/condition';
import { reloadOnce } from '../../live/edition';
import { stateWords } from '../../live/condition_words';
import { about, clock, day, moment, percent, rate, visible, volume, whole, type Quantity } from '../../live/formats';
import { clausesOf, departmentIdOf, needs, type Clause } from '../../live/needs';
import { appliance, areQuotasKnown, comingMaintenance, departments, emptyRecent, endOf, addPoint, freshness, isReadOnly, total, type Department, type Recent } from '../../live/state';
import { Icon, StateMark, type State } from '../../parts/icons';
import { Name } from '../../parts/name';
import { QuotaBar } from '../../parts/quota_bar';
import { asOf, clauseText, rest, sentenceText, Told } from '../../parts/sentence';
import { LiveTotal } from '../../parts/traffic';
import { oldText, Pill, useTitle } from '../../shell/shell';
import { theme } from '../../shell/theme';
import { parts, say, words } from '../../words/words';
import './kiosk.css';

const w = words({
  en: {
    title: 'Kiosk', state: 'State', traffic: 'Traffic', departments: 'Departments', down: 'Down', up: 'Up', today: 'Today', none: 'no quota', cut: '{name} is cut off.', slowed: '{name} is slowed.', over: '{name} is over its quota.', down_: '{name} has no connection.',
    runsOut: '{name} runs out about {time}.', incidentIn: { one: '{count} incident in {name}.', other: '{count} incidents in {name}.' }, isCut: 'cut off', bar: '{name}: {used}', devices: { one: '{count} device', other: '{count} devices' },
    blocks: '{enforced} of {wanted} blocks in force', announced: 'Maintenance {from} to {to}', running: 'Maintenance until {to}', waiting: 'Waiting for the appliance.', of: 'worst {shown} of {all}',
  },
  de: {
    title: 'Kiosk', state: 'Zustand', traffic: 'Datenverkehr', departments: 'Abteilungen', down: 'Ab', up: 'Auf', today: 'Heute', none: 'kein Kontingent', cut: '{name} ist abgeschaltet.', slowed: '{name} ist gedrosselt.', over: '{name} ist über dem Kontingent.', down_: '{name} hat keine Verbindung.',
    runsOut: '{name} geht gegen {time} zu Ende.', incidentIn: { one: '{count} Vorfall in {name}.', other: '{count} Vorfälle in {name}.' }, isCut: 'abgeschaltet', bar: '{name}: {used}', devices: { one: '{count} Gerät', other: '{count} Geräte' },
    blocks: '{enforced} von {wanted} Sperren in Kraft', announced: 'Wartung {from} bis {to}', running: 'Wartung bis {to}', waiting: 'Wartet auf das Gerät.', of: 'die schlimmsten {shown} von {all}',
  },
});

const MOST = 12;
const SMALLEST_WALL_PX = 1300; // below this it is a page that scrolls; as in the style sheet
const LOWEST_PX = 240; // of the chart
const MANY_CLAUSES = 4; // more than this in large type leaves no room for the rest
const NIGHT_BEGINS_H = 19; // when a bright display begins to disturb, and when the first ones come again
const NIGHT_ENDS_H = 7;
const SHIFTS = ['0 0', '1px 0', '1px 1px', '0 1px'] as const; // so that no pixel shows the same for months

/** Dark at night by the appliance's clock, unless the address says otherwise. */
function useNight(isFixed: boolean): void {
  const hour = useComputed(() => hourOf((minute.value, nowMs())));
  const isNight = hour.value >= NIGHT_BEGINS_H || hour.value < NIGHT_ENDS_H;
  useEffect(() => {
    if (!isFixed) theme.value = isNight ? 'dark' : 'light';
  }, [isFixed, isNight]);
}

/** The condition of a clause where it concerns one department: that is then named. */
function namedText({ kind, count, departments: concerned }: Clause): ComponentChildren {
  const [only] = concerned;
  if (concerned.length !== 1 || only === undefined) return null;
  const name = <Name of={only.facts.value.name} />;
  const condition = conditionsOf(only).value.find((one) => one.kind === kind) as Condition | undefined;
  if (kind === 'incident') return parts(say(w.incidentIn, { count, name: '{name}' }), { name });
  if (kind === 'cut' || kind === 'slowed' || kind === 'over') return parts(w[kind], { name });
  if (kind === 'down') return parts(w.down_, { name });
  return condition?.kind === 'runsOut' ? parts(w.runsOut, { name, time: about(condition.at) }) : null;
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function markOfClause({ kind, tone }: Clause): State {
  if (kind === 'incident') return tone === 'crit' ? 'incident' : 'warn';
  return tone;
}

function Words({ found }: { found: readonly Clause[] }) {
  return (
    <section class="sentence">
      <h1 class="sr">{w.state}</h1>
      <p>
        {asOf() && <span class="dim">{asOf()}</span>}
        {found.map((clause) => (
          <Fragment key={clause.kind}>
            <StateMark state={markOfClause(clause)} /> {namedText(clause) ?? capital(clauseText(clause))}{' '}
          </Fragment>
        ))}
        {found.length === 0 && <StateMark state="ok" />} {rest(found)}
      </p>
      <Told text={sentenceText(found)} />
    </section>
  );
}

function Big({ name, icon, of }: { name: string; icon?: ComponentChildren; of: ReadonlySignal<Quantity> }) {
  const value = useComputed(() => of.value[0]);
  const unit = useComputed(() => of.value[1]);
  return (
    <div>
      <span class="mid">{name}</span>
      <div class="big">
        {icon} {value} <span class="unit">{unit}</span>
      </div>
    </div>
  );
}

/** The sum over the chosen departments, as a ring of its own where they are not all. */
function useRecent(chosen: readonly Department[], isAll: boolean): Recent {
  const own = useMemo(emptyRecent, [chosen]);
  useEffect(() => {
    if (isAll) return;
    return total.version.subscribe(() => {
      const at = total.atMs[total.count - 1];
      const sum = (figure: 'rateDown' | 'rateUp') => chosen.reduce((all, one) => all + (one[figure].peek() ?? 0), 0);
      if (at !== undefined) addPoint(own, at, sum('rateDown'), sum('rateUp'));
    });
  }, [own, isAll]);
  return isAll ? total : own;
}

function TrafficSheet({ chosen, isAll }: { chosen: readonly Department[]; isAll: boolean }) {
  const recent = useRecent(chosen, isAll);
  const sums = useMemo(() => {
    const sum = (figure: 'rateDown' | 'rateUp' | 'usedToday') => chosen.reduce((all, one) => all + (one[figure].value ?? 0), 0);
    return { down: computed(() => rate(sum('rateDown'))), up: computed(() => rate(sum('rateUp'))), today: computed(() => volume(sum('usedToday'))) };
  }, [chosen]);
  const graph = useRef<HTMLDivElement>(null);
  const [height, setHeight] = useState(0);
  const isWall = window.innerWidth > SMALLEST_WALL_PX;
  useEffect(() => {
    const box = graph.current!;
    const measure = () => setHeight(isWall ? Math.max(LOWEST_PX, box.clientHeight - 28) : LOWEST_PX); // without its padding
    const watcher = new ResizeObserver(measure);
    watcher.observe(box);
    return () => watcher.disconnect();
  }, [isWall]);
  return (
    <section class="sheet traffic" aria-label={w.traffic}>
      <div class="totals">
        <Big name={w.down} icon={<span class="arrow-in">↓</span>} of={sums.down} />
        <Big name={w.up} icon={<span class="arrow-out">↑</span>} of={sums.up} />
        <Big name={w.today} of={sums.today} />
      </div>
      <div class="graph" ref={graph}>
        {height > 0 && <LiveTotal recent={recent} departmentId={isAll ? null : undefined} height={height} fontPx={isWall ? 17 : 11} />}
      </div>
    </section>
  );
}

function Row({ of }: { of: Department }) {
  const worst = conditionsOf(of).value[0]!;
  const name = visible(of.facts.value.name);
  const quota = of.quotas.value.find((one) => one.type === 'daily' && one.limit !== null);
  const found = quota && barOf(of, quota, (minute.value, nowMs()));
  const value = useComputed(() => rate((of.rateDown.value ?? 0) + (of.rateUp.value ?? 0))[0]);
  const unit = useComputed(() => rate((of.rateDown.value ?? 0) + (of.rateUp.value ?? 0))[1]);
  return (
    <li class="d">
      <StateMark state={markOf(worst)} />
      <b class="cut" title={name} dir="auto">
        {name}
        <span class="sr">: {stateWords(worst, of.facts.value)}</span>
      </b>
      <div class="bar">{found ? <QuotaBar {...found} thresholds={of.facts.value.thresholds} label={say(w.bar, { name, used: percent(found.used) })} /> : <span class="dim">{w.none}</span>}</div>
      <span class="num">
        {worst.kind === 'cut' ? (
          <b class="crit-ink">{w.isCut}</b>
        ) : (
          <>
            {value} <span class="unit">{unit}</span>
          </>
        )}
      </span>
    </li>
  );
}

function Announced() {
  const found = comingMaintenance.value;
  if (found === null) return null;
  const [startMs, endMs] = [Date.parse(found.startTime), endOf(found)];
  return (
    <span>
      <Icon name="maintenance" /> {isReadOnly.value ? say(w.running, { to: moment(endMs) }) : say(w.announced, { from: moment(startMs), to: clock(endMs) })}
    </span>
  );
}

function Blocks({ chosen, isAll }: { chosen: readonly Department[]; isAll: boolean }) {
  const counts = blockCounts.value;
  const most = (figure: 'wanted' | 'enforced') => chosen.reduce((all, one) => Math.max(all, one[figure].value ?? 0), 0);
  const [enforced, wanted] = isAll && counts !== null ? [counts.inForce, counts.all] : [most('enforced'), most('wanted')];
  return <span>{say(w.blocks, { enforced: whole(enforced), wanted: whole(wanted) })}</span>;
}

function Foot({ chosen, isAll }: { chosen: readonly Department[]; isAll: boolean }) {
  return (
    <footer class="foot">
      <Pill />
      <span>{say(w.devices, { count: chosen.reduce((all, one) => all + (one.devices.value ?? 0), 0) })}</span>
      <Blocks chosen={chosen} isAll={isAll} />
      {chosen.length > MOST && <span>{say(w.of, { shown: MOST, all: chosen.length })}</span>}
      <Announced />
      {oldText.value !== '' && (
        <span class="warn-ink">
          <Icon name="info" /> {oldText}
        </span>
      )}
      <span class="push">{appliance.value?.name}</span>
      <b class="time">{`${day(minute.value)}, ${clock(minute.value)}`}</b>
    </footer>
  );
}

export default function Kiosk() {
  useTitle({ text: w.title });
  const { query } = useLocation();
  useNight(query.theme === 'dark' || query.theme === 'light');
  useEffect(() => effect(reloadOnce), []); // nobody is there to press a button
  const asked = query.departments ?? '';
  const wanted = useMemo(() => new Set(asked.split(',').filter(Boolean)), [asked]);
  const isAll = wanted.size === 0;
  const chosen = useMemo(() => departments.value.filter((one) => isAll || wanted.has(one.id)), [departments.value, wanted]);
  const found = clausesOf(needs.value.filter((need) => isAll || departmentIdOf(need) === '' || wanted.has(departmentIdOf(need))));
  const shift = SHIFTS[Math.floor(minute.value / 60_000) % SHIFTS.length]!;
  if (appliance.value === null || !areQuotasKnown.value)
    return (
      <main class="kiosk">
        <section class="sentence">
          <h1 class="sr">{w.title}</h1>
          <p role="status">{w.waiting}</p>
        </section>
      </main>
    );
  return (
    <div class="wall">
      <main class={`kiosk ${found.length > MANY_CLAUSES ? 'many' : ''} ${freshness.value === 'stale' ? 'is-stale' : ''}`} style={{ translate: shift }}>
        <Words found={found} />
        <TrafficSheet chosen={chosen} isAll={isAll} />
        <ul class="sheet list" aria-label={w.departments}>
          {worstFirst.value
            .filter((one) => isAll || wanted.has(one.id))
            .slice(0, MOST)
            .map((one) => (
              <Row key={one.id} of={one} />
            ))}
        </ul>
        <Foot chosen={chosen} isAll={isAll} />
      </main>
    </div>
  );
}
