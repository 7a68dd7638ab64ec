/** The closed periods of one department, as columns against their limits and as a table. */
import { useLocation } from 'preact-iso';

import { call } from '../../live/connection';
import { day, full, gib, moment, setGib, setVolume, text, visible, volume } from '../../live/formats';
import { departments } from '../../live/state';
import { Failed, Skeleton, useAsked } from '../../parts/notices';
import { type Column, CsvButton, Table } from '../../parts/table';
import { say } from '../../words/words';
import { type Kind, PERIODS, quotaOf } from './books';
import { w } from './words';

const SHOWN: Record<Kind, number> = { daily: 14, weekly: 12, monthly: 12 };

interface Closed {
  startedAt: string;
  endedAt: string;
  used: number;
  limit: number | null;
  granted: number;
  exceededAt?: string;
}

const columns: Column<Closed>[] = [
  { key: 'start', head: w.start, cell: (one) => <span title={full(one.startedAt)}>{day(one.startedAt)}</span>, csv: (one) => one.startedAt, fold: 'top' },
  { key: 'end', head: w.end, cell: (one) => day(one.endedAt), csv: (one) => one.endedAt, fold: 'gone' },
  { key: 'usedThen', head: w.used, cell: (one) => gib(one.used), csv: (one) => one.used, isNumber: true, fold: 'top' },
  { key: 'limitThen', head: w.limit, cell: (one) => (one.limit === null ? <span class="dim">{w.noLimit}</span> : setGib(one.limit)), csv: (one) => one.limit, isNumber: true, fold: 'gone' },
  { key: 'grantedThen', head: w.granted, cell: (one) => (one.granted ? setGib(one.granted) : <span class="dim">0</span>), csv: (one) => one.granted, isNumber: true, fold: 'gone' },
  { key: 'exceeded', head: w.fullAt, cell: (one) => (one.exceededAt ? <b class="crit-ink">{moment(one.exceededAt)}</b> : <span class="dim">–</span>), csv: (one) => one.exceededAt, fold: 'low' },
];

export function History({ kind }: { kind: Kind }) {
  const { query, route } = useLocation();
  const all = departments.value;
  const chosen = all.find((one) => one.id === query.of) ?? all[0];
  const found = useAsked(() => call('quota:closed', { departmentId: chosen?.id ?? '', type: kind, count: SHOWN[kind] }), [chosen?.id, kind]);
  if (chosen === undefined) return null;
  const periods = (found.reply?.periods ?? []) as Closed[];
  const name = visible(chosen.facts.value.name);
  const ends = quotaOf(chosen, kind)?.resetsAt;
  return (
    <section class="sheet" aria-labelledby="closed">
      <header>
        <h2 id="closed">{say(w.history, { name })}</h2>
        <span class="push" />
        <label>
          <span class="sr">{w.choose}</span>
          <select value={chosen.id} onChange={(event) => route(`/quotas?${new URLSearchParams({ period: PERIODS[kind], of: event.currentTarget.value })}`, true)}>
            {all.map((one) => (
              <option key={one.id} value={one.id}>
                {visible(one.facts.value.name)}
              </option>
            ))}
          </select>
        </label>
        <CsvButton name={`quotas-closed-${chosen.id}`} rows={periods} columns={columns} />
      </header>
      {found.reply === null ? (
        found.error ? <Failed error={found.error} again={found.again} /> : <Skeleton />
      ) : periods.length === 0 ? (
        <div class="pad dim">{say(w.noHistory, { time: ends ? moment(ends) : '' })}</div>
      ) : (
        <>
          <div class="pad">
            <Columns periods={[...periods].reverse()} />
          </div>
          <Table name={say(w.history, { name })} rows={periods} columns={columns} rowKey={(one) => one.startedAt} />
        </>
      )}
    </section>
  );
}

function Columns({ periods }: { periods: Closed[] }) {
  const top = Math.max(1, ...periods.map((one) => Math.max(one.used, one.limit ?? 0))) * 1.1;
  const used = periods.map((one) => one.used);
  const label = say(w.historyLabel, { count: periods.length, least: gib(Math.min(...used)), most: gib(Math.max(...used)) });
  return (
    <div class="columns" role="img" aria-label={label}>
      {periods.map((one) => (
        <div key={one.startedAt} title={`${day(one.startedAt)}: ${text(volume(one.used))}${one.limit === null ? '' : `, ${say(w.limitWas, { limit: setVolume(one.limit) })}`}`}>
          <span class="area">
            <i class={one.limit !== null && one.used >= one.limit ? 'over' : ''} style={{ height: `${(one.used / top) * 100}%` }} />
            {one.limit !== null && <b style={{ bottom: `${(one.limit / top) * 100}%` }} />}
          </span>
          <span class="dim">{day(one.startedAt).split(' ')[1]}</span>
        </div>
      ))}
    </div>
  );
}
