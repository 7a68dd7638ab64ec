/** A department's quotas, and the devices that use the most of them. */
import { useComputed } from '@preact/signals';

import { call } from '../../live/connection';
import { minute, nowMs } from '../../live/clock';
import { barOf } from '../../live/condition';
import { deviceNameOf } from '../../live/devices';
import { full, GIB, moment, percent, setVolume, usedOf, visible, volume } from '../../live/formats';
import type { Department, QuotaShape } from '../../live/state';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { Meter, QuotaBar } from '../../parts/quota_bar';
import { CsvButton, Table, type Column } from '../../parts/table';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { dayQuota } from './columns';
import { w } from './words';

const KINDS: readonly QuotaShape['type'][] = ['daily', 'weekly', 'monthly'];

/** The quota with what the events have told since the books were read. */
function current(quota: QuotaShape, usedToday: number | null): QuotaShape {
  return quota.type === 'daily' ? { ...quota, used: Math.max(quota.used, usedToday ?? 0) } : quota;
}

function Bar({ of, quota }: { of: Department; quota: QuotaShape }) {
  const judged = of.quotas.value.find((one) => one.type === quota.type) ?? quota;
  const found = barOf(of, judged, (minute.value, nowMs()), quota.used);
  if (found === null) return <span class="dim">{w.noLimit}</span>;
  const label = say(w.barLabel, { period: common[quota.type], share: percent(found.used), limit: setVolume(quota.limit ?? 0) });
  return <QuotaBar {...found} thresholds={of.facts.value.thresholds} label={label} />;
}

const amount = (of: QuotaShape) => usedOf(of.used, of.limit ?? 0);
const STEPS = 1000; // of the limit: the figures of quotas move when that can be seen, and not each second

export function Books({ of }: { of: Department }) {
  const used = useComputed(() => {
    const step = Math.max(1, (dayQuota(of)?.limit || GIB) / STEPS);
    return Math.floor((of.usedToday.value ?? 0) / step) * step;
  });
  const rows = KINDS.flatMap((kind) => of.quotas.value.filter((one) => one.type === kind && one.limit !== null)).map((one) => current(one, used.value));
  const columns: readonly Column<QuotaShape>[] = [
    { key: 'period', head: w.period, fold: 'top', width: '84px', cell: (one) => common[one.type], csv: (one) => one.type },
    { key: 'bar', head: w.bar, fold: 'full', cell: (one) => <Bar of={of} quota={one} /> },
    {
      key: 'used', head: w.used, isNumber: true, fold: 'top', width: '132px',
      cell: (one) => (
        <>
          {amount(one).used} <span class="unit">{amount(one).unit}, {percent(one.used / (one.limit || 1))}</span>
        </>
      ),
      csv: (one) => one.used,
    },
    { key: 'limit', head: w.limit, isNumber: true, fold: 'gone', width: '100px', cell: (one) => (
        <>
          {amount(one).limit} <span class="unit">{amount(one).unit}</span>
        </>
      ), csv: (one) => one.limit },
    { key: 'anew', head: w.anew, fold: 'low', width: '156px', cell: (one) => <span title={full(one.resetsAt)}>{moment(one.resetsAt)}</span>, csv: (one) => one.resetsAt },
  ];
  return (
    <section class="sheet" aria-labelledby="quotas">
      <header>
        <h2 id="quotas">{w.quotas}</h2>
        <div class="row push">
          <CsvButton name={`quotas-${of.id}`} rows={rows} columns={columns} />
          <a href="/quotas">{w.history}</a>
        </div>
      </header>
      {rows.length === 0 ? (
        <Empty icon="quota" title={w.noQuotas}>
          {w.noQuotasWhy}
        </Empty>
      ) : (
        <Table name={w.quotas} class="fixed" rows={rows} columns={columns} rowKey={(one) => one.type} />
      )}
      <Grants quotas={rows} />
    </section>
  );
}

