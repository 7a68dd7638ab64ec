/** How an incident's count went on: a bar for each step, in the colour of the severity that it amounts to. */
import type { IncidentEvidence } from '../../live/contract';
import { clock, clockSeconds, moment } from '../../live/formats';
import type { SeverityName } from '../../parts/severity';
import { say } from '../../words/words';
import '../../parts/bars.css';
import { amountOf } from './evidence_words';
import { severities, w } from './words';

const ROOM = 1.06; // over the highest
const MARKS = 4; // times below the bars
const FEWEST = 12; // that are as wide as the chart: one bar alone is no wall
const MOST = 72; // that the appliance keeps

/** `untilMs`: up to when nothing more was seen than the appliance has told; null: it is over. */
export function Counts({ of: { series, levels }, type, untilMs }: { of: IncidentEvidence; type: string; untilMs: number | null }) {
  const { stepS } = series;
  if (series.counts.length === 0) return null;
  const quiet = untilMs === null ? 0 : Math.floor((untilMs - Date.parse(series.from)) / 1000 / stepS) - series.counts.length;
  const counts = [...series.counts, ...Array<number>(Math.max(0, Math.min(quiet, MOST - series.counts.length))).fill(0)];
  const severityOf = (count: number): SeverityName => levels.findLast(([least]) => count >= least)?.[1] ?? 'low';
  const startOf = (step: number) => Date.parse(series.from) + step * stepS * 1000;
  const highest = Math.max(...counts);
  const every = Math.max(1, Math.ceil(counts.length / MARKS));
  const nameOf = stepS < 60 ? clockSeconds : moment;
  const label = say(w.countsLabel, { count: amountOf(type, highest), from: moment(startOf(0)), to: clock(startOf(counts.length)) });
  const present = levels.map(([, severity]) => severity).filter((severity) => counts.some((one) => one > 0 && severityOf(one) === severity));
  return (
    <div>
      <div class="bars counts" style={{ '--n': Math.max(counts.length, FEWEST) }} role="img" aria-label={label}>
        {counts.map((count, step) => (
          <i key={step} class={count === 0 ? 'ahead' : severityOf(count)} style={{ '--v': count / (highest * ROOM) }} title={`${nameOf(startOf(step))}: ${amountOf(type, count)}`} />
        ))}
      </div>
      <div class="bar-names" style={{ '--n': Math.max(counts.length, FEWEST) }} aria-hidden="true">
        {counts.map((_, step) => (
          <span key={step}>{step % every === 0 ? nameOf(startOf(step)) : ''}</span>
        ))}
      </div>
      <p class="bar-legend">
        {present.map((severity) => (
          <span key={severity} class={severity}>
            {severities[severity]}
          </span>
        ))}
      </p>
    </div>
  );
}
