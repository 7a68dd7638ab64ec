/** Numbers and times as the page shows them: rates in bits (decimal), volumes in bytes (binary), times in the appliance's zone. */
import { language, say, words } from '../words/words';
import { dateOf, instantOf, wallOf } from './calendar';
import { nowMs, zone } from './clock';

const w = words({
  en: { seconds: '{n} s', minutes: '{n} min', hours: '{h} h {m} min', hoursOnly: '{h} h', days: { one: '{count} day', other: '{count} days' }, in: 'in {span}', ago: '{span} ago', now: 'now' },
  de: { seconds: '{n} s', minutes: '{n} Min.', hours: '{h} Std. {m} Min.', hoursOnly: '{h} Std.', days: { one: '{count} Tag', other: '{count} Tagen' }, in: 'in {span}', ago: 'vor {span}', now: 'jetzt' },
});

export type Quantity = [value: string, unit: string];

const digits = [0, 1, 2].map((count) => new Intl.NumberFormat(language, { minimumFractionDigits: count, maximumFractionDigits: count }));

const short = [0, 1, 2].map((count) => new Intl.NumberFormat(language, { maximumFractionDigits: count }));
const decimals = (value: number) => (value < 9.995 ? 2 : value < 99.95 ? 1 : 0);

/** Three significant digits. */
export function three(value: number): string {
  return digits[decimals(value)]!.format(value);
}

/** Three significant digits at most: a limit of `20`, without digits that say nothing. */
export function brief(value: number): string {
  return short[decimals(value)]!.format(value);
}

export function whole(value: number): string {
  return digits[0]!.format(value);
}

export function fixed(value: number, count: 0 | 1 | 2): string {
  return digits[count]!.format(value);
}

/** How often `value` is divided by `step` until it is small enough for its unit. */
function scale(value: number, step: number, units: readonly string[]): number {
  let at = 0;
  for (value = Math.abs(value); value >= step * 0.9995 && at < units.length - 1; at++) value /= step;
  return at;
}

function scaled(value: number, step: number, units: readonly string[], form = three): Quantity {
  const at = scale(value, step, units);
  return [at === 0 ? whole(Math.round(value)) : form(value / step ** at), units[at]!];
}

export const GIB = 2 ** 30;
const RATES = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'] as const;
const VOLUMES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A rate, from bytes a second. */
export function rate(bytesPerS: number): Quantity {
  return scaled(bytesPerS * 8, 1000, RATES);
}

/** A volume, from bytes. */
export function volume(bytes: number): Quantity {
  return scaled(bytes, 1024, VOLUMES);
}

export function text([value, unit]: Quantity): string {
  return `${value} ${unit}`;
}

const BYTES = ['bytes', 'own', 'usual', 'written', 'size'];
const NO_COUNTS = ['port', 'where'];

/** The numbers and names that a sentence of the appliance says, as the page shows them. */
export function quantities(values: Readonly<Record<string, string | number>>): Record<string, string> {
  const shown = ([name, value]: [string, string | number]) => [name, typeof value === 'string' || NO_COUNTS.includes(name) ? `${value}` : BYTES.includes(name) ? text(volume(value)) : whole(value)];
  return Object.fromEntries(Object.entries(values).map(shown));
}

/** A rate and a volume that somebody has set: `1 Mbit/s`, `20 GiB`. */
export const setRate = (bytesPerS: number) => text(scaled(bytesPerS * 8, 1000, RATES, brief));
export const setVolume = (bytes: number) => text(scaled(bytes, 1024, VOLUMES, brief));

/** A part of a limit, both in the unit of the limit: a small limit is no limit of 0 GiB. */
export function usedOf(used: number, limit: number): { used: string; limit: string; unit: string } {
  const at = scale(limit, 1024, VOLUMES);
  const size = 1024 ** at;
  return { used: at === 0 ? whole(used) : three(used / size), limit: brief(limit / size), unit: VOLUMES[at]! };
}

const small = new Intl.NumberFormat(language, { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });
const inGib = (bytes: number, form: (value: number) => string) => (bytes === 0 || bytes >= 0.095 * GIB ? form : small.format)(bytes / GIB);

