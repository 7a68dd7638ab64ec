/** A report of a department's day, week or month: one answer of the appliance, so that page, file and paper agree. */
import type { ComponentChildren } from 'preact';
import { useLocation } from 'preact-iso';

import { call } from '../../live/connection';
import { nowMs, zone } from '../../live/clock';
import { clock, day, percent, setVolume, text, usedOf, visible, volume } from '../../live/formats';
import { appliance, departmentOf, departments } from '../../live/state';
import { csv, download } from '../../parts/csv';
import { Icon } from '../../parts/icons';
import { Name } from '../../parts/name';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { parts, say } from '../../words/words';
import { Bars } from './bars';
import { countedOf } from './counted';
import './reports.css';
import { changed, KINDS, kindOfSpan, shifted, spanAt, spanText } from './span';
import type { Report } from './report';
import { Incidents, Periods } from './tables';
import { w } from './words';

const address = (id: string, span: string) => `/reports/${encodeURIComponent(id)}/${span}`;

/** Which department, and which span. */
function Choice({ id, span }: { id: string; span: string }) {
  const { route } = useLocation();
  const kind = kindOfSpan(span) ?? 'month';
  const next = shifted(span, 1);
  const isLast = span === spanAt(kind, nowMs());
  return (
    <div class="choose noprint">
      <div class="field">
        <label for="department">{common.department}</label>
        <select id="department" value={id} onChange={(event) => route(address(event.currentTarget.value, span))}>
          {departments.value.map((one) => (
            <option key={one.id} value={one.id}>
              {visible(one.facts.value.name)}
            </option>
          ))}
        </select>
      </div>
      <div class="seg" role="group" aria-label={w.span}>
        {KINDS.map((one) => (
          <button key={one} type="button" aria-pressed={one === kind ? 'true' : 'false'} onClick={() => route(address(id, one === kind ? span : changed(span, one)))}>
            {w[one]}
          </button>
        ))}
      </div>
      <a class="btn s" href={address(id, shifted(span, -1))}>
        {w.earlier}
      </a>
      {!isLast && (
        <a class="btn s" href={address(id, next)}>
          {w.later}
        </a>
      )}
    </div>
  );
}

function filed(report: Report): string {
  return csv([w.start, w.downBytes, w.upBytes], report.days.map(([start, up, down]) => [start, down, up]));
}

/** How much, against the limit where the span has one, and against the span before. */
function Amount({ report, name }: { report: Report; name: string }) {
  const used = report.up + report.down;
  const kind = kindOfSpan(report.span);
  const own = report.quotas.find((one) => one.type === { day: 'daily', week: 'weekly', month: 'monthly' }[kind ?? 'day']);
  const amount = <b>{own?.limit ? say(w.ofLimit, { used: usedOf(used, own.limit).used, limit: setVolume(own.limit) }) : text(volume(used))}</b>;
  const before = report.before === null ? 0 : report.before.up + report.before.down;
  const change = before > 0 ? used / before - 1 : null;
  const compared: ComponentChildren = change === null ? w.noneBefore : Math.abs(change) < 0.01 ? w.same : say(change > 0 ? w.moreThan : w.lessThan, { share: percent(Math.abs(change)) });
  return <>{parts(report.isComplete ? w.used : w.usedSoFar, { name: <Name of={name} />, amount, compared })}</>;
}

const GRAVE = ['high', 'critical'];

/** The three sentences over the report. */
function Told({ report, name }: { report: Report; name: string }) {
  const over = report.quotas.filter((one) => one.type === 'daily' && one.exceededAt).length;
  const opened = report.incidents;
  const grave = opened.filter((one) => GRAVE.includes(one.severity)).length;
  return (
    <p class="told">
      <Amount report={report} name={name} /> {kindOfSpan(report.span) !== 'day' && (over === 0 ? w.neverOver : parts(w.over, { days: <b>{say(w.days, { count: over })}</b> }))}{' '}
      {opened.length === 0 ? w.noIncident : parts(w.incidents, { incidents: <b>{say(w.incidentCount, { count: opened.length })}</b>, grave: grave === 0 ? w.noneGrave : say(w.grave, { count: grave }) })}
    </p>
  );
}

