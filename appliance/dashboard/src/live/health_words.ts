/** What is wrong with the appliance, or with a department's connection, in sentences from what the appliance tells of it. */
import { sayWhole, words } from '../words/words';
import type { Events } from './contract';
import { moment, quantities } from './formats';

// Of an issue, what was found, and with `Do` what a person can do. What a part of the appliance says of itself is quoted.
const issues = words({
  en: {
    clock_wrong: 'the clock says {time}, which cannot be', clock_wrongDo: 'connect a time server',
    read_only: 'the file system of the state can only be read', read_onlyDo: 'replace the medium; a backup can still be made of what is on it',
    card_worn_out: 'the medium is at the end of its life, and may take nothing from one day to the next', card_worn_outDo: 'make a backup, and replace the medium',
    undervoltage: 'the supply’s voltage has dropped below what the computer needs', undervoltageDo: 'use the supply and the cable that the maker names',
    connections: 'the kernel tracks {count} of at most {most} connections; beyond that it refuses new ones', connectionsDo: 'find who opens them, or raise net.netfilter.nf_conntrack_max',
    throttled: 'the processor is held back, because of heat or too weak a supply', throttledDo: 'give it air, or the supply that the maker names',
    card_worn_life: '{percent} % of the medium’s life is used, by its own estimate', card_worn_spare: 'most of the medium’s spare blocks is used, by its own estimate', card_wornDo: 'order another medium, and make backups',
    card_writes: '{written} a day are written to a medium of {size}, which wears it out', card_writesDo: 'look for what writes so much: iotop -ao',
    clock_alone: 'no time server keeps the clock right', clock_aloneDo: 'connect a time server (timedatectl status)',
    port_errors: '{count} of {packets} packets at {port} were damaged within an hour', port_errorsDo: 'replace the cable, then look at the switch’s port',
    port_flaps: 'the link of {port} went down {count} times within an hour', port_flapsDo: 'replace the cable, then look at the switch’s port',
    update_failed_failed: 'the update has failed: {reason}', update_failed_returned: 'the former version is back after the update: {reason}', update_failedDo: 'see the reason, and begin it again: appliance update',
    capture_loss: 'the capture missed {count} packets; sites and incidents may be missing', capture_lossDo: 'where it is not rare, watch fewer lines with it',
    update_waits: 'version {version} is installed, and waits for a restart', update_waitsDo: 'start it when nobody works: appliance update --restart',
    metering: '{cause}', meteringDo: 'make room on the medium; for hosts, make departments smaller',
    state: '{cause}', stateDo: 'see appliance doctor, and make a backup while it can be read',
    access: '{cause}', accessDo: 'see of people and tokens what the manual says under failures',
    history: '{cause}', historyDo: 'make room on the medium, or take a damaged history.sqlite3 away',
    trial: '{cause}', trialDo: 'confirm it, or wait until the former one is back',
    lists: '{cause}', listsDo: 'see appliance lists, and mend the list or the way to it',
    enforcement: '{cause}', enforcementDo: 'see appliance status, and in the log why it is not in force',
    maintenance: '{cause}', maintenanceDo: 'appliance maintenance stop has them enforced again at once',
    schedules: '{cause}', schedulesDo: 'connect a time server; see appliance schedule list',
    notifications: '{cause}', notificationsDo: 'try it with appliance notify test, and mend the receiver',
    backup: '{cause}', backupDo: 'mend the folder, or make one by hand: appliance backup create',
    panel: '{cause}', panelDo: 'look at the pins that [panel] names, and at what is connected to them',
    certificate: '{cause}', certificateDo: 'name another in [server], or none: then it makes its own',
    crash: '{cause}', crashDo: 'read its report, or send it on: appliance doctor --bundle FILE',
  },
  de: {
    clock_wrong: 'die Uhr zeigt {time}, was nicht sein kann', clock_wrongDo: 'einen Zeitserver anschließen',
    read_only: 'das Dateisystem des Zustands lässt sich nur lesen', read_onlyDo: 'das Speichermedium ersetzen; was darauf ist, lässt sich noch sichern',
    card_worn_out: 'das Speichermedium ist am Ende seines Lebens und nimmt vielleicht von heute auf morgen nichts mehr an', card_worn_outDo: 'eine Sicherung machen und das Medium ersetzen',
    undervoltage: 'die Spannung des Netzteils ist unter das gefallen, was der Computer braucht', undervoltageDo: 'Netzteil und Kabel nehmen, die der Hersteller nennt',
    connections: 'der Kernel verfolgt {count} von höchstens {most} Verbindungen; darüber lehnt er neue ab', connectionsDo: 'suchen, wer sie öffnet, oder net.netfilter.nf_conntrack_max erhöhen',
    throttled: 'der Prozessor ist gedrosselt, wegen Hitze oder eines zu schwachen Netzteils', throttledDo: 'für Luft sorgen oder das Netzteil nehmen, das der Hersteller nennt',
    card_worn_life: '{percent} % der Lebensdauer des Speichermediums sind nach eigener Schätzung verbraucht', card_worn_spare: 'die meisten Ersatzblöcke des Speichermediums sind nach eigener Schätzung verbraucht', card_wornDo: 'ein anderes bestellen und Sicherungen machen',
    card_writes: '{written} am Tag werden auf ein Medium von {size} geschrieben, was es verschleißt', card_writesDo: 'suchen, was so viel schreibt: iotop -ao',
    clock_alone: 'kein Zeitserver hält die Uhr richtig', clock_aloneDo: 'einen Zeitserver anschließen (timedatectl status)',
    port_errors: '{count} von {packets} Paketen an {port} waren innerhalb einer Stunde beschädigt', port_errorsDo: 'das Kabel ersetzen, dann den Port des Switches prüfen',
    port_flaps: 'die Verbindung von {port} war innerhalb einer Stunde {count}-mal weg', port_flapsDo: 'das Kabel ersetzen, dann den Port des Switches prüfen',
    update_failed_failed: 'die Aktualisierung ist gescheitert: {reason}', update_failed_returned: 'nach der Aktualisierung ist die vorige Version wieder da: {reason}', update_failedDo: 'den Grund ansehen und sie neu beginnen: appliance update',
    capture_loss: 'die Aufzeichnung hat {count} Pakete verpasst; Websites und Vorfälle können fehlen', capture_lossDo: 'wenn es oft vorkommt, weniger Leitungen damit beobachten',
    update_waits: 'Version {version} ist geschrieben und wartet auf einen Neustart', update_waitsDo: 'neu starten, wenn niemand arbeitet: appliance update --restart',
    metering: 'die Messung meldet: „{cause}“', meteringDo: 'Platz auf dem Medium schaffen; bei zu vielen Hosts kleinere Abteilungen bilden',
    state: 'der gespeicherte Zustand ist betroffen: „{cause}“', stateDo: 'appliance doctor ansehen und eine Sicherung machen, solange er lesbar ist',
    access: 'der Zugang ist betroffen: „{cause}“', accessDo: 'im Handbuch unter den Störungen nachlesen, was für Personen und Token gilt',
    history: 'der Verlauf ist betroffen: „{cause}“', historyDo: 'Platz auf dem Medium schaffen oder eine beschädigte history.sqlite3 wegnehmen',
    trial: 'eine Konfiguration ist auf Probe: „{cause}“', trialDo: 'sie bestätigen oder warten, bis die vorige wieder da ist',
    lists: 'eine Liste ist nicht aktuell: „{cause}“', listsDo: 'appliance lists ansehen und die Liste oder den Weg zu ihr in Ordnung bringen',
    enforcement: 'nicht alles ist durchgesetzt: „{cause}“', enforcementDo: 'appliance status ansehen, und im Log, warum es nicht in Kraft ist',
    maintenance: 'Sperren und Kontingente gelten in dieser Wartung nicht: „{cause}“', maintenanceDo: 'mit appliance maintenance stop gelten sie sofort wieder',
    schedules: 'Zeitpläne können nicht gelten: „{cause}“', schedulesDo: 'einen Zeitserver anschließen; siehe appliance schedule list',
    notifications: 'Benachrichtigungen kommen nicht an: „{cause}“', notificationsDo: 'es mit appliance notify test versuchen und den Empfänger in Ordnung bringen',
    backup: 'die Sicherung des Tages scheitert: „{cause}“', backupDo: 'den Ordner in Ordnung bringen oder von Hand sichern: appliance backup create',
    panel: 'Leuchten oder Knopf sind betroffen: „{cause}“', panelDo: 'die Pins prüfen, die [panel] nennt, und was daran angeschlossen ist',
    certificate: 'das Zertifikat ist betroffen: „{cause}“', certificateDo: 'ein anderes in [server] nennen, oder keines: Dann macht das Gerät sein eigenes',
    crash: 'der Dienst ist abgestürzt: „{cause}“', crashDo: 'den Bericht lesen oder weitergeben: appliance doctor --bundle FILE',
  },
});
// What lowers a department's health. What other parts say of themselves is quoted.
const reasons = words({
  en: {
    absent: 'the interface {interface} does not exist', down: 'the link of {interface} is down; check its cable', setup: '{text}', position: 'this position cannot enforce; blocks to be done elsewhere: {count}',
    blocks: '{enforced} of {count} blocks enforced', quota: 'used up: {quotas}', incidents: 'open incidents: {count}', troubles: '{text}', strangers: '{text}',
    frames: 'the capture missed {count} packets; sites and incidents may be missing', busy: 'the line is {percent} % full', open: 'in this maintenance blocks and quotas are not enforced', notes: '{text}', daily: 'daily quota', weekly: 'weekly quota', monthly: 'monthly quota',
  },
  de: {
    absent: 'den Anschluss {interface} gibt es nicht', down: 'die Verbindung an {interface} ist getrennt; das Kabel prüfen', setup: 'die Konfiguration passt nicht zum Netz: „{text}“', position: 'an dieser Stelle kann nichts gesperrt werden; anderswo zu sperren: {count}',
    blocks: '{enforced} von {count} Sperren in Kraft', quota: 'verbraucht: {quotas}', incidents: 'offene Vorfälle: {count}', troubles: 'das Gerät selbst braucht Aufmerksamkeit: „{text}“', strangers: 'fremder Verkehr am Anschluss: „{text}“',
    frames: 'die Aufzeichnung hat {count} Pakete verpasst; Websites und Vorfälle können fehlen', busy: 'die Leitung ist zu {percent} % voll', open: 'in dieser Wartung gelten Sperren und Kontingente nicht', notes: 'zu wissen: „{text}“', daily: 'Tageskontingent', weekly: 'Wochenkontingent', monthly: 'Monatskontingent',
  },
});

