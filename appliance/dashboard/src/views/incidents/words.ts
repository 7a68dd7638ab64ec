import { words } from '../../words/words';

export const w = words({
  en: {
    severity: 'Severity', what: 'What', source: 'Source', department: 'Department', began: 'Began', ended: 'Ended', open: 'Open', earlier: 'Earlier', openCount: 'Open, {count}', all: 'All, {count}', since: 'Since the appliance started; the latest 500 alerts are kept.',
    stillOn: 'since {span}, still going on', after: 'after {span}', proven: 'The source has proved its address.', notProven: 'The source has not proved its address: anyone may have sent this in its name.',
    none: 'No incident, ever', noneText: 'Port scans and sweeps of hosts would be listed here. The detector looks since {time}.', noneOpen: 'No incident is open',
    block: 'Block', blockSource: 'Block {source}', course: 'Course', opened: 'Opened as {severity}', grew: 'Now {severity}', closed: 'Closed: quiet again', unknown: 'This incident is not known here', unknownText: 'Incidents are kept since the start of the appliance. It may be older.', toList: 'All incidents',
    sinceLong: '{department}, {source} since {time}, for {span}, still going on', was: '{department}, {source} from {time}, for {span}', canDo: 'What you can do', blockHelp: 'It reaches nothing outside {department} any more. Its connections end now.', notBlocked: 'It was not blocked by itself: {why}', 
    by: '{what} by {source}', facts: 'Source', address: 'Address', alsoOpen: 'Else open', nothing: 'nothing',
  },
  de: {
    severity: 'Schwere', what: 'Was', source: 'Quelle', department: 'Abteilung', began: 'Beginn', ended: 'Ende', open: 'Offen', earlier: 'Früher', openCount: 'Offen, {count}', all: 'Alle, {count}', since: 'Seit dem Start des Geräts; die letzten 500 Meldungen bleiben.',
    stillOn: 'seit {span}, dauert an', after: 'nach {span}', proven: 'Die Quelle hat ihre Adresse bewiesen.', notProven: 'Die Quelle hat ihre Adresse nicht bewiesen: Jeder kann das in ihrem Namen gesendet haben.',
    none: 'Noch nie ein Vorfall', noneText: 'Hier stünden Portscans und Hostscans. Beobachtet wird seit {time}.', noneOpen: 'Kein Vorfall ist offen',
    block: 'Sperren', blockSource: '{source} sperren', course: 'Verlauf', opened: 'Begann als {severity}', grew: 'Jetzt {severity}', closed: 'Beendet: wieder ruhig', unknown: 'Dieser Vorfall ist hier nicht bekannt', unknownText: 'Vorfälle bleiben seit dem Start des Geräts. Er kann älter sein.', toList: 'Alle Vorfälle',
    sinceLong: '{department}, {source} seit {time}, {span} lang, dauert an', was: '{department}, {source} ab {time}, {span} lang', canDo: 'Was zu tun ist', blockHelp: 'Es erreicht außerhalb von {department} nichts mehr. Seine Verbindungen enden jetzt.', notBlocked: 'Nicht von selbst gesperrt: {why}', 
    by: '{what} durch {source}', facts: 'Quelle', address: 'Adresse', alsoOpen: 'Sonst offen', nothing: 'nichts',
  },
});