function Written({ report, name }: { report: Report; name: string }) {
  const isDay = kindOfSpan(report.span) === 'day';
  return (
    <>
      <header>
        <p class="mid">{w.kind}</p>
        <h1 dir="auto">{say(w.title, { name, span: spanText(report.span, w.to) })}</h1>
        <p class="mid">
          {say(w.made, { days: isDay ? day(report.from) : say(w.fromTo, { from: day(report.from), to: day(Date.parse(report.to) - 1) }), zone: zone.value, at: `${day(nowMs())} ${clock(nowMs())}`, by: appliance.value?.name ?? '' })}
          {!report.isComplete && ` ${w.notOver}`}
        </p>
      </header>
      <Told report={report} name={name} />
      <section aria-labelledby="days">
        <h2 id="days">{isDay ? w.eachHour : w.eachDay}</h2>
        <Bars report={report} />
      </section>
      <Periods report={report} />
      <Incidents found={report.incidents} />
      <p class="dim">{countedOf(report)}</p>
    </>
  );
}

function One({ id, span }: { id: string; span: string }) {
  const name = visible(departmentOf(id)?.facts.value.name ?? id);
  useTitle({ text: names.reports, href: '/reports' }, { text: say(w.title, { name, span: spanText(span, w.to) }) });
  const { reply, error, again } = useAsked(() => call('report:get', { departmentId: id, span }), [id, span]);
  const shown = reply !== null && reply.departmentId === id && reply.span === span ? reply : null;
  return (
    <article class="report">
      <div class="row wrap noprint">
        <a class="cut" href={`/departments/${encodeURIComponent(id)}`} title={name} dir="auto">
          {name}
        </a>
        <button type="button" class="btn s push" disabled={shown === null} onClick={() => shown && download(`report-${id}-${span}.csv`, filed(shown))}>
          <Icon name="download" />
          {common.csv}
        </button>
        <button type="button" class="btn s" onClick={() => print()}>
          <Icon name="print" />
          {w.print}
        </button>
      </div>
      <Choice id={id} span={span} />
      {shown !== null ? (
        <Written report={shown} name={name} />
      ) : (
        <>
          <h1 class="sr">{names.reports}</h1>
          {error !== null ? <Failed level={2} error={error} again={again} /> : <Skeleton rows={6} />}
        </>
      )}
    </article>
  );
}

/** Of which department: each with its latest spans. */
function List() {
  useTitle({ text: names.reports });
  const now = nowMs();
  return (
    <>
      <h1>{names.reports}</h1>
      <section class="sheet" aria-label={names.reports}>
        <table class="fixed fold">
          <thead>
            <tr>
              <th scope="col">{common.department}</th>
              {KINDS.map((kind) => (
                <th key={kind} scope="col">
                  {w[kind]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {departments.value.map((one) => (
              <tr key={one.id}>
                <td class="full">
                  <span class="cut block" dir="auto" title={visible(one.facts.value.name)}>
                    {visible(one.facts.value.name)}
                  </span>
                </td>
                {KINDS.map((kind) => {
                  const span = shifted(spanAt(kind, now), -1);
                  return (
                    <td key={kind}>
                      <a href={address(one.id, span)}>{kind === 'week' ? span : spanText(span, w.to)}</a>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
        <footer>
          <span>{w.listed}</span>
        </footer>
      </section>
    </>
  );
}

export default function Reports({ id = '', span = '' }: { id?: string; span?: string }) {
  if (appliance.value === null) return <Skeleton rows={6} />;
  if (id === '') return <List />;
  if (departmentOf(id) === undefined)
    return (
      <>
        <h1>{names.reports}</h1>
        <Empty level={2} icon="report" title={w.unknown} act={<a href="/reports">{names.reports}</a>} />
      </>
    );
  return <One id={id} span={kindOfSpan(span) === null ? spanAt('month', nowMs()) : span} />;
}
