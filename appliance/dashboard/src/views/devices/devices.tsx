/** Devices: the hosts that the books know, with what they have used of their own quotas. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { minute, nowMs } from '../../live/clock';
import { isUsedUp, progress, toneOf } from '../../live/condition';
import { call } from '../../live/connection';
import { fixed, gib, MBIT, percent, text, visible, volume } from '../../live/formats';
import { incidents } from '../../live/incidents';
import { may } from '../../live/session';
import { departmentOf, departments, nameOf } from '../../live/state';
import { Icon } from '../../parts/icons';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { QuotaBar } from '../../parts/quota_bar';
import { SearchField } from '../../parts/search_field';
import { type Column, CsvButton, Table } from '../../parts/table';
import { useKeys } from '../../shell/keyboard';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { Bars } from './bars';
import { type Host, hostsOf, keyOf, matches } from './hosts';
import { w } from './words';

const PERIOD_S = 60; // how often the list is asked again: the books of hosts are no live figure

const today = (host: Host) => host.quotas.find((one) => one.type === 'daily');
const isOver = (host: Host) => host.quotas.some(isUsedUp);
const incidentOf = (host: Host) => incidents.value.find((one) => one.isOpen && (host.addresses.includes(one.source) || one.source === host.address || one.source === host.mac));

export default function Devices() {
  useTitle({ text: names.devices });
  const { query, route } = useLocation();
  const { q = '', department = '', open = '', over = '' } = query;
  const ids = departments.value.map((one) => one.id).filter((one) => !department || one === department);
  const seen = departments.value.reduce((sum, one) => sum + (one.devices.value ?? 0), 0); // a new device does not wait for the next minute
  const found = useAsked(() => hostsOf(ids), [ids.join(' '), seen, Math.floor(minute.value / (PERIOD_S * 1000))]);
  const all = found.reply ?? [];
  const shown = all.filter((one) => (!q || matches(one, q)) && (!over || isOver(one)));
  const go = (next: Record<string, string>) => {
    const kept = Object.entries({ q, department, over, open, ...(query.sort ? { sort: query.sort } : {}), ...next }).filter(([, value]) => value);
    route(`/devices${kept.length ? `?${new URLSearchParams(kept)}` : ''}`, true);
  };
  const columns = columnsOf((one) => go({ open: keyOf(one) }));
  const chosen = all.find((one) => keyOf(one) === open);
  const onKey = (key: string, one: Host) => {
    if (!may('operator', one.departmentId)) return false;
    if (key === 'b') route(blockAddress(one));
    else if (key === '+' && today(one)?.limit) route(grantAddressOf(one));
    else return false;
    return true;
  };
  return (
    <>
      <div>
        <h1>{names.devices}</h1>
        <p class="mid">{w.about}</p>
      </div>
      <div class="filters">
        <SearchField value={q} placeholder={w.placeholder} onChange={(next) => go({ q: next })} />
        <button type="button" class="chip" aria-pressed={!over} onClick={() => go({ over: '' })}>
          {say(w.all, { count: all.length })}
        </button>
        <button type="button" class="chip" aria-pressed={over !== ''} onClick={() => go({ over: over ? '' : '1' })}>
          {say(w.over, { count: all.filter(isOver).length })}
        </button>
        <label>
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
        <CsvButton name="devices" rows={shown} columns={columns} />
      </div>
      <section class="sheet" aria-label={names.devices}>
        {found.reply === null || departments.value.length === 0 ? (
          found.error ? <Failed level={2} error={found.error} again={found.again} /> : <Skeleton rows={6} />
        ) : shown.length === 0 ? (
          q || over ? (
            <Empty level={2} icon="search" title={say(common.nothingMatches, { text: q || w.overFilter })} act={<a href="/devices">{common.removeFilter}</a>} />
          ) : (
            <Empty level={2} icon="device" title={w.none} act={<a href="/settings/configuration">{w.toSettings}</a>}>
              {w.noneText}
            </Empty>
          )
        ) : (
          <Table class="fixed" name={names.devices} rows={shown} columns={columns} rowKey={(one) => `${one.departmentId} ${keyOf(one)}`} sort="-used" onOpen={(one) => go({ open: keyOf(one) })} isChosen={(one) => keyOf(one) === open} onKey={onKey} />
        )}
        <footer>
          <span>{w.nearest}</span>
        </footer>
      </section>
      {chosen && <Panel host={chosen} onClose={() => go({ open: '' })} />}
    </>
  );
}

/** The dialog that grants more to this host. */
function grantAddressOf(host: Host): string {
  return `/quotas/${encodeURIComponent(host.departmentId)}/grant?${new URLSearchParams({ period: 'day', host: host.address })}`;
}

function blockAddress(host: Host): string {
  return `/blocks/new?${new URLSearchParams({ address: host.mac ?? host.address, department: host.departmentId })}`;
}

