/** Days and hours as the appliance's zone has them: a day there may have 23 or 25 hours. */
import { zone } from './clock';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const formats = new Map<string, Intl.DateTimeFormat>();

function format(): Intl.DateTimeFormat {
  let made = formats.get(zone.value);
  if (made === undefined) {
    made = new Intl.DateTimeFormat('en-GB', { timeZone: zone.value, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
    formats.set(zone.value, made);
  }
  return made;
}

const CELL_MS = 8 * DAY_MS; // no zone has changed its clocks twice within so short a time (the least so far: four weeks)
let known: { zone: string; atEdges: Map<number, number> } = { zone: '', atEdges: new Map() };

/** Milliseconds by which the zone's clocks are ahead of UTC at this instant. Asked of the browser, which takes long, for a cell's edges alone. */
export function offsetMs(atMs: number): number {
  if (known.zone !== zone.value) known = { zone: zone.value, atEdges: new Map() };
  const cell = Math.floor(atMs / CELL_MS);
  const before = offsetAtEdge(cell);
  return before === offsetAtEdge(cell + 1) ? before : askedOffsetMs(atMs);
}

function offsetAtEdge(cell: number): number {
  let offset = known.atEdges.get(cell);
  if (offset === undefined) known.atEdges.set(cell, (offset = askedOffsetMs(cell * CELL_MS)));
  return offset;
}

function askedOffsetMs(atMs: number): number {
  const found: Record<string, number> = {};
  for (const { type, value } of format().formatToParts(atMs)) found[type] = Number(value);
  const wall = Date.UTC(found.year!, found.month! - 1, found.day!, found.hour!, found.minute!, found.second!);
  return wall - Math.floor(atMs / 1000) * 1000;
}

/** What the zone's clocks show, as if it were UTC. */
export function wallOf(atMs: number): number {
  return atMs + offsetMs(atMs);
}

/** The instant at which the zone's clocks show this; of two, the later one; of none, the first after the gap. */
export function instantOf(wallMs: number): number {
  const guess = wallMs - offsetMs(wallMs);
  return wallMs - offsetMs(guess);
}

/** The instant at which the local day with this one in it began. `days` later than that. */
export function dayStart(atMs: number, days = 0): number {
  return instantOf(Math.floor(wallOf(atMs) / DAY_MS) * DAY_MS + days * DAY_MS);
}

/** The hour that the zone's clocks show, 0 to 23. */
export function hourOf(atMs: number): number {
  return Math.floor((((wallOf(atMs) % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS);
}

/** `2026-11-27`, the local date. */
export function dateOf(atMs: number): string {
  return new Date(wallOf(atMs)).toISOString().slice(0, 10);
}

/** `2026-W48`: the ISO week, which belongs to the year of its Thursday. */
export function weekOf(atMs: number): string {
  const thursday = new Date(wallOf(atMs));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - first) / (7 * DAY_MS)) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}

const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200].map((s) => s * 1000);

/** Instants for the marks of an axis: round by the zone's clocks, at most `most` of them. */
export function ticks(fromMs: number, toMs: number, most: number): number[] {
  const rough = (toMs - fromMs) / Math.max(1, most);
  const step = STEPS_MS.find((one) => one >= rough) ?? Math.ceil(rough / DAY_MS) * DAY_MS;
  const found: number[] = [];
  for (let wall = Math.ceil(wallOf(fromMs) / step) * step; ; wall += step) {
    const at = instantOf(wall);
    if (at > toMs || found.length > 2 * most) return found;
    if (at >= fromMs && at !== found.at(-1)) found.push(at);
  }
}
