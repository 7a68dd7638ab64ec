/** A bar for each day, or each hour of a single day, with the daily limit as a line. */
import { clock, day, full, setVolume, text, volume } from '../../live/formats';
import { language, say } from '../../words/words';
import { dateOf, dayStart } from '../../live/calendar';
import { nowMs, zone } from '../../live/clock';
import '../../parts/bars.css';
import type { Report } from './report';
import { kindOfSpan } from './span';
import { w } from './words';

const HOUR_MS = 3_600_000;
const ROOM = 1.06; // over the highest
const MOST = 32; // days of a month, hours of a day

/** The limit that most days of the span had. */
function limitOf(report: Report): number | null {
  return report.quotas.find((one) => one.type === 'daily' && one.limit !== null)?.limit ?? null;
}

/** The days on which the daily quota was used up, as local dates. */
function overOf(report: Report): Set<string> {
  return new Set(report.quotas.filter((one) => one.type === 'daily' && one.exceededAt).map((one) => dateOf(Date.parse(one.startedAt))));
}

interface Slot {
  start: string;
  bytes: number | null; // null: not metered
  isAhead: boolean;
}

/** Each day or hour of the span, those that are still ahead too. */
function slotsOf(report: Report, isDay: boolean): Slot[] {
  const nameOf = (at: number) => (isDay ? String(at) : dateOf(at));
  const known = new Map(report.days.map(([start, up, down]) => [nameOf(Date.parse(start)), up + down]));
  const end = Date.parse(report.to);
  const slots: Slot[] = [];
  for (let at = Date.parse(report.from); at < end && slots.length < MOST; at = isDay ? at + HOUR_MS : dayStart(at + HOUR_MS, 1)) slots.push({ start: new Date(at).toISOString(), bytes: known.get(nameOf(at)) ?? null, isAhead: at > nowMs() });
  return slots;
}

const number = (start: string) => new Intl.DateTimeFormat(language, { timeZone: zone.value, day: 'numeric' }).format(Date.parse(start)).replace('.', '');

export function Bars({ report }: { report: Report }) {
  const isDay = kindOfSpan(report.span) === 'day';
  const amounts = slotsOf(report, isDay);
  const limit = isDay ? null : limitOf(report);
  const over = isDay ? new Set<string>() : overOf(report);
  const top = Math.max(1, limit ?? 0, ...amounts.map((one) => one.bytes ?? 0)) * ROOM;
  const count = amounts.length;
  const every = Math.max(1, Math.ceil(count / 12));
  const metered = amounts.flatMap((one) => (one.bytes === null ? [] : [one.bytes]));
  if (metered.length === 0) return <p class="dim">{w.nothing}</p>;
  const label = say(w.barsLabel, { low: text(volume(Math.min(...metered))), high: text(volume(Math.max(...metered))) });
  const amountText = (bytes: number | null) => (bytes === null ? w.unmetered : text(volume(bytes)));
  const nameOf = (start: string) => (isDay ? clock(start) : day(start));
  return (
    <>
      <div class="bars" style={{ '--n': count }} role="img" aria-label={label}>
        {amounts.map(({ start, bytes, isAhead }) => (
          <i key={start} class={isAhead ? 'ahead' : bytes === null ? 'none' : over.has(dateOf(Date.parse(start))) ? 'over' : undefined} style={{ '--v': (bytes ?? 0) / top }} title={`${nameOf(start)}: ${amountText(bytes)}`} />
        ))}
        {limit !== null && (
          <>
            <i class="limit" style={{ '--at': limit / top }} />
            <span class="dim" style={{ '--at': limit / top }}>
              {say(w.limitLine, { limit: setVolume(limit) })}
            </span>
          </>
        )}
      </div>
      <div class="bar-names" style={{ '--n': count }} aria-hidden="true">
        {amounts.map(({ start }, at) => (
          <span key={start}>{at % every === 0 ? (isDay ? clock(start).slice(0, 2) : number(start)) : ''}</span>
        ))}
      </div>
      <div class="sr">
        <table>
          <caption>{label}</caption>
          <tbody>
            {amounts.filter((one) => !one.isAhead).map(({ start, bytes }) => (
              <tr key={start}>
                <th scope="row">{isDay ? `${clock(start)} – ${clock(Date.parse(start) + HOUR_MS)}` : full(start)}</th>
                <td>{amountText(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
