/** What is unusual about a rate, in a sentence, from the figures that the appliance tells of it. */
import { say, words } from '../words/words';
import type { Events } from './contract';
import { moment, rate, text, visible, weekday } from './formats';

const w = words({
  en: {
    up: '{rate} up since {time}', down: '{rate} down since {time}', usual: '{what}, where {low} to {high} is usual on a {weekday} at this hour{days}{top}; {advice}',
    minutes: '{rate} down and up since {time}, where {low} was usual in the minutes before; look for who fetches or sends so much',
    days: { one: ', by the last day', other: ', by the last {count} days' }, top: ', most of it by {host}', topRate: ', most of it by {host} ({rate})',
    usage_spike_up: 'see what is sent', usage_spike_down: 'see what is fetched', usage_drop: 'look at the cable, the switch and the uplink', usage_level: 'see what has been new since then',
    unusual_hour_up: 'see whether anybody is meant to work now, and what is sent', unusual_hour_down: 'see whether anybody is meant to work now, and what is fetched',
  },
  de: {
    up: '{rate} gesendet seit {time}', down: '{rate} empfangen seit {time}', usual: '{what}; üblich sind {low} bis {high} am {weekday} um diese Zeit{days}{top}; {advice}',
    minutes: '{rate} in beiden Richtungen seit {time}; üblich waren in den Minuten davor {low}; nachsehen, wer so viel lädt oder sendet',
    days: { one: ', nach dem letzten Tag', other: ', nach den letzten {count} Tagen' }, top: ', das meiste durch {host}', topRate: ', das meiste durch {host} ({rate})',
    usage_spike_up: 'nachsehen, was gesendet wird', usage_spike_down: 'nachsehen, was geladen wird', usage_drop: 'Kabel, Switch und Leitung nach draußen prüfen', usage_level: 'nachsehen, was seitdem neu ist',
    unusual_hour_up: 'nachsehen, ob jetzt jemand arbeiten soll und was gesendet wird', unusual_hour_down: 'nachsehen, ob jetzt jemand arbeiten soll und was geladen wird',
  },
});

type Told = Pick<Events['analytics:anomaly'], 'timestamp' | 'anomaly'>;

/** The sentence in the person's language; in the appliance's words, which are English, where this page has none for it. */
export function anomalyDetails({ timestamp, anomaly }: Told): string {
  const { type, direction, expected, since, top, topRate, days } = anomaly;
  if (!direction && expected && since && anomaly.rate !== undefined) {
    return say(w.minutes, { rate: text(rate(anomaly.rate)), time: moment(since), low: text(rate(expected.low)) });
  }
  const advices: Record<string, string | object> = w;
  const advice = advices[type] ?? advices[`${type}_${direction}`];
  if (typeof advice !== 'string' || !direction || !expected || !since || anomaly.rate === undefined) return visible(anomaly.details);
  const host = visible(top ?? '');
  return say(w.usual, {
    what: say(w[direction], { rate: text(rate(anomaly.rate)), time: moment(since) }),
    low: text(rate(expected.low)),
    high: text(rate(expected.high)),
    weekday: weekday(timestamp),
    days: days === undefined ? '' : say(w.days, { count: days }),
    top: !host ? '' : topRate === undefined ? say(w.top, { host }) : say(w.topRate, { host, rate: text(rate(topRate)) }),
    advice,
  });
}
