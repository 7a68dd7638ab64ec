/** The words of the reports. */
import { words } from '../../words/words';

export const w = words({
  en: {
    span: 'Span', day: 'Day', week: 'Week', month: 'Month', earlier: 'Earlier', later: 'Later', print: 'Print or PDF', start: 'start (UTC)', downBytes: 'down (bytes)', upBytes: 'up (bytes)', kind: 'Network report', title: '{name}, {span}', to: 'to',
    fromTo: '{from} to {to}', made: '{days} in {zone}. Made {at} by {by}.', notOver: 'The span is not over yet.', ofLimit: '{used} of {limit}', used: '{name} used {amount}, {compared}.', usedSoFar: '{name} has used {amount} so far, {compared}.',
    moreThan: '{share} more than in the span before', lessThan: '{share} less than in the span before', same: 'as much as in the span before', noneBefore: 'with nothing before it to compare', over: 'It was over its daily quota on {days}.', days: { one: '{count} day', other: '{count} days' }, neverOver: 'It was never over its daily quota.',
    noIncident: 'There was no incident.', incidents: 'There were {incidents}, {grave}.', incidentCount: { one: '{count} incident', other: '{count} incidents' }, noneGrave: 'none of them grave', grave: { one: '{count} of them grave', other: '{count} of them grave' },
    eachDay: 'Each day, GiB', eachHour: 'Each hour, GiB', unmetered: 'not metered', nothing: 'Nothing was metered in this span.', barsLabel: 'Between {low} and {high}', limitLine: 'limit {limit}', periods: 'Quotas', period: 'Period', usedGib: 'Used, GiB', limitGib: 'Limit, GiB', usedUp: 'Used up', never: 'never', withGrant: 'with {bytes} granted',
    incidentsTitle: 'Incidents', when: 'When', what: 'What', source: 'Source', outcome: 'Outcome', ended: 'ended', open: 'still open', low: 'low', medium: 'medium', high: 'high', critical: 'critical', listed: 'The latest whole day, week and month of each department. Earlier ones are a step away in each report.', unknown: 'There is no such department here',
  },
  de: {
    span: 'Zeitraum', day: 'Tag', week: 'Woche', month: 'Monat', earlier: 'Früher', later: 'Später', print: 'Drucken oder PDF', start: 'Beginn (UTC)', downBytes: 'ab (Bytes)', upBytes: 'auf (Bytes)', kind: 'Netzbericht', title: '{name}, {span}', to: 'bis',
    fromTo: '{from} bis {to}', made: '{days} in {zone}. Erstellt {at} von {by}.', notOver: 'Der Zeitraum ist noch nicht zu Ende.', ofLimit: '{used} von {limit}', used: '{name} hat {amount} verbraucht, {compared}.', usedSoFar: '{name} hat bisher {amount} verbraucht, {compared}.',
    moreThan: '{share} mehr als im Zeitraum davor', lessThan: '{share} weniger als im Zeitraum davor', same: 'so viel wie im Zeitraum davor', noneBefore: 'ohne früheren Vergleich', over: 'Über dem Tageskontingent war sie an {days}.', days: { one: '{count} Tag', other: '{count} Tagen' }, neverOver: 'Das Tageskontingent wurde nie überschritten.',
    noIncident: 'Es gab keinen Vorfall.', incidents: 'Es gab {incidents}, {grave}.', incidentCount: { one: '{count} Vorfall', other: '{count} Vorfälle' }, noneGrave: 'keiner davon schwer', grave: { one: '{count} davon schwer', other: '{count} davon schwer' },
    eachDay: 'Je Tag, GiB', eachHour: 'Je Stunde, GiB', unmetered: 'nicht gemessen', nothing: 'In diesem Zeitraum wurde nichts gemessen.', barsLabel: 'Zwischen {low} und {high}', limitLine: 'Limit {limit}', periods: 'Kontingente', period: 'Zeitraum', usedGib: 'Verbraucht, GiB', limitGib: 'Limit, GiB', usedUp: 'Aufgebraucht', never: 'nie', withGrant: 'mit {bytes} gewährt',
    incidentsTitle: 'Vorfälle', when: 'Wann', what: 'Was', source: 'Quelle', outcome: 'Ausgang', ended: 'beendet', open: 'noch offen', low: 'gering', medium: 'mittel', high: 'hoch', critical: 'kritisch', listed: 'Der letzte ganze Tag, die letzte Woche und der letzte Monat jeder Abteilung. Frühere sind in jedem Bericht einen Schritt entfernt.', unknown: 'Hier gibt es keine solche Abteilung',
  },
});