/** A volume in a column of GiB: two decimals, and two significant digits where these would be noughts. */
export const gib = (bytes: number) => inGib(bytes, (value) => fixed(value, 2));
/** The same of a limit, which somebody has set. */
export const setGib = (bytes: number) => inGib(bytes, brief);

/** Bytes a second of 1 Mbit/s: the one unit of a column. */
export const MBIT = 125_000;

export function percent(share: number): string {
  return `${whole(Math.round(share * 100))} %`;
}

// ---- times ----

const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone.value} ${JSON.stringify(options)}`;
  let known = formats.get(key);
  if (known === undefined) formats.set(key, (known = new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { timeZone: zone.value, hourCycle: 'h23', ...options })));
  return known;
}

type When = string | number;
const ms = (at: When) => (typeof at === 'number' ? at : Date.parse(at));

/** `14:32`. */
export function clock(at: When): string {
  return new Date(wallOf(ms(at))).toISOString().slice(11, 16);
}

/** `14:32:08`. */
export function clockSeconds(at: When): string {
  return new Date(wallOf(ms(at))).toISOString().slice(11, 19);
}

/** `Fri 27 Nov`. */
export function day(at: When): string {
  return format({ weekday: 'short', day: 'numeric', month: 'short' }).format(ms(at));
}

/** `Friday 27 November 2026`. */
export function longDay(at: When): string {
  return format({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(ms(at));
}

/** `Friday`. */
export function weekday(at: When): string {
  return format({ weekday: 'long' }).format(ms(at));
}

/** The full time with its zone: what a title shows. */
export function full(at: When): string {
  return `${format({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms(at))} ${zone.value}`;
}

/** The clock time of today, else weekday and date with it. */
export function moment(at: When): string {
  return dateOf(ms(at)) === dateOf(nowMs()) ? clock(at) : `${day(at)} ${clock(at)}`;
}

/** Whether it is the next midnight, which is what people call it. */
export const isMidnight = (at: When) => clock(at) === '00:00' && ms(at) - nowMs() <= 86_400_000;

/** Relative below an hour (`in 12 min`), else the clock time, else weekday or date. */
export function soonOr(at: When): string {
  const awayMs = ms(at) - nowMs();
  if (Math.abs(awayMs) >= 3_600_000) return moment(at);
  if (Math.abs(awayMs) < 1000) return w.now;
  return say(awayMs > 0 ? w.in : w.ago, { span: span(Math.abs(awayMs) / 1000) });
}

/** `9 h 28 min`, from seconds. */
export function span(seconds: number): string {
  if (seconds < 60) return say(w.seconds, { n: Math.max(0, Math.round(seconds)) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return say(w.minutes, { n: minutes });
  if (minutes >= 48 * 60) return say(w.days, { count: Math.round(minutes / 1440) });
  const [h, m] = [Math.floor(minutes / 60), minutes % 60];
  return say(m === 0 ? w.hoursOnly : w.hours, { h, m });
}

/** `41:07`, from seconds: what counts down. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** About when: 5 minutes' rounding beyond the hour, none below. */
export function about(at: When): string {
  const step = 300_000;
  return clock(ms(at) - nowMs() > 3_600_000 ? Math.round(ms(at) / step) * step : at);
}

/** A name from the network: control and direction characters are shown as `(U+202E)`, never obeyed. */
export function visible(name: string): string {
  return name.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (one) => `(U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')})`);
}

// ---- times that a person types: of the appliance's zone ----

/** `2026-11-27T14:32`, the form of a field of date and time. */
export function fieldTime(at: When): string {
  return new Date(wallOf(ms(at))).toISOString().slice(0, 16);
}

/** The time that such a text names, in milliseconds since 1970; `NaN`: it is none. */
export function timeOfField(text: string): number {
  const wall = Date.parse(`${text}Z`);
  return Number.isNaN(wall) ? NaN : instantOf(wall);
}

/** The next time that the zone's clock shows this hour. */
export function nextHour(hour: number): number {
  const today = fieldTime(nowMs()).slice(0, 10);
  const found = timeOfField(`${today}T${String(hour % 24).padStart(2, '0')}:00`);
  return found > nowMs() ? found : timeOfField(`${fieldTime(nowMs() + 86_400_000).slice(0, 10)}T${String(hour % 24).padStart(2, '0')}:00`);
}
