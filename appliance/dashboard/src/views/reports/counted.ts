/** How a report's figures were counted, and what they lack, in sentences of the person's language and the appliance's zone. */
import { zone } from '../../live/clock';
import { clock, day, fixed, span, visible } from '../../live/formats';
import { say, words } from '../../words/words';
import type { Report } from './report';

const w = words({
  en: {
    bytes: 'Counted are the bytes of IP packets, in both directions, by the days of {zone}.', exempt: 'Traffic with {names} is exempt and not counted.', odd: '{day} has {hours} hours, because the clocks change.', ahead: 'The time of this report has not begun.', upTo: 'The figures go up to {at}.',
    noGap: 'There is no gap of {step} or more.', gap: 'Nothing was metered for {span}, from {from} to {to}.', gaps: 'Nothing was metered for {span} in all, in {count} gaps of {step} or more, the longest from {from} to {to}.', minute: 'a minute', '5min': 'five minutes', hour: 'an hour',
  },
  de: {
    bytes: 'Gezählt sind die Bytes der IP-Pakete, in beiden Richtungen, nach den Tagen von {zone}.', exempt: 'Verkehr mit {names} ist ausgenommen und nicht gezählt.', odd: '{day} hat {hours} Stunden, weil die Uhren umgestellt werden.', ahead: 'Die Zeit dieses Berichts hat noch nicht begonnen.', upTo: 'Die Zahlen gehen bis {at}.',
    noGap: 'Es gibt keine Lücke von {step} oder mehr.', gap: 'In {span} wurde nichts gemessen, von {from} bis {to}.', gaps: 'In zusammen {span} wurde nichts gemessen, in {count} Lücken von {step} oder mehr, die längste von {from} bis {to}.', minute: 'einer Minute', '5min': 'fünf Minuten', hour: 'einer Stunde',
  },
});
const STEPS: Readonly<Record<string, string>> = { minute: w.minute, '5min': w['5min'], hour: w.hour };

const at = (instant: string) => `${day(instant)} ${clock(instant)}`;
const hours = (value: number) => fixed(value, Number.isInteger(value) ? 0 : 1); // half an hour is changed on Lord Howe Island

function gapOf({ gaps, gapSeconds, gapStep, longestGap }: Report['counting']): string {
  const step = STEPS[gapStep] ?? gapStep;
  if (longestGap === undefined) return say(w.noGap, { step });
  const [from, to] = longestGap.map(at) as [string, string];
  return say(gaps === 1 ? w.gap : w.gaps, { span: span(gapSeconds), count: gaps, step, from, to });
}

export function countedOf({ from, to, counting }: Report): string {
  const [start, end, upTo] = [from, to, counting.upTo].map(Date.parse) as [number, number, number];
  return [
    say(w.bytes, { zone: zone.value }),
    ...(counting.exempt.length > 0 ? [say(w.exempt, { names: counting.exempt.map(visible).join(', ') })] : []),
    ...counting.oddDays.map(([one, length]) => say(w.odd, { day: day(one), hours: hours(length) })),
    upTo > start ? gapOf(counting) : w.ahead,
    ...(start < upTo && upTo < end ? [say(w.upTo, { at: at(counting.upTo) })] : []),
  ].join(' ');
}