function columnsOf(show: (host: Host) => void): Column<Host>[] {
  return [
    {
      key: 'device',
      head: w.device,
      cell: (one) => (
        <span class="row">
          <Icon name={one.behindRouter ? 'server' : 'device'} class="mid" />
          <span class="cut">
            <button type="button" class="plain main" onClick={() => show(one)}>
              {visible(one.address)}
            </button>{' '}
            {isOver(one) && <span class="tag crit">{w.usedUp}</span>} {incidentOf(one) && <span class="tag crit">{w.incident}</span>}
            <span class="sub">{one.mac ?? w.behindRouter}</span>
          </span>
        </span>
      ),
      sort: (one) => one.address,
      csv: (one) => one.address,
      fold: 'top',
    },
    { key: 'department', head: common.department, cell: (one) => <span class="cut" dir="auto" title={visible(nameOf(one.departmentId))}>{visible(nameOf(one.departmentId))}</span>, sort: (one) => nameOf(one.departmentId), csv: (one) => one.departmentId, fold: 'gone', width: '18%' },
    {
      key: 'addresses',
      head: w.addresses,
      cell: (one) => (
        <span class="cut" title={one.addresses.join(', ')}>
          <code>{one.addresses.join(', ')}</code>
        </span>
      ),
      csv: (one) => one.addresses.join(' '),
      fold: 'low',
      width: '24%',
    },
    { key: 'used', head: w.today, cell: (one) => gib(today(one)?.used ?? 0), sort: (one) => today(one)?.used ?? 0, csv: (one) => today(one)?.used, isNumber: true, fold: 'top', width: '100px' },
    {
      key: 'limit',
      head: w.ofLimit,
      cell: (one) => {
        const quota = today(one);
        const found = quota && progress(quota, 0, nowMs()); // no rate of a device is known
        return found ? <QuotaBar used={found.used} gone={found.gone} tone={isUsedUp(quota) ? 'crit' : toneOf(found.used, departmentOf(one.departmentId)?.facts.value.thresholds ?? [])} label={`${visible(one.address)}: ${percent(found.used)}`} /> : <span class="dim">{w.noLimit}</span>;
      },
      sort: (one) => (today(one)?.limit ? today(one)!.used / today(one)!.limit! : -1),
      csv: (one) => today(one)?.limit,
      fold: 'full',
      width: '18%',
    },
  ];
}

/** One device, beside the list. */
function Panel({ host, onClose }: { host: Host; onClose: () => void }) {
  useKeys({ Escape: onClose });
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    if (before?.closest('table')) box.current?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  const incident = incidentOf(host);
  const title = visible(host.address);
  return (
    <aside class="panel" aria-label={title} ref={box} tabIndex={-1}>
      <header>
        <div>
          <h2>{title}</h2>
          <p class="mid" dir="auto">
            {visible(nameOf(host.departmentId))}
          </p>
        </div>
        <button type="button" class="btn bare" aria-label={common.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {(incident || may('operator', host.departmentId)) && (
        <section>
          {incident && (
            <div class="consequence crit">
              {visible(incident.details)} <a href={`/incidents/${encodeURIComponent(incident.id)}`}>{w.evidence}</a>
            </div>
          )}
          {may('operator', host.departmentId) && (
            <div class="row wrap">
              <a class="btn main danger" href={blockAddress(host)}>
                {w.block}
              </a>
              {today(host)?.limit ? (
                <a class="btn" href={grantAddressOf(host)}>
                  {w.grant}
                </a>
              ) : null}
            </div>
          )}
        </section>
      )}
      <section>
        <dl class="facts">
          <dt>{w.addresses}</dt>
          <dd>
            {host.addresses.map((one) => (
              <div key={one}>
                <code>{visible(one)}</code>
              </div>
            ))}
          </dd>
          <dt>MAC</dt>
          <dd>{host.mac ? <code>{host.mac}</code> : <span class="dim">{w.behindRouter}</span>}</dd>
          {host.quotas.map((quota) => (
            <>
              <dt>{common[quota.type]}</dt>
              <dd>{quota.limit === null ? text(volume(quota.used)) : say(w.usedOf, { used: text(volume(quota.used)), limit: text(volume(quota.limit)) })}</dd>
            </>
          ))}
        </dl>
      </section>
      <LastDay host={host} />
    </aside>
  );
}

const DAY_MS = 86_400_000;
const HOUR_S = 3600;

function LastDay({ host }: { host: Host }) {
  const [to] = useState(nowMs);
  const [series, setSeries] = useState<[string, number, number][] | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const range = { from: new Date(to - DAY_MS).toISOString(), to: new Date(to).toISOString() };
    call('history:get', { departmentId: host.departmentId, host: host.address, step: 'hour', ...range }).then(
      (reply) => isCurrent && setSeries(reply.points as [string, number, number][]),
      () => isCurrent && setSeries([]),
    );
    return () => {
      isCurrent = false;
    };
  }, [keyOf(host)]);
  if (series === null || series.length === 0) return null;
  const peak = Math.max(...series.map(([, up, down]) => (up + down) / HOUR_S / MBIT));
  return (
    <section>
      <h3>{w.lastDay}</h3>
      <Bars points={series} label={say(w.lastDayLabel, { peak: fixed(peak, 2) })} />
    </section>
  );
}