type Issue = NonNullable<Events['system:health']['status']['issues']>[number];
type Status = Events['department:status']['status'];
const ISSUES: Readonly<Record<string, string>> = issues;
const REASONS: Readonly<Record<string, string>> = reasons;

/** Cause and remedy in the person's language; in the appliance's words, which are English, where this page has none for them. */
export function issueWords({ id, cause, suggestion, values = {} }: Pick<Issue, 'id' | 'cause' | 'suggestion' | 'values'>): { cause: string; suggestion: string } {
  const text = ISSUES[values.form === undefined ? id : `${id}_${values.form}`];
  const time: Record<string, string> = typeof values.time === 'string' ? { time: moment(values.time) } : {};
  return { cause: sayWhole(text, { ...quantities(values), ...time, cause }) ?? cause, suggestion: ISSUES[`${id}Do`] ?? suggestion };
}

/** Why a department's health is below 1, or what should be known of it. `points`: what the score is lower by. */
export interface Reason {
  text: string;
  kind: string; // empty: not told
  points: number;
}

/** The reasons of a status in the person's language. */
export function reasonsOf({ reasons: told = [], losses = [], kinds = [] }: Status): Reason[] {
  return told.map((one, at) => {
    const kind: string = kinds[at]?.kind ?? '';
    const values = kinds[at]?.values ?? {};
    const quotas = String(values.quotas ?? '').split(' ').map((name) => REASONS[name] ?? name).join(', ');
    return { text: sayWhole(REASONS[kind], { ...quantities(values), quotas }) ?? one, kind, points: losses.find(({ reason }) => reason === one)?.points ?? 0 };
  });
}
