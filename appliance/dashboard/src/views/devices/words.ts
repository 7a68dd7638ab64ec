import { words } from '../../words/words';

export const w = words({
  en: {
    about: 'Devices that have books of their own: those with a quota for each host.', placeholder: 'Address, MAC address, department', all: 'All, {count}', over: 'Over own quota, {count}', overFilter: 'over own quota', device: 'Device', addresses: 'Addresses', today: 'Today, GiB', ofLimit: 'Of its own quota', noLimit: 'no limit', usedUp: 'used up', incident: 'incident', behindRouter: 'behind a router',
    none: 'No device has books of its own', noneText: 'Traffic is metered for each department. With a quota for each host, each device is listed here with what it used.', toSettings: 'Settings', nearest: 'Of each department the 100 devices that are nearest to their own limits.', evidence: 'See evidence', block: 'Block', grant: 'Grant more', usedOf: '{used} of {limit}', lastDay: 'Last 24 h', lastDayLabel: 'Traffic of the last 24 hours by the hour, at most {peak} Mbit/s',
  },
  de: {
    about: 'Geräte mit eigenen Büchern: die mit einem Kontingent je Gerät.', placeholder: 'Adresse, MAC-Adresse, Abteilung', all: 'Alle, {count}', over: 'Über eigenem Kontingent, {count}', overFilter: 'über eigenem Kontingent', device: 'Gerät', addresses: 'Adressen', today: 'Heute, GiB', ofLimit: 'Vom eigenen Kontingent', noLimit: 'keine Grenze', usedUp: 'verbraucht', incident: 'Vorfall', behindRouter: 'hinter einem Router',
    none: 'Kein Gerät hat eigene Bücher', noneText: 'Gemessen wird je Abteilung. Mit einem Kontingent je Gerät steht hier jedes Gerät mit seinem Verbrauch.', toSettings: 'Einstellungen', nearest: 'Von jeder Abteilung die 100 Geräte, die ihrer eigenen Grenze am nächsten sind.', evidence: 'Belege ansehen', block: 'Sperren', grant: 'Mehr gewähren', usedOf: '{used} von {limit}', lastDay: 'Letzte 24 Std.', lastDayLabel: 'Verkehr der letzten 24 Stunden je Stunde, höchstens {peak} Mbit/s',
  },
});
