/** One device, beside the list: what is wrong with it, what one can do, what is known of it, its last day, its sites. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { nowMs } from '../../live/clock';
import { call } from '../../live/connection';
import { fixed, full, MBIT, text, visible, volume } from '../../live/formats';
import { may } from '../../live/session';
import { nameOf } from '../../live/state';
import { Icon } from '../../parts/icons';
import { useAsked } from '../../parts/notices';
import { useKeys } from '../../shell/keyboard';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { Bars } from './bars';
import { blockAddress, grantAddressOf, incidentOf, seenText, today, vendorText } from './figures';
import { type Host, keyOf, titleOf } from './hosts';
import { RenameDialog } from './rename_dialog';
import { w } from './words';

export function Panel({ host, onClose }: { host: Host; onClose: () => void }) {
  const [isRenamed, rename] = useState(false);
  useKeys({ Escape: () => !isRenamed && onClose() });
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    if (before?.closest('table')) box.current?.focus();
    return () => before?.isConnected && before.focus();
  }, []);
  const incident = incidentOf(host);
  const title = visible(titleOf(host));
  const mayChange = may('operator', host.departmentId);
  return (
    <aside class="panel" aria-label={title} ref={box} tabIndex={-1}>
      <header>
        <div>
          <h2 dir="auto">{title}</h2>
          <p class="mid">
            {vendorText(host)}, <bdi>{visible(nameOf(host.departmentId))}</bdi>
          </p>
        </div>
        <button type="button" class="btn bare" aria-label={common.close} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {(incident || mayChange) && (
        <section>
          {incident && (
            <div class="consequence crit">
              {visible(incident.details)} <a href={`/incidents/${encodeURIComponent(incident.id)}`}>{w.evidence}</a>
            </div>
          )}
          {mayChange && (
            <div class="row wrap">
              <a class="btn main danger" href={blockAddress(host)}>
                {w.block}
              </a>
              {host.device && (
                <button type="button" class="btn" onClick={() => rename(true)}>
                  {w.rename}
                </button>
              )}
              {today(host)?.limit ? (
                <a class="btn" href={grantAddressOf(host)}>
                  {w.grant}
                </a>
              ) : null}
            </div>
          )}
        </section>
      )}
      <Facts host={host} />
      <LastDay host={host} />
      {host.device && <Sites host={host} />}
      {isRenamed && host.device && <RenameDialog device={host.device} onClose={() => rename(false)} />}
    </aside>
  );
}

function Facts({ host }: { host: Host }) {
  const { device } = host;
  const [fourth, sixth] = [host.addresses.filter((one) => !one.includes(':')), host.addresses.filter((one) => one.includes(':'))];
  const listed = (addresses: string[]): ComponentChildren => (addresses.length === 0 ? <span class="dim">{common.none}</span> : addresses.map((one) => <div key={one}><code>{visible(one)}</code></div>));
  const origins = { label: device?.called ? say(w.labelAnd, { name: visible(device.called) }) : w.fromLabel, dhcp: w.fromDhcp, mdns: w.fromMdns, dns: w.fromDns };
  return (
    <section>
      <dl class="facts">
        <dt>IPv4</dt>
        <dd>{listed(fourth)}</dd>
        <dt>IPv6</dt>
        <dd>{listed(sixth)}</dd>
        <dt>MAC</dt>
        <dd>
          {host.mac ? <code>{host.mac}</code> : <span class="dim">{w.behindRouter}</span>} {device?.isRandomised && <span class="tag">{w.privateAddress}</span>}
        </dd>
        {device?.nameFrom && (
          <>
            <dt>{w.nameFrom}</dt>
            <dd dir="auto">{origins[device.nameFrom]}</dd>
          </>
        )}
        {device && (
          <>
            <dt>{w.firstSeen}</dt>
            <dd>{full(device.firstSeen)}</dd>
            <dt>{w.lastSeen}</dt>
            <dd title={full(device.lastSeen)}>{seenText(device)}</dd>
          </>
        )}
        {host.quotas.map((quota) => (
          <>
            <dt>{common[quota.type]}</dt>
            <dd>{quota.limit === null ? text(volume(quota.used)) : say(w.usedOf, { used: text(volume(quota.used)), limit: text(volume(quota.limit)) })}</dd>
          </>
        ))}
      </dl>
    </section>
  );
}

const DAY_MS = 86_400_000;
const HOUR_S = 3600;

function LastDay({ host }: { host: Host }) {
  const [to] = useState(nowMs);
  const range = { from: new Date(to - DAY_MS).toISOString(), to: new Date(to).toISOString() };
  const { reply } = useAsked(() => call('history:get', { departmentId: host.departmentId, host: host.mac ?? host.address, step: 'hour', ...range }), [keyOf(host)]);
  const series = (reply?.points ?? []) as [string, number, number][];
  if (series.length === 0) return null;
  const peak = Math.max(...series.map(([, up, down]) => (up + down) / HOUR_S / MBIT));
  return (
    <section>
      <h3>{w.lastDay}</h3>
      <Bars points={series} label={say(w.lastDayLabel, { peak: fixed(peak, 2) })} />
    </section>
  );
}

/** The sites that it visited, where the configuration has visitors recorded. */
function Sites({ host }: { host: Host }) {
  const { reply } = useAsked(() => call('device:get', { departmentId: host.departmentId, host: keyOf(host) }), [keyOf(host)]);
  if (reply?.sites === undefined) return null;
  return (
    <section>
      <h3>{w.sites}</h3>
      {reply.sites.length === 0 ? (
        <p class="dim">{w.noSites}</p>
      ) : (
        <ul class="plain">
          {reply.sites.map((one) => (
            <li key={one} dir="auto">
              {visible(one)}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