/** Of what the running limits are made. */
function Grants({ quotas }: { quotas: readonly QuotaShape[] }) {
  const said = quotas.flatMap((one) => {
    const grants = (one.grants ?? []).map((grant) => say(grant.bytes < 0 ? w.oneBack : w.oneGrant, { bytes: setVolume(Math.abs(grant.bytes)), by: visible(grant.by), at: moment(grant.at), reason: grant.reason ? say(w.because, { reason: visible(grant.reason) }) : '' }));
    return grants.length === 0 ? [] : [say(w.granted, { period: common[one.type], limit: setVolume(one.limit ?? 0), base: setVolume((one.limit ?? 0) - one.granted), grants: grants.join(', ') })];
  });
  if (said.length === 0) return null;
  return (
    <footer>
      {said.map((one) => (
        <span key={one} dir="auto">
          {one}
        </span>
      ))}
    </footer>
  );
}

interface Host {
  address: string;
  mac?: string;
  behindRouter?: boolean;
  addresses: string[];
  quotas: QuotaShape[];
}

const MOST_HOSTS = 5;
const hasDay = (host: Host) => host.quotas.some((one) => one.type === 'daily');
const usedBy = (host: Host) => host.quotas.find((one) => one.type === 'daily')?.used ?? 0;

const filed: readonly Column<Host>[] = [
  { key: 'device', head: w.device, cell: () => null, csv: (one) => one.address },
  { key: 'mac', head: w.mac, cell: () => null, csv: (one) => one.mac ?? '' },
  { key: 'addresses', head: w.address, cell: () => null, csv: (one) => one.addresses.join(' ') },
  { key: 'bytes', head: w.bytes, cell: () => null, csv: usedBy },
];

/** A host by the name of its device, with its address beside it; by its address where the device has no name. */
function Known({ department, host }: { department: string; host: Host }) {
  const name = deviceNameOf(department, host.mac ?? host.address);
  return name === null ? (
    <code class="cut block" title={host.address}>
      {visible(host.address)}
    </code>
  ) : (
    <span class="cut block" title={`${visible(name)}, ${host.address}`}>
      <bdi>{visible(name)}</bdi> <code class="dim">{visible(host.address)}</code>
    </span>
  );
}

export function Devices({ of }: { of: Department }) {
  const { reply, error, again } = useAsked(() => call('quota:get', of.id).then((found) => ((found as { hosts?: Host[] }).hosts ?? []).filter(hasDay).sort((one, other) => usedBy(other) - usedBy(one))), [of.id, minute.value]);
  const hosts = reply ?? [];
  const top = usedBy(hosts[0] ?? ({ quotas: [] as QuotaShape[] } as Host)) || 1;
  const columns: readonly Column<Host>[] = [
    {
      key: 'device', head: w.device, fold: 'top',
      cell: (one) => (
        <>
          <Known department={of.id} host={one} />
          <span class="sub cut">{one.addresses.length > 1 ? one.addresses.slice(1).map(visible).join(', ') : one.behindRouter ? w.behindRouter : ''}</span>
        </>
      ),
    },
    { key: 'address', head: w.mac, fold: 'low', width: '168px', cell: (one) => <code>{one.mac ?? ''}</code> },
    {
      key: 'today', head: w.today, isNumber: true, fold: 'top', width: '92px',
      cell: (one) => (
        <>
          {volume(usedBy(one))[0]} <span class="unit">{volume(usedBy(one))[1]}</span>
        </>
      ),
    },
    { key: 'share', head: w.share, isHeadHidden: true, fold: 'full', width: '24%', cell: (one) => <Meter share={usedBy(one) / top} tone="var(--in)" /> },
  ];
  return (
    <section class="sheet" aria-labelledby="devices">
      <header>
        <h2 id="devices">{w.devices}</h2>
        <span class="period">{w.most}</span>
        <div class="row push">
          <CsvButton name={`devices-${of.id}`} rows={hosts} columns={filed} />
          <a href={`/devices?department=${encodeURIComponent(of.id)}`}>{w.allDevices}</a>
        </div>
      </header>
      {error !== null && reply === null ? <Failed error={error} again={again} /> : reply === null ? <Skeleton rows={MOST_HOSTS} /> : hosts.length === 0 ? <p class="pad dim">{w.noDevices}</p> : <Table name={w.devices} class="fixed" rows={hosts.slice(0, MOST_HOSTS)} columns={columns} rowKey={(one) => one.mac ?? one.address} />}
    </section>
  );
}
