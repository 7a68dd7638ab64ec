/** The words of one department's view. */
import { words } from '../../words/words';

export const w = words({
  en: {
    unknown: 'There is no such department here', unknownWhy: 'Either it is not configured, or your token does not cover it.', toAll: 'All departments', report: 'Report', grant: 'Grant more', devicesIn5: { one: '{count} device in 5 min', other: '{count} devices in 5 min' },
    blocksOf: '{enforced} of {wanted} blocks in force', busy: '{share} of the line', health: 'Health {value}: {reasons}.', note: '{reasons}.', well: 'All is well.', notYet: 'Nothing is known of it yet.',
    cut: 'Is cut off until {end}: {used} for {period} are used up.', slowed: 'Is slowed to {rate} until {end}: {used} for {period} are used up.', over: 'Is over its {kind} quota of {used}. Nothing is refused: here a quota only alerts.',
    daily: 'today', weekly: 'this week', monthly: 'this month', runsOut: 'Reaches its {kind} quota about {time} if the last minutes go on; {then}', thenCut: 'then it is cut off.', thenSlowed: 'then it is slowed to {rate}.', thenAlert: 'then there is an alert.',
    incidents: { one: '{count} incident is open.', other: '{count} incidents are open.' },
    quotas: 'Quotas', history: 'History', period: 'Period', bar: 'Used, forecast', used: 'Used', limit: 'Limit', anew: 'Begins anew', noLimit: 'none', barLabel: '{period}: {share} of {limit}', noQuotas: 'No quota is set here', noQuotasWhy: 'Traffic is metered all the same.',
    granted: '{period}: {limit} are {base} and {grants}.', oneGrant: '{bytes} that {by} granted at {at}{reason}', oneBack: 'less {bytes} that {by} took back at {at}{reason}', because: ', “{reason}”',
    devices: 'Devices', most: 'most traffic today', device: 'Device', address: 'Address', today: 'Today', share: 'Share', allDevices: 'All', noDevices: 'Bytes are counted for each device where each has a daily quota; none is set here.', behindRouter: 'behind a router', bytes: 'today (bytes)', mac: 'MAC address',
    unusual: 'Unusual', day: '24 h', spike: 'Usage spike, {severity}', drop: 'Far less than usual, {severity}', level: 'More for hours, {severity}', hour: 'At an unusual hour, {severity}', anomaly: 'Unusual, {severity}', confidence: 'Confidence {value}', low: 'low', medium: 'medium', high: 'high', critical: 'critical', nothingUnusual: 'Nothing unusual in the last 24 hours.',
    blocks: 'Blocks', blocksHere: '{all} here, of them {own} here only', allBlocks: 'All', endsAt: 'ends (UTC)', ends: 'ends {time}', lifted: 'until lifted', noOwn: 'None is for this department only.',
  },
  de: {
    unknown: 'Hier gibt es keine solche Abteilung', unknownWhy: 'Sie ist nicht eingerichtet, oder Ihr Token deckt sie nicht ab.', toAll: 'Alle Abteilungen', report: 'Bericht', grant: 'Mehr gewähren', devicesIn5: { one: '{count} Gerät in 5 Min.', other: '{count} Geräte in 5 Min.' },
    blocksOf: '{enforced} von {wanted} Sperren in Kraft', busy: '{share} der Leitung', health: 'Gesundheit {value}: {reasons}.', note: '{reasons}.', well: 'Alles ist in Ordnung.', notYet: 'Es ist noch nichts bekannt.',
    cut: 'Ist bis {end} abgeschaltet: {used} {period} sind verbraucht.', slowed: 'Ist bis {end} auf {rate} gedrosselt: {used} {period} sind verbraucht.', over: 'Ist über dem Kontingent von {used} {period}. Nichts wird abgelehnt: Hier meldet ein Kontingent nur.',
    daily: 'für heute', weekly: 'für diese Woche', monthly: 'für diesen Monat', runsOut: 'Erreicht das {kind} Kontingent gegen {time}, wenn es so weitergeht; {then}', thenCut: 'dann abgeschaltet.', thenSlowed: 'dann auf {rate} gedrosselt.', thenAlert: 'dann kommt eine Meldung.',
    incidents: { one: '{count} Vorfall ist offen.', other: '{count} Vorfälle sind offen.' },
    quotas: 'Kontingente', history: 'Verlauf', period: 'Zeitraum', bar: 'Verbraucht, Vorhersage', used: 'Verbraucht', limit: 'Limit', anew: 'Beginnt neu', noLimit: 'keines', barLabel: '{period}: {share} von {limit}', noQuotas: 'Hier ist kein Kontingent gesetzt', noQuotasWhy: 'Gemessen wird trotzdem.',
    granted: '{period}: {limit} sind {base} und {grants}.', oneGrant: '{bytes}, gewährt von {by} um {at}{reason}', oneBack: 'weniger {bytes}, zurückgenommen von {by} um {at}{reason}', because: ', „{reason}“',
    devices: 'Geräte', most: 'heute am meisten', device: 'Gerät', address: 'Adresse', today: 'Heute', share: 'Anteil', allDevices: 'Alle', noDevices: 'Bytes werden je Gerät gezählt, wo jedes ein Tageskontingent hat; hier ist keines gesetzt.', behindRouter: 'hinter einem Router', bytes: 'heute (Bytes)', mac: 'MAC-Adresse',
    unusual: 'Ungewöhnlich', day: '24 Std.', spike: 'Nutzungsspitze, {severity}', drop: 'Viel weniger als üblich, {severity}', level: 'Seit Stunden mehr, {severity}', hour: 'Zu ungewöhnlicher Zeit, {severity}', anomaly: 'Ungewöhnlich, {severity}', confidence: 'Zuversicht {value}', low: 'gering', medium: 'mittel', high: 'hoch', critical: 'kritisch', nothingUnusual: 'In den letzten 24 Stunden war nichts ungewöhnlich.',
    blocks: 'Sperren', blocksHere: '{all} hier, davon {own} nur hier', allBlocks: 'Alle', endsAt: 'endet (UTC)', ends: 'endet {time}', lifted: 'bis aufgehoben', noOwn: 'Keine gilt nur für diese Abteilung.',
  },
});
