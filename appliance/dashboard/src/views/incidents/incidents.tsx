/** Incidents: the open ones, then the earlier ones. */
import { useLocation } from 'preact-iso';

import { second } from '../../live/clock';
import { incidentName } from '../../live/condition_words';
import { full, moment, span, visible } from '../../live/formats';
import { mutes } from '../../live/incident_marks';
import { incidents, openIncidents, sourceNameOf, type Incident } from '../../live/incidents';
import { may } from '../../live/session';
import { appliance, departments, nameOf } from '../../live/state';
import { ActionButton } from '../../parts/actions';
import { Empty, Skeleton } from '../../parts/notices';
import { RANK, Severity } from '../../parts/severity';
import { type Column, CsvButton, Table } from '../../parts/table';
import { useKeys } from '../../shell/keyboard';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { acknowledge, covers, Marks, unmute } from './marks';
import { w } from './words';

export function blockAddress(of: Incident): string {
  return `/blocks/new?${new URLSearchParams({ address: of.source, department: of.departmentId, reason: incidentName(of.type) })}`;
}

export function lengthS(of: Incident): number {
  return ((of.isOpen ? second.value : Date.parse(of.latestAt)) - Date.parse(of.openedAt)) / 1000;
}

/** The device, by the name that people know, and its address. */
function Source({ of: one }: { of: Incident }) {
  const name = sourceNameOf(one);
  const address = (
    <code class="cut" title={visible(one.source)}>
      {visible(one.source)}
    </code>
  );
  if (name === one.source) return address;
  return (
    <>
      <span class="cut" dir="auto" title={visible(name)}>
        {visible(name)}
      </span>
      <span class="sub">{address}</span>
    </>
  );
}

const columns: Column<Incident>[] = [
  { key: 'severity', head: w.severity, cell: (one) => <Severity of={one.severity} />, sort: (one) => RANK[one.severity], csv: (one) => one.severity, fold: 'low', width: '110px' },
  {
    key: 'what',
    head: w.what,
    cell: (one) => (
      <>
        <a class="main" href={`/incidents/${encodeURIComponent(one.id)}`}>
          {incidentName(one.type)}
        </a>{' '}
        <Marks of={one} />
        <span class="sub cut" title={visible(one.details)}>
          {visible(one.details)}
        </span>
      </>
    ),
    csv: (one) => `${incidentName(one.type)}: ${one.details}`,
    fold: 'full',
  },
  { key: 'source', head: w.source, cell: (one) => <Source of={one} />, sort: (one) => one.source, csv: (one) => one.source, fold: 'top', width: '180px' },
  { key: 'department', head: w.department, cell: (one) => <span class="cut" dir="auto" title={visible(nameOf(one.departmentId))}>{visible(nameOf(one.departmentId))}</span>, sort: (one) => nameOf(one.departmentId), csv: (one) => one.departmentId, fold: 'gone', width: '160px' },
  { key: 'began', head: w.began, cell: (one) => <span title={full(one.openedAt)}>{moment(one.openedAt)}</span>, sort: (one) => one.openedAt, csv: (one) => one.openedAt, fold: 'top num', isNumber: true, width: '120px' },
];
const openColumns: Column<Incident>[] = [
  ...columns,
  {
    key: 'actions',
    head: common.actions,
    isHeadHidden: true,
    isNumber: true,
    fold: 'full',
    width: '240px',
    cell: (one) => (
      <span class="row end">
        <span class="dim nowrap">{say(w.stillOn, { span: span(lengthS(one)) })}</span>
        {may('operator', one.departmentId) && (
          <a class="btn s" href={blockAddress(one)} aria-label={say(w.blockSource, { source: one.source })}>
            {w.block}
          </a>
        )}
      </span>
    ),
  },
];
const earlierColumns: Column<Incident>[] = [
  ...columns,
  { key: 'ended', head: w.ended, cell: (one) => <span title={full(one.latestAt)}>{say(w.after, { span: span(lengthS(one)) })}</span>, csv: (one) => one.latestAt, fold: 'low', width: '120px' },
];

