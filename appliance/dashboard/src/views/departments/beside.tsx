/** Beside a department's books: what was unusual, and the blocks that are for it alone. */
import { anomalyDetails } from '../../live/anomaly_words';
import { call, link } from '../../live/connection';
import { minute, nowMs } from '../../live/clock';
import { clock, day, fixed, full, moment, visible, whole } from '../../live/formats';
import { alerts, type Department } from '../../live/state';
import { Icon } from '../../parts/icons';
import { Failed, Skeleton, useAsked } from '../../parts/notices';
import { CsvButton, type Column } from '../../parts/table';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { w } from './words';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MOST = 6;
const SEVERITIES = { low: w.low, medium: w.medium, high: w.high, critical: w.critical } as const;

const TYPES: Record<string, string> = { usage_spike: w.spike, usage_drop: w.drop, usage_level: w.level, unusual_hour: w.hour };

export function Unusual({ of }: { of: Department }) {
  const told = alerts.value.filter((one) => one.kind === 'anomaly' && one.departmentId === of.id).length;
  const hour = Math.floor((minute.value, nowMs()) / HOUR_MS); // those of yesterday leave the list
  const ask = () => call('anomaly:list', { departmentId: of.id, from: new Date(nowMs() - DAY_MS).toISOString(), to: new Date(nowMs() + HOUR_MS).toISOString() });
  const { reply, error, again } = useAsked(ask, [of.id, told, hour]);
  const found = reply?.anomalies ?? [];
  return (
    <section class="sheet" aria-labelledby="unusual">
      <header>
        <h2 id="unusual">{w.unusual}</h2>
        <span class="period">{w.day}</span>
      </header>
      {error !== null ? (
        <Failed error={error} again={again} level={3} />
      ) : reply === null ? (
        <Skeleton />
      ) : found.length === 0 ? (
        <p class="pad dim">{w.nothingUnusual}</p>
      ) : (
        <ul class="feed">
          {found.slice(0, MOST).map(({ timestamp, anomaly }) => (
            <li key={timestamp}>
              <time title={full(timestamp)}>{day(timestamp) === day(nowMs()) ? clock(timestamp) : day(timestamp)}</time>
              <Icon name={anomaly.type === 'usage_drop' ? 'falling' : 'rising'} class={anomaly.severity === 'low' ? 'mid' : 'mark-warn'} />
              <div>
                <b>{say(TYPES[anomaly.type] ?? w.anomaly, { severity: SEVERITIES[anomaly.severity as keyof typeof SEVERITIES] ?? anomaly.severity })}</b>
                <br />
                {anomalyDetails({ timestamp, anomaly })}. <span class="dim">{say(w.confidence, { value: fixed(anomaly.confidence, 2) })}</span>
              </div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

interface Block {
  address: string;
  reason: string;
  departmentId: string | null;
  expiresAt: string | null;
}

const ASKED = 200; // of those that hold here; the ones for this department alone are picked out
const SHOWN = 5;

const filed: readonly Column<Block>[] = [
  { key: 'address', head: w.address, cell: () => null, csv: (one) => one.address },
  { key: 'reason', head: common.reason, cell: () => null, csv: (one) => one.reason },
  { key: 'expiresAt', head: w.endsAt, cell: () => null, csv: (one) => one.expiresAt },
];

export function OwnBlocks({ of }: { of: Department }) {
  const wanted = of.wanted.value;
  const { reply, error, again } = useAsked(() => call('ip:list', { departmentId: of.id, limit: ASKED }), [of.id, wanted, link.value === 'live']);
  const own = ((reply?.blocks ?? []) as Block[]).filter((one) => one.departmentId === of.id);
  return (
    <section class="sheet" aria-labelledby="blocks">
      <header>
        <h2 id="blocks">{w.blocks}</h2>
        {reply !== null && reply.next === null && <span class="period">{say(w.blocksHere, { all: whole(reply.total), own: whole(own.length) })}</span>}
        <div class="row push">
          <CsvButton name={`blocks-${of.id}`} rows={own} columns={filed} />
          <a href={`/blocks?department=${encodeURIComponent(of.id)}`}>{w.allBlocks}</a>
        </div>
      </header>
      {error !== null && reply === null ? (
        <Failed error={error} again={again} />
      ) : reply === null ? (
        <Skeleton rows={2} />
      ) : own.length === 0 ? (
        <p class="pad dim">{w.noOwn}</p>
      ) : (
        <table class="fixed">
          <tbody>
            {own.slice(0, SHOWN).map((one) => (
              <tr key={one.address}>
                <td>
                  <code class="cut block" title={visible(one.address)}>
                    {visible(one.address)}
                  </code>
                  <span class="sub cut" dir="auto" title={visible(one.reason)}>
                    {visible(one.reason)}
                  </span>
                </td>
                <td class="num ends">{one.expiresAt === null ? w.lifted : <span title={full(one.expiresAt)}>{say(w.ends, { time: moment(one.expiresAt) })}</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
