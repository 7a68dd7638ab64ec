/** One incident: what it means, its evidence and course, and what one can do. */
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { incidentName } from '../../live/condition_words';
import { clock, clockSeconds, full, moment, span, visible } from '../../live/formats';
import { incidentDetails } from '../../live/incident_words';
import { marks } from '../../live/incident_marks';
import { deviceIn, incidents, openIncidents, sourceNameOf, type Incident } from '../../live/incidents';
import { may } from '../../live/session';
import { appliance, nameOf } from '../../live/state';
import { ActionButton } from '../../parts/actions';
import { Name } from '../../parts/name';
import { Empty, Skeleton } from '../../parts/notices';
import { Severity, SeverityIcon, type SeverityName } from '../../parts/severity';
import { useKeys } from '../../shell/keyboard';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { parts, say } from '../../words/words';
import { Evidence, titleOf } from './evidence';
import { adviceOf } from './evidence_words';
import { blockAddress, lengthS } from './incidents';
import { acknowledge, Marks, unmute } from './marks';
import { MuteDialog } from './mute_dialog';
import { severities, w } from './words';

export default function OneIncident({ id = '' }: { id?: string }) {
  const { route } = useLocation();
  const found = incidents.value.find((one) => one.id === id);
  const title = found === undefined ? id : say(w.by, { what: incidentName(found.type), source: visible(sourceNameOf(found)) });
  useTitle({ text: names.incidents, href: '/incidents' }, { text: title });
  const [isMuting, setMuting] = useState(false);
  useKeys({
    e: () => found !== undefined && may('operator', found.departmentId) && acknowledge(found),
    Escape: () => route('/incidents'),
    b: () => found !== undefined && may('operator', found.departmentId) && route(blockAddress(found)),
  });
  if (found === undefined)
    return (
      <>
        <h1 class="sr">{names.incidents}</h1>
        <section class="sheet">
          {appliance.value === null ? (
            <Skeleton rows={6} />
          ) : (
            <Empty level={2} icon="incident" title={w.unknown} act={<a href="/incidents">{w.toList}</a>}>
              {w.unknownText}
            </Empty>
          )}
        </section>
      </>
    );
  const time = <span title={full(found.openedAt)}>{moment(found.openedAt)}</span>;
  const values = { department: visible(nameOf(found.departmentId)), source: <code>{visible(found.source)}</code>, time, span: span(lengthS(found)) };
  const canBlock = may('operator', found.departmentId);
  const mark = marks.value.get(found.id);
  const advice = adviceOf(found);
  return (
    <>
      <header class="row wrap">
        <div>
          <span class="row">
            <Severity of={found.severity} />
            <Marks of={found} />
          </span>
          <h1>{title}</h1>
          <p class="mid">{parts(found.isOpen ? w.sinceLong : w.was, values)}</p>
        </div>
        {canBlock && (
          <div class="push row wrap">
            <a class="btn main danger" href={blockAddress(found)}>
              {w.block}
            </a>
            {mark !== undefined && (
              <ActionButton onClick={() => acknowledge(found, mark.acknowledgedBy !== undefined)}>
                {mark.acknowledgedBy === undefined ? w.acknowledge : w.takeBack}
              </ActionButton>
            )}
            {mark?.mutedBy === undefined ? (
              <ActionButton onClick={() => setMuting(true)}>{w.mute}</ActionButton>
            ) : (
              <ActionButton onClick={() => unmute(mark.mutedBy!)}>{w.unmute}</ActionButton>
            )}
          </div>
        )}
      </header>
      <div class={`consequence ${found.severity === 'high' || found.severity === 'critical' ? 'crit' : 'warn'}`}>{visible(found.details)}</div>
      <div class="cols wide-left">
        <div class="stack">
          <Evidence of={found} />
          <Course of={found} />
        </div>
        <div class="stack">
          <Source of={found} />
          {canBlock && (
            <section class="sheet" aria-labelledby="can">
              <header>
                <h2 id="can">{w.canDo}</h2>
              </header>
              <div class="pad stack small">
                {advice && <p>{visible(advice)}</p>}
                <h3>{w.block}</h3>
                <p class="mid">{say(w.blockHelp, { department: visible(nameOf(found.departmentId)) })}</p>
                <h3>{w.acknowledge}</h3>
                <p class="mid">{w.acknowledgeHelp}</p>
                <h3>{w.mute}</h3>
                <p class="mid">{w.muteHelp}</p>
                {found.notBlocked && <p class="mid">{say(w.notBlocked, { why: visible(found.notBlocked) })}</p>}
              </div>
            </section>
          )}
        </div>
      </div>
      {isMuting && <MuteDialog of={found} onClose={() => setMuting(false)} />}
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
            <li key={one.alertId ?? one.timestamp}>
              <time dateTime={one.timestamp} title={full(one.timestamp)}>
                {clockSeconds(one.timestamp)}
              </time>
              <SeverityIcon of={severity} />
              <div>
                <b>{one.incident.state === 'closed' ? w.closed : say(isFirst ? w.opened : w.grew, { severity: severities[severity] })}</b>
                <br />
                <span class="mid">{visible(incidentDetails(one.incident))}</span>
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Source({ of: found }: { of: Incident }) {
  const device = deviceIn(found, found.source);
  const name = titleOf(found, found.source);
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
          {device && (
            <>
              <dt>{w.device}</dt>
              <dd>
                {name !== null && <Name of={name} />}{' '}
                <a href={`/devices?${new URLSearchParams({ open: device.mac })}`}>
                  <code>{visible(device.mac)}</code>
                </a>
              </dd>
            </>
          )}
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
