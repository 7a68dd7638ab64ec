/** Quotas: who asks for more, the books of the running period, and the closed ones. */
import { useLocation } from 'preact-iso';

import { minute, nowMs, zone } from '../../live/clock';
import { barOf, isUsedUp } from '../../live/condition';
import { about, clock, full, gib, moment, percent, setGib, setVolume, visible } from '../../live/formats';
import { may } from '../../live/session';
import { departmentOf, departments, nameOf, requests, type Department, type QuotaShape } from '../../live/state';
import { ActionButton, change, sentenceOf, toast } from '../../parts/actions';
import { Icon } from '../../parts/icons';
import { Skeleton } from '../../parts/notices';
import { asOf } from '../../parts/sentence';
import { QuotaBar } from '../../parts/quota_bar';
import { type Column, CsvButton, Table } from '../../parts/table';
import { useKeys } from '../../shell/keyboard';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { parts, say } from '../../words/words';
import { consequenceText, type Kind, kindOfPeriod, KINDS, PERIODS, quotaOf } from './books';
import { GrantDialog } from './grant_dialog';
import { History } from './history';
import { LimitDialog } from './limit_dialog';
import { w } from './words';

export default function Quotas({ id = '', dialog = '' }: { id?: string; dialog?: string }) {
  useTitle({ text: names.quotas });
  const { query, route } = useLocation();
  const kind = kindOfPeriod(query.period);
  const rows = departments.value;
  const columns = columnsOf(kind);
  const show = (next: Kind) => route(`/quotas?${new URLSearchParams({ ...query, period: PERIODS[next] })}`, true);
  useKeys({ 1: () => show('daily'), 2: () => show('weekly'), 3: () => show('monthly') });
  if (rows.length === 0)
    return (
      <>
        <h1>{names.quotas}</h1>
        <Skeleton rows={6} />
      </>
    );
  const resets = rows.map((one) => quotaOf(one, kind)?.resetsAt).find((one) => one);
  const about = departmentOf(id);
  const close = () => route(`/quotas?period=${PERIODS[kind]}`, true);
  return (
    <>
      <header class="row wrap">
        <div>
          <h1>{names.quotas}</h1>
          <Summary kind={kind} />
        </div>
        <div class="seg push" role="group" aria-label={w.period}>
          {KINDS.map((one) => (
            <button key={one} type="button" aria-pressed={one === kind} onClick={() => show(one)}>
              {common[one]}
            </button>
          ))}
        </div>
        <CsvButton name={`quotas-${PERIODS[kind]}`} rows={rows} columns={columns} />
      </header>
      <Requests kind={kind} />
      <section class="sheet" aria-labelledby="books">
        <header>
          <h2 id="books">{w[`booksOf${PERIODS[kind]}`]}</h2>
          <span class="period">{resets && say(w.beginsAnew, { time: moment(resets), zone: zone.value })}</span>
        </header>
        <Table class="fixed" name={w[`booksOf${PERIODS[kind]}`]} rows={rows} columns={columns} rowKey={(one) => one.id} sort="-used" onOpen={(one) => route(`/departments/${encodeURIComponent(one.id)}`)} onKey={(key, one) => key === '+' && may('operator', one.id) && quotaOf(one, kind)?.limit && (route(grantAddress(one.id, kind)), true)} />
        <footer>
          <span>{w.footer}</span>
        </footer>
      </section>
      <History kind={kind} />
      {about && dialog === 'grant' && may('operator', id) && <GrantDialog department={about} kind={kind} host={query.host} request={requests.value.find((one) => one.id === query.request)} onClose={close} />}
      {about && dialog === 'limit' && may('admin', id) && <LimitDialog department={about} kind={kind} onClose={close} />}
    </>
  );
}

export function grantAddress(id: string, kind: Kind, request = ''): string {
  return `/quotas/${encodeURIComponent(id)}/grant?period=${PERIODS[kind]}${request && `&request=${encodeURIComponent(request)}`}`;
}

/** A limit of nothing is one: who has it reaches nothing. */
function hasLimit(quota: QuotaShape | undefined): quota is QuotaShape & { limit: number } {
  return quota !== undefined && quota.limit !== null;
}

function Summary({ kind }: { kind: Kind }) {
  const limited = departments.value.filter((one) => hasLimit(quotaOf(one, kind)));
  const over = limited.filter((one) => isUsedUp(quotaOf(one, kind)!)).length;
  const soon = kind === 'daily' ? limited.filter((one) => !isUsedUp(quotaOf(one, kind)!) && one.reachesLimitAt.value !== null).length : 0;
  const asking = requests.value.filter((one) => one.state === 'open').length;
  const said = [over > 0 && say(w.over, { count: over, all: limited.length }), soon > 0 && say(w.runsOut, { count: soon })].filter(Boolean);
  return (
    <p class="mid">
      {asOf()}
      {said.length > 0 ? `${said.join(', ')}.` : w.noneOver} {asking > 0 && `${say(w.asks, { count: asking })}.`}
    </p>
  );
}

