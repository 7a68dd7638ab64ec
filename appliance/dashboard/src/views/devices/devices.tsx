/** Devices: those of the register, and the hosts that only the books know. */
import { useLocation } from 'preact-iso';

import { minute, nowMs } from '../../live/clock';
import { isUsedUp, progress, toneOf } from '../../live/condition';
import { deviceChanges } from '../../live/devices';
import { full, gib, percent, visible } from '../../live/formats';
import { may } from '../../live/session';
import { departmentOf, departments, nameOf } from '../../live/state';
import { Icon } from '../../parts/icons';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { QuotaBar } from '../../parts/quota_bar';
import { SearchField } from '../../parts/search_field';
import { type Column, CsvButton, Table } from '../../parts/table';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { blockAddress, grantAddressOf, iconOf, incidentOf, isOver, seenText, today, vendorText, wasSeenLately } from './figures';
import { type Host, hostsOf, keyOf, matches, titleOf } from './hosts';
import { Panel } from './panel';
import { w } from './words';

const PERIOD_S = 60; // how often the list is asked again: who is there is no live figure

type Filter = 'seen' | 'fresh' | 'over';
const FILTERS: Record<Filter, { value: string; has: (host: Host) => boolean; chip: string; name: string }> = {
  seen: { value: '5m', has: wasSeenLately, chip: w.seenLately, name: w.seenFilter },
  fresh: { value: '1', has: (one) => one.device?.isNew === true, chip: w.fresh, name: w.freshFilter },
  over: { value: '1', has: isOver, chip: w.over, name: w.overFilter },
};

export default function Devices() {
  useTitle({ text: names.devices });
  const { query, route } = useLocation();
  const { q = '', department = '', open = '' } = query;
  const filter = (Object.keys(FILTERS) as Filter[]).find((one) => query[one]);
  const ids = departments.value.map((one) => one.id).filter((one) => !department || one === department);
  const seen = departments.value.reduce((sum, one) => sum + (one.devices.value ?? 0), 0); // a new device does not wait for the next minute
  const found = useAsked(() => hostsOf(ids), [ids.join(' '), seen, deviceChanges.value, Math.floor(minute.value / (PERIOD_S * 1000))]);
  const all = found.reply?.hosts ?? [];
  const shown = all.filter((one) => (!q || matches(one, q)) && (!filter || FILTERS[filter].has(one)));
  const go = (next: Record<string, string>) => {
    const former = { q, department, open, ...(filter ? { [filter]: FILTERS[filter].value } : {}), ...(query.sort ? { sort: query.sort } : {}) };
    const kept = Object.entries({ ...former, ...next }).filter(([, value]) => value);
    route(`/devices${kept.length ? `?${new URLSearchParams(kept)}` : ''}`, true);
  };
  const choose = (next?: Filter) => go({ seen: '', fresh: '', over: '', ...(next && next !== filter ? { [next]: FILTERS[next].value } : {}) });
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
      <h1>{names.devices}</h1>
      <div class="filters">
        <SearchField value={q} placeholder={w.placeholder} onChange={(next) => go({ q: next })} />
        <button type="button" class="chip" aria-pressed={filter === undefined} onClick={() => choose()}>
          {say(w.all, { count: all.length })}
        </button>
        {(Object.keys(FILTERS) as Filter[]).map((one) => (
          <button key={one} type="button" class="chip" aria-pressed={filter === one} onClick={() => choose(one)}>
            {say(FILTERS[one].chip, { count: all.filter(FILTERS[one].has).length })}
          </button>
        ))}
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
          q || filter ? (
            <Empty level={2} icon="search" title={say(common.nothingMatches, { text: q || FILTERS[filter!].name })} act={<a href="/devices">{common.removeFilter}</a>} />
          ) : (
            <Empty level={2} icon="device" title={w.none} act={<a href="/appliance">{w.toPosition}</a>}>
              {w.noneText}
            </Empty>
          )
        ) : (
          <Table class="fixed" name={names.devices} rows={shown} columns={columns} rowKey={(one) => `${one.departmentId} ${keyOf(one)}`} sort="device" onOpen={(one) => go({ open: keyOf(one) })} isChosen={(one) => keyOf(one) === open} onKey={onKey} />
        )}
        <footer>
          <span>
            {say(w.counted, { count: shown.length })}. {found.reply !== null && found.reply.learning.length > 0 && say(w.learning, { count: found.reply.learning.length })} {all.some((one) => one.quotas.length > 0) && w.nearest}
          </span>
        </footer>
      </section>
      {chosen && <Panel key={keyOf(chosen)} host={chosen} onClose={() => go({ open: '' })} />}
    </>
  );
}

