/** The span of a report: a day, an ISO week or a month, as its address writes it. */
import { dateOf, weekOf } from '../../live/calendar';
import { language } from '../../words/words';

export type Kind = 'day' | 'week' | 'month';
export const KINDS: readonly Kind[] = ['day', 'week', 'month'];
const DAY_MS = 86_400_000;

export function kindOfSpan(span: string): Kind | null {
  if (/^\d{4}-\d{2}-\d{2}$/.test(span)) return 'day';
  if (/^\d{4}-W\d{2}$/.test(span)) return 'week';
  return /^\d{4}-\d{2}$/.test(span) ? 'month' : null;
}

/** The span of this kind with the instant in it. */
export function spanAt(kind: Kind, atMs: number): string {
  if (kind === 'week') return weekOf(atMs);
  return dateOf(atMs).slice(0, kind === 'day' ? 10 : 7);
}

/** The first local date of a span, as a UTC date. */
function firstOf(span: string): Date {
  const week = /^(\d{4})-W(\d{2})$/.exec(span);
  if (week === null) return new Date(`${span.length === 7 ? `${span}-01` : span}T00:00:00Z`);
  const fourth = new Date(Date.UTC(Number(week[1]), 0, 4)); // is in the first week
  const monday = fourth.getTime() - ((fourth.getUTCDay() || 7) - 1) * DAY_MS;
  return new Date(monday + (Number(week[2]) - 1) * 7 * DAY_MS);
}

/** The span `by` of its kind later. */
export function shifted(span: string, by: number): string {
  const kind = kindOfSpan(span) ?? 'day';
  const first = firstOf(span);
  if (kind === 'month') return new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + by, 1)).toISOString().slice(0, 7);
  const at = new Date(first.getTime() + by * DAY_MS * (kind === 'week' ? 7 : 1));
  return kind === 'day' ? at.toISOString().slice(0, 10) : weekOfDate(at);
}

/** The same instant seen as another kind of span: its beginning decides. */
export function changed(span: string, kind: Kind): string {
  const first = firstOf(span);
  if (kind === 'day') return first.toISOString().slice(0, 10);
  return kind === 'month' ? first.toISOString().slice(0, 7) : weekOfDate(first);
}

function weekOfDate(date: Date): string {
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * DAY_MS);
  const week = Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / (7 * DAY_MS)) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}

const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { timeZone: 'UTC', ...options });

/** `October 2026`, `24 November to 30 November 2026`, `27 November 2026`. */
export function spanText(span: string, to: string): string {
  const first = firstOf(span);
  if (kindOfSpan(span) === 'month') return format({ month: 'long', year: 'numeric' }).format(first);
  const whole = format({ day: 'numeric', month: 'long', year: 'numeric' });
  if (kindOfSpan(span) === 'day') return whole.format(first);
  return `${format({ day: 'numeric', month: 'long' }).format(first)} ${to} ${whole.format(first.getTime() + 6 * DAY_MS)}`;
}