function Requests({ kind }: { kind: Kind }) {
  const open = requests.value.filter((one) => one.state === 'open');
  if (open.length === 0) return null;
  const decline = (id: string) => change('quota:decline', { id }).then(() => toast(w.declined), (error: unknown) => toast(sentenceOf(error)));
  return (
    <section aria-labelledby="requests">
      <h2 id="requests" class="sr">
        {w.requests}
      </h2>
      <ul class="needs">
        {open.map((one) => (
          <li key={one.id}>
            <Icon name="people" class="mid" />
            <div>
              <div class="what" dir="auto">
                {parts(w.asksForMore, { name: <b>{visible(one.name)}</b>, department: visible(nameOf(one.departmentId)), text: visible(one.text) })}
              </div>
              <div class="why" title={full(one.at)}>
                {say(w.fromAt, { time: clock(one.at), address: visible(one.address) })}
              </div>
            </div>
            {may('operator', one.departmentId) && (
              <div class="acts row">
                <ActionButton class="bare" label={`${w.decline}: ${one.name}`} onClick={() => decline(one.id)}>
                  {w.decline}
                </ActionButton>
                <a class="btn" href={grantAddress(one.departmentId, kind, one.id)}>
                  {w.grantMore}
                </a>
              </div>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Bar({ department, kind }: { department: Department; kind: Kind }) {
  const quota = quotaOf(department, kind);
  const found = quota && barOf(department, quota, (minute.value, nowMs()));
  if (!found) return <span class="dim">{w.noQuota}</span>;
  const { name, thresholds } = department.facts.value;
  return <QuotaBar {...found} thresholds={thresholds} label={`${visible(name)}: ${percent(found.used)}`} />;
}

function FullAt({ department, kind }: { department: Department; kind: Kind }) {
  const quota = quotaOf(department, kind);
  if (!hasLimit(quota)) return <span class="dim">–</span>;
  if (isUsedUp(quota)) return <b class="crit-ink">{quota.exceededAt ? moment(quota.exceededAt) : w.isOver}</b>;
  const at = quota.reachesLimitAt ?? (kind === 'daily' ? department.reachesLimitAt.value : null);
  return at && Date.parse(at) < Date.parse(quota.resetsAt) ? <b class="warn-ink">{about(at)}</b> : <span class="dim">{w.notNow}</span>;
}

function columnsOf(kind: Kind): Column<Department>[] {
  const quota = (one: Department) => quotaOf(one, kind);
  return [
    {
      key: 'department',
      head: w.department,
      cell: (one) => (
        <a class="main cut" dir="auto" href={`/departments/${encodeURIComponent(one.id)}`} title={visible(one.facts.value.name)}>
          {visible(one.facts.value.name)}
        </a>
      ),
      sort: (one) => one.facts.value.name,
      csv: (one) => one.facts.value.name,
      fold: 'top',
    },
    { key: 'bar', head: w.usedForecast, cell: (one) => <Bar department={one} kind={kind} />, fold: 'full', width: '20%' },
    { key: 'used', head: w.used, cell: (one) => gib(quota(one)?.used ?? 0), sort: (one) => quota(one)?.used ?? null, csv: (one) => quota(one)?.used, isNumber: true, fold: 'top', width: '132px' },
    { key: 'limit', head: w.limit, cell: (one) => (quota(one)?.limit != null ? setGib(quota(one)!.limit!) : <span class="dim">{w.noLimit}</span>), sort: (one) => quota(one)?.limit ?? null, csv: (one) => quota(one)?.limit, isNumber: true, fold: 'gone', width: '96px' },
    {
      key: 'granted',
      head: w.granted,
      cell: (one) => {
        const found = quota(one);
        const said = found?.grants?.map((grant) => say(grant.bytes < 0 ? w.tookBack : w.grants, { amount: setVolume(Math.abs(grant.bytes)), who: visible(grant.by), time: clock(grant.at), reason: visible(grant.reason) })).join('\n');
        return found?.granted ? <span title={said}>+{setGib(found.granted)}</span> : <span class="dim">0</span>;
      },
      sort: (one) => quota(one)?.granted ?? 0,
      csv: (one) => quota(one)?.granted,
      isNumber: true,
      fold: 'gone',
      width: '84px',
    },
    {
      key: 'action',
      head: w.whenUsedUp,
      cell: (one) => (
        <>
          <span class="small-only dim">{w.usedUp}</span>
          {hasLimit(quota(one)) ? consequenceText(one) : <span class="dim">–</span>}
        </>
      ),
      csv: (one) => consequenceText(one),
      fold: 'low full',
      width: '150px',
    },
    { key: 'full', head: w.fullAt, cell: (one) => <FullAt department={one} kind={kind} />, sort: (one) => quota(one)?.exceededAt ?? one.reachesLimitAt.value, csv: (one) => quota(one)?.exceededAt ?? one.reachesLimitAt.value, fold: 'gone', width: '136px' },
    {
      key: 'actions',
      head: common.actions,
      isHeadHidden: true,
      isNumber: true,
      fold: 'gone',
      width: '136px',
      cell: (one) => (
        <span class="row end">
          {may('admin', one.id) && (
            <a class="btn s bare" aria-label={`${w.setLimit}: ${visible(one.facts.value.name)}`} href={`/quotas/${encodeURIComponent(one.id)}/limit?period=${PERIODS[kind]}`}>
              {w.setLimit}
            </a>
          )}
          {hasLimit(quota(one)) && may('operator', one.id) ? (
            <a class="btn s" aria-label={`${w.grant}: ${visible(one.facts.value.name)}`} href={grantAddress(one.id, kind)}>
              {w.grant}
            </a>
          ) : null}
        </span>
      ),
    },
  ];
}
