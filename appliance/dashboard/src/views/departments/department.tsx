/** One department: how it is, its traffic, and what explains it. */
import { useComputed } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { activityOf } from '../../live/analytics';
import { conditionsOf, markOf, type Condition } from '../../live/condition';
import { kindOf, sentence, stateWords } from '../../live/condition_words';
import { about, fixed, full, moment, percent, setRate, setVolume, visible, whole } from '../../live/formats';
import { may } from '../../live/session';
import { appliance, areQuotasKnown, departmentOf, type Department as Shape } from '../../live/state';
import { asOf } from '../../parts/sentence';
import { ActionButton } from '../../parts/actions';
import { Icon, StateMark } from '../../parts/icons';
import { Empty, Skeleton } from '../../parts/notices';
import { TopSites } from '../../parts/top_sites';
import { Traffic } from '../../parts/traffic';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { parts, say } from '../../words/words';
import { Books, Devices } from './books';
import './departments.css';
import { OwnBlocks, Unusual } from './beside';
import { w } from './words';

const BUSY = 0.8; // of the line: from here on it is said

/** What it is: interface, subnets, line; and what is there now. */
function Facts({ of }: { of: Shape }) {
  const facts = of.facts.value;
  const [devices, wanted, enforced] = [of.devices.value, of.wanted.value, of.enforced.value];
  const busy = useComputed(() => ((of.utilization.value ?? 0) >= BUSY ? percent(of.utilization.value!) : ''));
  const found = [
    [facts.interface, ...facts.subnets, ...(facts.lineRate === null ? [] : [setRate(facts.lineRate)])].join(', '),
    ...(devices === null ? [] : [say(w.devicesIn5, { count: whole(devices) })]),
    ...(wanted === null || enforced === null ? [] : [say(w.blocksOf, { enforced: whole(enforced), wanted: whole(wanted) })]),
    ...(busy.value === '' ? [] : [say(w.busy, { share: busy.value })]),
  ];
  return <p class="mid">{found.join(' \u00b7 ')}</p>;
}

function thenWords(of: Shape): string {
  const { onExceeded, throttleRate } = of.facts.value;
  if (onExceeded === 'block') return w.thenCut;
  return onExceeded === 'throttle' ? say(w.thenSlowed, { rate: throttleRate === null ? '' : setRate(throttleRate) }) : w.thenAlert;
}

function Words({ of, condition }: { of: Shape; condition: Condition }) {
  switch (condition.kind) {
    case 'cut':
    case 'slowed':
    case 'over': {
      const { quota } = condition;
      const { throttleRate } = of.facts.value;
      const used = setVolume(quota.limit ?? 0);
      return <>{say(w[condition.kind], { used, period: w[quota.type], kind: kindOf(quota.type), end: moment(quota.resetsAt), rate: throttleRate === null ? '' : setRate(throttleRate) })}</>;
    }
    case 'runsOut':
      return <>{parts(w.runsOut, { kind: kindOf(condition.quota.type), time: <b title={full(condition.at)}>{condition.isToday ? about(condition.at) : moment(condition.at)}</b>, then: thenWords(of) })}</>;
    case 'incident':
      return <a href="/incidents">{say(w.incidents, { count: condition.count })}</a>;
    case 'well':
      return <>{w.well}</>;
    case 'unknown':
      return <>{w.notYet}</>;
    default:
      return <>{sentence(stateWords(condition, of.facts.value))}.</>;
  }
}

function State({ of }: { of: Shape }) {
  const found = conditionsOf(of).value;
  const health = of.health.value;
  const reasons = of.reasons.value.map(({ text, points }) => (points > 0 ? `${text} (\u2212${fixed(points, 2)})` : text)).join('; ');
  return (
    <section class="sentence one">
      <p aria-live="polite">
        {asOf() && <span class="dim">{asOf()}</span>}
        {found.map((condition) => (
          <span key={condition.kind}>
            <StateMark state={markOf(condition)} /> <Words of={of} condition={condition} />{' '}
          </span>
        ))}
      </p>
      {reasons && health !== null && <div class="at">{health < 1 ? say(w.health, { value: fixed(health, 2), reasons }) : say(w.note, { reasons: sentence(reasons) })}</div>}
    </section>
  );
}

function Known({ of }: { of: Shape }) {
  const { route } = useLocation();
  const name = visible(of.facts.value.name);
  const activity = useMemo(() => activityOf(of.id), [of]);
  return (
    <>
      <header class="row wrap">
        <div>
          <h1 dir="auto" class="any">
            {name}
          </h1>
          <Facts of={of} />
        </div>
        <div class="push row">
          <a class="btn" href={`/reports/${encodeURIComponent(of.id)}`}>
            <Icon name="report" />
            {w.report}
          </a>
          {may('operator', of.id) && of.quotas.value.some((one) => one.limit !== null) && <ActionButton onClick={() => route(`/quotas/${encodeURIComponent(of.id)}/grant?period=day`)}>{w.grant}</ActionButton>}
        </div>
      </header>
      <State of={of} />
      <Traffic departmentId={of.id} recent={of.recent} first="24h" height={300} fileName={`traffic-${of.id}`} />
      <div class="cols wide-left">
        <div class="stack">
          <Books of={of} />
          <Devices of={of} />
        </div>
        <div class="stack">
          <Unusual of={of} />
          <TopSites sites={activity.value?.sites ?? []} isKnown={activity.value !== null} isAll={false} href={`/websites?department=${encodeURIComponent(of.id)}`} most={5} />
          <OwnBlocks of={of} />
        </div>
      </div>
    </>
  );
}

export default function Department({ id = '' }: { id?: string }) {
  const found = departmentOf(id);
  useTitle({ text: names.departments, href: '/departments' }, { text: visible(found?.facts.value.name ?? id) });
  if (found !== undefined && areQuotasKnown.value) return <Known key={id} of={found} />;
  return (
    <>
      <h1 class="sr">{visible(found?.facts.value.name ?? id)}</h1>
      {appliance.value === null || found !== undefined ? (
        <Skeleton rows={6} />
      ) : (
        <Empty level={2} icon="department" title={w.unknown} act={<a href="/departments">{w.toAll}</a>}>
          {w.unknownWhy}
        </Empty>
      )}
    </>
  );
}
