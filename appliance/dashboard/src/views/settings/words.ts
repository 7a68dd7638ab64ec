import { words } from '../../words/words';

export const w = words({
  en: {
    section: 'Section', configuration: 'Configuration', browser: 'This browser', sameFile: 'The same file as on the appliance. Comments stay.', forbidden: 'The configuration is changed by administrators.',
    differ: { one: '{count} line differs from what runs', other: '{count} lines differ from what runs' }, asForm: 'As a form', asFile: 'As a file', text: 'Text of the configuration', checking: 'Checked as you type.', noFault: 'No fault.',
    faults: { one: '{count} fault', other: '{count} faults' }, line: 'Line {line}: {text}', willChange: 'What will change', nothing: 'Nothing differs from what runs.', differing: 'Differing lines',
    consequence: 'It runs on trial for 2 minutes. If nobody confirms it, the former comes back, also after a power cut. Metering pauses for about 2 s; blocks stay.', tryIt: 'Try it', discard: 'Discard', tried: 'On trial for 2 minutes. Confirm it in the line above.',
    inFile: 'Several values: change it in the file.', sectionTop: 'At the top',
    onTrial: 'A configuration is on trial now. Keep it or take it back before another is tried.',
    theme: 'Colours', system: 'As the system has them', light: 'Light', dark: 'Dark', language: 'Language', keys: 'Single keys', keysHelp: 'Such as “/” for search and “g d” for departments. Off in fields anyway.', on: 'on', off: 'off',
    thisBrowser: 'Kept in this browser alone.', logOut: 'Log out', loggedInAs: 'Logged in as {name}.',
    notifications: 'Notifications', channels: 'Channels', channelsNote: 'tell people who are not connected', channelsHow: 'The configuration names the channels, and by rules who is told of what and when.',
    noChannel: 'Nobody is told who is not connected', noChannelWhy: 'A channel is a way to people: mail, a chat, a collector of logs, Home Assistant. The configuration names each, and rules say what goes there.', toConfiguration: 'Open the configuration',
    channel: 'Channel', target: 'Leads to', kinds: { mail: 'Mail', webhook: 'Webhook', syslog: 'Syslog', mqtt: 'MQTT' }, delivered: 'Delivered last', never: 'never', state: 'State', works: 'delivers', untried: 'not tried yet', waiting: 'Waiting', givenUp: 'Given up',
    test: 'Test', testName: 'Test the channel {channel}', taken: 'The receiver of {channel} has taken the message.', notTaken: 'The channel {channel} delivers nothing: {fault}', told: 'The record', toldNote: 'whether a rule sends it anywhere or not', nothingTold: 'Nothing yet.', at: 'When', severity: 'Severity', of: 'Of', appliance: 'the appliance', sentence: 'What',
  },
  de: {
    section: 'Abschnitt', configuration: 'Konfiguration', browser: 'Dieser Browser', sameFile: 'Dieselbe Datei wie auf dem Gerät. Kommentare bleiben.', forbidden: 'Die Konfiguration ändern Verwalter.',
    differ: { one: '{count} Zeile weicht vom Laufenden ab', other: '{count} Zeilen weichen vom Laufenden ab' }, asForm: 'Als Formular', asFile: 'Als Datei', text: 'Text der Konfiguration', checking: 'Wird beim Tippen geprüft.', noFault: 'Kein Fehler.',
    faults: { one: '{count} Fehler', other: '{count} Fehler' }, line: 'Zeile {line}: {text}', willChange: 'Was sich ändert', nothing: 'Nichts weicht vom Laufenden ab.', differing: 'Abweichende Zeilen',
    consequence: 'Sie läuft 2 Minuten auf Probe. Bestätigt sie niemand, kommt die vorige zurück, auch nach einem Stromausfall. Die Messung pausiert etwa 2 s; Sperren bleiben.', tryIt: 'Ausprobieren', discard: 'Verwerfen', tried: '2 Minuten auf Probe. Bestätigt wird in der Zeile oben.',
    inFile: 'Mehrere Werte: in der Datei ändern.', sectionTop: 'Am Anfang',
    onTrial: 'Gerade ist eine Konfiguration auf Probe. Erst behalten oder zurücknehmen, dann eine andere ausprobieren.',
    theme: 'Farben', system: 'Wie das System', light: 'Hell', dark: 'Dunkel', language: 'Sprache', keys: 'Einzelne Tasten', keysHelp: 'Etwa „/“ für die Suche und „g d“ für Abteilungen. In Feldern immer aus.', on: 'an', off: 'aus',
    thisBrowser: 'Bleibt nur in diesem Browser.', logOut: 'Abmelden', loggedInAs: 'Angemeldet als {name}.',
    notifications: 'Benachrichtigungen', channels: 'Kanäle', channelsNote: 'benachrichtigen, wer nicht verbunden ist', channelsHow: 'Die Konfiguration nennt die Kanäle und legt mit Regeln fest, wer wann wovon erfährt.',
    noChannel: 'Wer nicht verbunden ist, erfährt nichts', noChannelWhy: 'Ein Kanal führt zu Menschen: per Mail, in einen Chat, in ein Protokoll oder zu Home Assistant. Die Konfiguration nennt jeden; Regeln sagen, was dorthin geht.', toConfiguration: 'Konfiguration öffnen',
    channel: 'Kanal', target: 'Führt zu', kinds: { mail: 'Mail', webhook: 'Webhook', syslog: 'Syslog', mqtt: 'MQTT' }, delivered: 'Zuletzt zugestellt', never: 'nie', state: 'Zustand', works: 'stellt zu', untried: 'noch nicht versucht', waiting: 'Wartend', givenUp: 'Aufgegeben',
    test: 'Testen', testName: 'Kanal {channel} testen', taken: 'Der Empfänger von {channel} hat die Nachricht angenommen.', notTaken: 'Der Kanal {channel} stellt nichts zu: {fault}', told: 'Verzeichnis', toldNote: 'ob eine Regel es verschickt oder nicht', nothingTold: 'Noch nichts.', at: 'Wann', severity: 'Schwere', of: 'Von', appliance: 'das Gerät', sentence: 'Was',
  },
});