function columnsOf(show: (host: Host) => void): Column<Host>[] {
  return [
    {
      key: 'device',
      head: w.device,
      cell: (one) => (
        <span class="row">
          <Icon name={iconOf(one)} class="mid" />
          <span class="cut">
            <button type="button" class="plain main" dir="auto" title={visible(titleOf(one))} onClick={() => show(one)}>
              {visible(titleOf(one))}
            </button>{' '}
            {one.device?.isNew && <span class="tag warn">{w.isNew}</span>} {isOver(one) && <span class="tag crit">{w.usedUp}</span>} {incidentOf(one) && <span class="tag crit">{w.incident}</span>}
            <span class="sub">{vendorText(one)}</span>
          </span>
        </span>
      ),
      sort: (one) => (one.device?.name ? `0${one.device.name.toLowerCase()}` : `1${one.address}`), // those with a name first
      csv: titleOf,
      fold: 'top',
    },
    { key: 'department', head: common.department, cell: (one) => <span class="cut" dir="auto" title={visible(nameOf(one.departmentId))}>{visible(nameOf(one.departmentId))}</span>, sort: (one) => nameOf(one.departmentId), csv: (one) => one.departmentId, fold: 'gone', width: '15%' },
    {
      key: 'addresses',
      head: w.addresses,
      cell: (one) => (
        <span class="cut" title={[...one.addresses, one.mac ?? ''].join(', ')}>
          <code>{one.addresses[0] ?? one.mac}</code>
          {one.addresses[1] && (
            <span class="sub">
              <code>{one.addresses[1]}</code>
            </span>
          )}
        </span>
      ),
      sort: (one) => one.address,
      csv: (one) => [...one.addresses, one.mac ?? ''].join(' ').trim(),
      fold: 'low',
      width: '20%',
    },
    { key: 'used', head: w.today, cell: (one) => (today(one) ? gib(today(one)!.used) : ''), sort: (one) => today(one)?.used ?? null, csv: (one) => today(one)?.used, isNumber: true, fold: 'top', width: '100px' },
    {
      key: 'limit',
      head: w.ofLimit,
      cell: (one) => {
        const quota = today(one);
        const found = quota && progress(quota, 0, nowMs()); // no rate of a device is known
        if (found) return <QuotaBar used={found.used} gone={found.gone} tone={isUsedUp(quota) ? 'crit' : toneOf(found.used, departmentOf(one.departmentId)?.facts.value.thresholds ?? [])} label={`${visible(titleOf(one))}: ${percent(found.used)}`} />;
        return quota && <span class="dim">{w.noLimit}</span>;
      },
      sort: (one) => (today(one)?.limit ? today(one)!.used / today(one)!.limit! : null),
      csv: (one) => today(one)?.limit,
      fold: 'full',
      width: '15%',
    },
    { key: 'seen', head: w.seen, cell: (one) => one.device && <span title={full(one.device.lastSeen)}>{seenText(one.device)}</span>, sort: (one) => one.device?.lastSeen ?? null, csv: (one) => one.device?.lastSeen, fold: 'gone', width: '110px' },
  ];
}