export default function Incidents() {
  useTitle({ text: names.incidents });
  const { query, route } = useLocation();
  const department = query.department ?? '';
  const isOnlyOpen = query.state === 'open';
  const matches = (one: Incident) => !department || one.departmentId === department;
  const open = openIncidents.value.filter(matches);
  const earlier = incidents.value.filter((one) => !one.isOpen && matches(one));
  const show = (one: Incident) => route(`/incidents/${encodeURIComponent(one.id)}`);
  const go = (next: Record<string, string>) => {
    const all = Object.entries({ state: query.state ?? '', department, ...next }).filter(([, value]) => value);
    route(`/incidents?${new URLSearchParams(all)}`, true);
  };
  const onKey = (key: string, one: Incident) => {
    if (!may('operator', one.departmentId)) return false;
    if (key === 'b') route(blockAddress(one));
    else if (key === 'e') void acknowledge(one);
    else return false;
    return true;
  };
  useKeys({ Escape: () => go({ department: '', state: '' }) });
  if (incidents.value.length === 0)
    return (
      <>
        <h1>{names.incidents}</h1>
        <section class="sheet">
          {appliance.value === null ? (
            <Skeleton />
          ) : (
            <Empty level={2} icon="ok" title={w.none}>
              {say(w.noneText, { time: full(appliance.value.startedAt) })}
            </Empty>
          )}
        </section>
      </>
    );
  return (
    <>
      <h1>{names.incidents}</h1>
      <div class="filters">
        <button type="button" class="chip" aria-pressed={isOnlyOpen} onClick={() => go({ state: isOnlyOpen ? '' : 'open' })}>
          {say(w.openCount, { count: open.length })}
        </button>
        <button type="button" class="chip" aria-pressed={!isOnlyOpen} onClick={() => go({ state: '' })}>
          {say(w.all, { count: open.length + earlier.length })}
        </button>
        <label class="row">
          <span class="sr">{common.department}</span>
          <select value={department} onChange={(event) => go({ department: event.currentTarget.value })}>
            <option value="">{common.allDepartments}</option>
            {departments.value.map((one) => (
              <option key={one.id} value={one.id}>
                {visible(one.facts.value.name)}
              </option>
            ))}
          </select>
        </label>
        <span class="push" />
        <CsvButton name="incidents" rows={[...open, ...(isOnlyOpen ? [] : earlier)]} columns={earlierColumns} />
      </div>
      <section class="sheet" aria-labelledby="open">
        <header>
          <h2 id="open">{w.open}</h2>
        </header>
        {open.length > 0 ? <Table name={w.open} rows={open} columns={openColumns} rowKey={(one) => one.id} onOpen={show} onKey={onKey} class="fixed" /> : <div class="pad dim">{w.noneOpen}</div>}
      </section>
      <Mutes department={department} />
      {!isOnlyOpen && earlier.length > 0 && (
        <section class="sheet" aria-labelledby="earlier">
          <header>
            <h2 id="earlier">{w.earlier}</h2>
          </header>
          <Table name={w.earlier} rows={earlier} columns={earlierColumns} rowKey={(one) => one.id} onOpen={show} onKey={onKey} class="fixed" />
          <footer>
            <span>{w.since}</span>
          </footer>
        </section>
      )}
    </>
  );
}

/** What is muted, and by whom. */
function Mutes({ department }: { department: string }) {
  const found = mutes.value.filter((one) => !department || one.departmentId === department);
  if (found.length === 0) return null;
  return (
    <section class="sheet" aria-labelledby="mutes">
      <header>
        <h2 id="mutes">{w.mutes}</h2>
      </header>
      <ul class="feed">
        {found.map((one) => (
          <li key={one.id}>
            <div>
              <b>{covers(one)}</b> <span class="mid" dir="auto">{visible(nameOf(one.departmentId))}</span>
              <br />
              <span class="mid">
                {say(w.mutedBy, { name: visible(one.by), until: one.until === undefined ? w.forGood : say(w.untilTime, { time: moment(one.until) }) })} {one.reason && visible(one.reason)}
              </span>
            </div>
            {may('operator', one.departmentId) && (
              <ActionButton class="s" label={say(w.unmuteName, { what: covers(one) })} onClick={() => unmute(one.id)}>
                {w.unmute}
              </ActionButton>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
