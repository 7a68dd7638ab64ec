/** What would be ordinary instead of an incident, and what a person can do about it. */
import { quantities, span, text, volume, whole } from '../../live/formats';
import type { Incident } from '../../live/incidents';
import { say, sayWhole, words } from '../../words/words';

const advice = words({
  en: {
    port_scan: 'Find out what runs on the source. If it is a tool of yours, mute it for this source.', host_sweep: 'Find out what looks for hosts on the source: worms do, and so do inventories.',
    flood: 'See whether the target and the line still answer. Stop the sender, at its switch port if it forges addresses.', dns_tunnel: 'Find the program on the source that looks these names up, and block the domain meanwhile.',
    brute_force: 'See whether a login was granted in the end. Let the service take keys, or fewer tries.', arp_spoofing: 'Look for the hardware address in the switch’s table, and unplug that port.', address_conflict: 'Give one of the two devices another address.',
    listed_contact: 'Find the program on the source that connects there. It was refused.', outbound_volume: 'Ask who uses the device what it sends, and where. A copy that is meant is usual after some days.',
    rogue: 'Look for its hardware address in the switch’s table, and unplug it; or name it in the configuration, if it is yours.',
  },
  de: {
    port_scan: 'Herausfinden, was auf der Quelle läuft. Ist es ein eigenes Werkzeug, für diese Quelle stummschalten.', host_sweep: 'Herausfinden, was auf der Quelle nach Hosts sucht: Das tun Würmer, aber auch Inventare.',
    flood: 'Nachsehen, ob Ziel und Leitung noch antworten. Den Sender stoppen, bei gefälschten Adressen am Switch-Port.', dns_tunnel: 'Das Programm auf der Quelle suchen, das diese Namen abfragt, und bis dahin die Domain sperren.',
    brute_force: 'Nachsehen, ob am Ende eine Anmeldung gelang. Den Dienst auf Schlüssel oder weniger Versuche stellen.', arp_spoofing: 'Die Hardware-Adresse in der Tabelle des Switches suchen und den Port trennen.', address_conflict: 'Einem der beiden Geräte eine andere Adresse geben.',
    listed_contact: 'Das Programm auf der Quelle suchen, das sich dorthin verbindet. Es wurde abgewiesen.', outbound_volume: 'Fragen, wer mit dem Gerät was wohin sendet. Eine gewollte Kopie gilt nach einigen Tagen als üblich.',
    rogue: 'Die Hardware-Adresse in der Tabelle des Switches suchen und das Gerät abziehen; oder es in der Konfiguration nennen, wenn es Ihres ist.',
  },
});
const ADVICE: Readonly<Record<string, string>> = { ...advice, syn_flood: advice.flood, udp_flood: advice.flood, rogue_dhcp: advice.rogue, rogue_router: advice.rogue };

const ordinary = words({
  en: {
    scan: 'fewer than {least} in {within}, or as many that succeed', arp: 'one device for each address', flood: 'fewer than {least}, or answers to them', dns_tunnel: 'fewer than {own} in {within}',
    brute_force: 'fewer than {least} in {within}, or logins that go on', listed_contact: 'none', outbound_volume: 'at most {own} in {span}, as in the last four weeks', others: '; nearly all of {others} other devices send at most {usual}',
    rogue_dhcp: 'only the DHCP servers that were there before', rogue_router: 'only the routers that were there before',
    new: '; on {days} it did so elsewhere, and new are {new}', more: '; on {days} it was at most {most}', same: '; on {days} it did the same', days: { one: '{count} earlier day', other: '{count} earlier days' },
  },
  de: {
    scan: 'weniger als {least} in {within}, oder ebenso viele, die gelingen', arp: 'für jede Adresse ein Gerät', flood: 'weniger als {least}, oder Antworten darauf', dns_tunnel: 'weniger als {own} in {within}',
    brute_force: 'weniger als {least} in {within}, oder Anmeldungen, die weitergehen', listed_contact: 'keiner', outbound_volume: 'höchstens {own} in {span}, wie in den letzten vier Wochen', others: '; fast alle der {others} anderen Geräte senden höchstens {usual}',
    rogue_dhcp: 'nur die DHCP-Server, die vorher da waren', rogue_router: 'nur die Router, die vorher da waren',
    new: '; an {days} tat es das anderswo, neu sind {new}', more: '; an {days} waren es höchstens {most}', same: '; an {days} tat es dasselbe', days: { one: '{count} früheren Tag', other: '{count} früheren Tagen' },
  },
});
const ORDINARY: Readonly<Record<string, string>> = {
  port_scan: ordinary.scan, host_sweep: ordinary.scan, arp_spoofing: ordinary.arp, address_conflict: ordinary.arp, syn_flood: ordinary.flood, udp_flood: ordinary.flood, dns_tunnel: ordinary.dns_tunnel,
  brute_force: ordinary.brute_force, listed_contact: ordinary.listed_contact, outbound_volume: ordinary.outbound_volume, rogue_dhcp: ordinary.rogue_dhcp, rogue_router: ordinary.rogue_router,
};
const HABITS: Readonly<Record<string, string>> = { new: ordinary.new, more: ordinary.more, same: ordinary.same };

const OF_BYTES = ['outbound_volume', 'dns_tunnel'];

/** So many as an incident of this kind counts. */
export function amountOf(type: string, count: number): string {
  return OF_BYTES.includes(type) ? text(volume(count)) : whole(count);
}

/** What to look at; in the appliance's words, which are English, where this page has none for it. */
export function adviceOf({ type, evidence }: Incident): string | undefined {
  return ADVICE[type] ?? evidence.advice;
}

/** What would be ordinary; in the appliance's words, which are English, where this page has none for it. */
export function expectedOf({ type, evidence }: Incident): string | undefined {
  const { values, expected } = evidence;
  const ordinaryText = ORDINARY[type];
  if (!values) return expected;
  const given = {
    ...quantities(type === 'dns_tunnel' ? { ...values, own: values.least! } : values),
    within: span(Number(values.within)),
    span: span(Number(values.seconds)),
    days: say(ordinary.days, { count: Number(values.days) }),
  };
  const said = sayWhole(ordinaryText, given);
  return said === undefined ? expected : said + (values.others ? say(ordinary.others, given) : '') + say(HABITS[values.habit ?? ''] ?? '', given);
}
