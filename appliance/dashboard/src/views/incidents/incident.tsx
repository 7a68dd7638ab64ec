/** One incident: what it means, its evidence and course, and what one can do. */
import { useLocation } from 'preact-iso';

import { incidentName } from '../../live/condition_words';
import { clock, clockSeconds, full, moment, span, visible } from '../../live/formats';
import { incidents, openIncidents, type Incident } from '../../live/incidents';
import { may } from '../../live/session';
import { nameOf } from '../../live/state';
import { Empty } from '../../parts/notices';
import { Severity, SeverityIcon, type SeverityName } from '../../parts/severity';
import { useKeys } from '../../shell/keyboard';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { parts, say } from '../../words/words';
import { blockAddress, lengthS } from './incidents';
import { w } from './words';

export default function OneIncident({ id = '' }: { id?: string }) {
  const { route } = useLocation();
  const found = incidents.value.find((one) => one.id === id);
  const title = found === undefined ? id : say(w.by, { what: incidentName(found.type), source: visible(found.source) });
  useTitle({ text: names.incidents, href: '/incidents' }, { text: title });
  useKeys({
    Escape: () => route('/incidents'),
    b: () => found !== undefined && may('operator', found.departmentId) && route(blockAddress(found)),
  });
  if (found === undefined)
    return (
      <>
        <h1 class="sr">{names.incidents}</h1>
        <section class="sheet">
          <Empty icon="incident" title={w.unknown} act={<a href="/incidents">{w.toList}</a>}>
            {w.unknownText}
          </Empty>
        </section>
      </>
    );
  const time = <span title={full(found.openedAt)}>{moment(found.openedAt)}</span>;
  const values = { department: visible(nameOf(found.departmentId)), source: <code>{visible(found.source)}</code>, time, span: span(lengthS(found)) };
  const canBlock = may('operator', found.departmentId);
  return (
    <>
      <header class="row wrap">
        <div>
          <Severity of={found.severity} />
          <h1>{title}</h1>
          <p class="mid">{parts(found.isOpen ? w.sinceLong : w.was, values)}</p>
        </div>
        {canBlock && (
          <div class="push row wrap">
            <a class="btn main danger" href={blockAddress(found)}>
              {w.block}
            </a>
          </div>
        )}
      </header>
      <div class={`consequence ${found.severity === 'high' || found.severity === 'critical' ? 'crit' : 'warn'}`}>{visible(found.details)}</div>
      <div class="cols wide-left">
        <Course of={found} />
        <div class="stack">
          <Source of={found} />
          {canBlock && (
            <section class="sheet" aria-labelledby="can">
              <header>
                <h2 id="can">{w.canDo}</h2>
              </header>
              <div class="pad stack small">
                <h3>{w.block}</h3>
                <p class="mid">{say(w.blockHelp, { department: visible(nameOf(found.departmentId)) })}</p>
                {found.notBlocked && <p class="mid">{say(w.notBlocked, { why: visible(found.notBlocked) })}</p>}
              </div>
            </section>
          )}
        </div>
      </div>
    </>
  );
}

function Course({ of: found }: { of: Incident }) {
  return (
    <section class="sheet" aria-labelledby="course">
      <header>
        <h2 id="course">{w.course}</h2>
      </header>
      <ul class="feed">
        {found.course.map((one, at) => {
          const isFirst = at === found.course.length - 1;
          const severity = one.severity as SeverityName;
          return (
            <li key={one.timestamp}>
              <time dateTime={one.timestamp} title={full(one.timestamp)}>
                {clockSeconds(one.timestamp)}
              </time>
              <SeverityIcon of={severity} />
              <div>
                <b>{one.incident.state === 'closed' ? w.closed : say(isFirst ? w.opened : w.grew, { severity })}</b>
                <br />
                <span class="mid">{visible(one.incident.details)}</span>
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Source({ of: found }: { of: Incident }) {
  const others = openIncidents.value.filter((one) => one.source === found.source && one.id !== found.id);
  return (
    <section class="sheet" aria-labelledby="source">
      <header>
        <h2 id="source">{w.facts}</h2>
      </header>
      <div class="pad stack small">
        <dl class="facts">
          <dt>{w.address}</dt>
          <dd>
            <code>{visible(found.source)}</code>
          </dd>
          <dt>{w.department}</dt>
          <dd dir="auto">
            <a href={`/departments/${encodeURIComponent(found.departmentId)}`}>{visible(nameOf(found.departmentId))}</a>
          </dd>
          <dt>{w.began}</dt>
          <dd title={full(found.openedAt)}>{clock(found.openedAt)}</dd>
          <dt>{w.alsoOpen}</dt>
          <dd>
            {others.length === 0
              ? w.nothing
              : others.map((one) => (
                  <a key={one.id} href={`/incidents/${encodeURIComponent(one.id)}`}>
                    {incidentName(one.type)}{' '}
                  </a>
                ))}
          </dd>
        </dl>
        {found.isProven !== null && <p class="mid">{found.isProven ? w.proven : w.notProven}</p>}
      </div>
    </section>
  );
}
