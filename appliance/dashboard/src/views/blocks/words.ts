import { words } from '../../words/words';

export const w = words({
  en: {
    block: 'Block', allInForce: { one: 'The one that is wanted is in force.', other: 'All {all} that are wanted are in force.' }, none: 'Nothing is blocked.', gap: '{enforced} of {wanted} blocks are in force. The appliance puts the others back.', mirror: 'This position sees everything and can block nothing. Fetch the list for your firewall.', refusedPackets: '{count} packets refused in the last hour.',
    placeholder: 'Address, name, reason', all: 'All, {count}', manual: 'By hand, {count}', detection: 'From incidents, {count}', list: 'List: {name}, {count}', expiring: 'End within the hour', expiringCount: 'End within the hour, {count}',
    what: 'What', for: 'For', reason: 'Reason', from: 'From', ends: 'Ends', refused: 'Refused, 1 h', unblock: 'Unblock', unblockName: 'Unblock {address}', untilLifted: 'until lifted', whileListed: 'while listed', notEnforced: 'not in force', byIncident: 'an incident', byList: 'list: {name}',
    mac: 'MAC address', prefix: 'prefix', name: 'name, and all below it', address: 'address', resolves: { one: '{count} address', other: '{count} addresses' },
    empty: 'Nothing is blocked', emptyText: 'Who blocks an address, a prefix, a MAC address or a name finds it here.', keys: '{n} new, {x} chooses, {u} unblocks', unblockChosen: 'Unblock {count} chosen', unblockedAll: { one: '{count} block was lifted.', other: '{count} blocks were lifted.' }, newer: 'Previous page', older: 'Next page',
    target: 'Address, prefix, MAC address or name', targetHelp: 'A prefix such as 10.1.0.0/16 and a name such as example.com serve too.', device: '{device}.', until: 'Until', tenMin: '10 min', hour: '1 hour', sixToday: '18:00 today', sixTomorrow: '18:00 tomorrow', lifted: 'Until lifted', choose: 'Choose', reasonNote: 'the person who is blocked may read it', 
    consequence: 'Blocks {what} for {department} {until}. It reaches nothing outside{connections}.', connections: { one: '; {count} open connection ends now', other: '; {count} open connections end now' }, untilTime: 'until {time}, {span}', forGood: 'until it is lifted', everybody: 'all departments',
    act: 'Block until {time}', actGood: 'Block until lifted', blocked: 'Blocked {address} {until}.', unblocked: 'Unblocked {address}.', defaultReason: 'blocked by hand', 
  },
  de: {
    block: 'Sperren', allInForce: { one: 'Die eine gewünschte ist wirksam.', other: 'Alle {all} gewünschten sind wirksam.' }, none: 'Nichts ist gesperrt.', gap: '{enforced} von {wanted} Sperren sind wirksam. Das Gerät setzt die anderen wieder ein.', mirror: 'Diese Position sieht alles und kann nichts sperren. Die Liste gibt es für Ihre Firewall.', refusedPackets: '{count} Pakete in der letzten Stunde abgelehnt.',
    placeholder: 'Adresse, Name, Grund', all: 'Alle, {count}', manual: 'Von Hand, {count}', detection: 'Aus Vorfällen, {count}', list: 'Liste: {name}, {count}', expiring: 'Enden binnen einer Stunde', expiringCount: 'Enden binnen einer Stunde, {count}',
    what: 'Was', for: 'Für', reason: 'Grund', from: 'Von', ends: 'Endet', refused: 'Abgelehnt, 1 Std.', unblock: 'Freigeben', unblockName: '{address} freigeben', untilLifted: 'bis zur Freigabe', whileListed: 'solange gelistet', notEnforced: 'nicht wirksam', byIncident: 'ein Vorfall', byList: 'Liste: {name}',
    mac: 'MAC-Adresse', prefix: 'Präfix', name: 'Name und alles darunter', address: 'Adresse', resolves: { one: '{count} Adresse', other: '{count} Adressen' },
    empty: 'Nichts ist gesperrt', emptyText: 'Gesperrte Adressen, Präfixe, MAC-Adressen und Namen stehen hier.', keys: '{n} neu, {x} wählt, {u} gibt frei', unblockChosen: '{count} gewählte freigeben', unblockedAll: { one: '{count} Sperre ist aufgehoben.', other: '{count} Sperren sind aufgehoben.' }, newer: 'Vorige Seite', older: 'Nächste Seite',
    target: 'Adresse, Präfix, MAC-Adresse oder Name', targetHelp: 'Auch ein Präfix wie 10.1.0.0/16 und ein Name wie example.com.', device: '{device}.', until: 'Bis', tenMin: '10 Min.', hour: '1 Stunde', sixToday: 'heute 18:00', sixTomorrow: 'morgen 18:00', lifted: 'Bis zur Freigabe', choose: 'Wählen', reasonNote: 'wer gesperrt ist, liest ihn vielleicht', 
    consequence: 'Sperrt {what} für {department} {until}. Draußen ist nichts mehr erreichbar{connections}.', connections: { one: '; {count} offene Verbindung endet jetzt', other: '; {count} offene Verbindungen enden jetzt' }, untilTime: 'bis {time}, {span}', forGood: 'bis zur Freigabe', everybody: 'alle Abteilungen',
    act: 'Bis {time} sperren', actGood: 'Bis zur Freigabe sperren', blocked: '{address} ist gesperrt, {until}.', unblocked: '{address} ist freigegeben.', defaultReason: 'von Hand gesperrt', 
  },
});
