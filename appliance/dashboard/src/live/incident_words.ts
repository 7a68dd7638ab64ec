/** What an incident's source does, in a sentence, from the numbers and names that the appliance tells of it. */
import { say, sayWhole, words } from '../words/words';
import type { Events } from './contract';
import { quantities, span } from './formats';

const w = words({
  en: {
    port_scan_ports: '{source} failed to connect to {count} different ports of {where} within {span}, among them {examples}',
    host_sweep_port: '{source} failed to connect to port {where} of {count} different hosts within {span}, among them {examples}',
    host_sweep_any: '{source} failed to connect to {count} different hosts within {span}, among them {examples}',
    host_sweep_neighbours: '{source} asked for {count} different neighbours that are not there within {span}, among them {examples}',
    arp_other: '{rival} claims {source}, an address that {holder} has too, {count} times in turns within {span}{also}{unasked}',
    arp_own: '{rival} claims {source}, the appliance’s own address, {count} times within {span}{also}{unasked}',
    also: ', and also {also}', unasked: ', and answers where nobody has asked',
    syn_flood_one: '{source} began {count} connections to port {port} of {target} in {span}, and completed {completed} of them; they came by {macs}',
    syn_flood_many: '{sources} addresses, many of them surely forged, began {count} connections to port {port} of {target} in {span}, and completed {completed} of them; they came by {macs}',
    udp_flood_one: '{source} sent {count} datagrams to {target} in {span}, and none was answered; they came by {macs}',
    udp_flood_many: '{sources} addresses, many of them surely forged, sent {count} datagrams to {target} in {span}, and none was answered; they came by {macs}',
    dns_tunnel: '{source} looked up {names} distinct long names of {domain} within {span}, which hold {bytes} that look like data, such as {example}',
    brute_force_one: '{source} tried to log in at port {port} ({service}) of {host} {count} times within {span}, and was turned away each time',
    brute_force_many: '{source} tried to log in at port {port} ({service}) of {hosts} hosts {count} times within {span}, and was turned away each time',
    listed_contact: '{source} tried to connect to {address}, which is on {list} as {target}, and was refused: {count} packets in the last minute',
    outbound_volume: '{source} sent {bytes} out of the department within {span}{peer}', peer: ', while it spoke with {peer}',
    rogue_dhcp: '{source} ({mac}) gives out addresses{offers}{client}', offers: ', {offers}', client: ', to {client}', unseen: 'hardware address not seen',
    rogue_router: '{source} ({mac}) advertises itself as a router{offers}', quiet: 'Quiet again after: {details}', unproven: 'anyone may have sent this in the name of the source',
  },
  de: {
    port_scan_ports: '{source} hat innerhalb von {span} vergeblich versucht, {count} verschiedene Ports von {where} zu erreichen, darunter {examples}',
    host_sweep_port: '{source} hat innerhalb von {span} vergeblich versucht, Port {where} von {count} verschiedenen Hosts zu erreichen, darunter {examples}',
    host_sweep_any: '{source} hat innerhalb von {span} vergeblich versucht, {count} verschiedene Hosts zu erreichen, darunter {examples}',
    host_sweep_neighbours: '{source} hat innerhalb von {span} nach {count} verschiedenen Nachbarn gefragt, die es nicht gibt, darunter {examples}',
    arp_other: '{rival} beansprucht {source}, eine Adresse, die auch {holder} hat, {count}-mal abwechselnd innerhalb von {span}{also}{unasked}',
    arp_own: '{rival} beansprucht {source}, die eigene Adresse dieses Geräts, {count}-mal innerhalb von {span}{also}{unasked}',
    also: ', außerdem {also}', unasked: ', und antwortet, wo niemand gefragt hat',
    syn_flood_one: '{source} hat in {span} {count} Verbindungen zu Port {port} von {target} begonnen und {completed} davon vollendet; sie kamen über {macs}',
    syn_flood_many: '{sources} Adressen, viele davon sicher gefälscht, haben in {span} {count} Verbindungen zu Port {port} von {target} begonnen und {completed} davon vollendet; sie kamen über {macs}',
    udp_flood_one: '{source} hat in {span} {count} Datagramme an {target} gesendet, keines wurde beantwortet; sie kamen über {macs}',
    udp_flood_many: '{sources} Adressen, viele davon sicher gefälscht, haben in {span} {count} Datagramme an {target} gesendet, keines wurde beantwortet; sie kamen über {macs}',
    dns_tunnel: '{source} hat innerhalb von {span} {names} verschiedene lange Namen von {domain} abgefragt; darin stehen {bytes}, die wie Daten aussehen, etwa {example}',
    brute_force_one: '{source} hat innerhalb von {span} {count}-mal versucht, sich an Port {port} ({service}) von {host} anzumelden, und wurde jedes Mal abgewiesen',
    brute_force_many: '{source} hat innerhalb von {span} {count}-mal versucht, sich an Port {port} ({service}) von {hosts} Hosts anzumelden, und wurde jedes Mal abgewiesen',
    listed_contact: '{source} hat versucht, sich mit {address} zu verbinden, das als {target} auf {list} steht, und wurde abgewiesen: {count} Pakete in der letzten Minute',
    outbound_volume: '{source} hat innerhalb von {span} {bytes} aus der Abteilung hinaus gesendet{peer}', peer: ', im Gespräch mit {peer}',
    rogue_dhcp: '{source} ({mac}) vergibt Adressen{offers}{client}', offers: ', {offers}', client: ', an {client}', unseen: 'Hardware-Adresse nicht gesehen',
    rogue_router: '{source} ({mac}) gibt sich als Router aus{offers}', quiet: 'Wieder ruhig nach: {details}', unproven: 'jeder kann das im Namen der Quelle gesendet haben',
  },
});

const TEXTS: Readonly<Record<string, string>> = {
  ...w,
  arp_spoofing_own: w.arp_own, arp_spoofing_other: w.arp_other, address_conflict_own: w.arp_own, address_conflict_other: w.arp_other,
  syn_flood_more: w.syn_flood_many, udp_flood_more: w.udp_flood_many, rogue_dhcp_known: w.rogue_dhcp, rogue_dhcp_unknown: w.rogue_dhcp, rogue_router_known: w.rogue_router, rogue_router_unknown: w.rogue_router,
};

/** Why a source is not blocked that has not proved its address. */
export const unproven = w.unproven;

type Told = Pick<Events['security:incident']['incident'], 'type' | 'source' | 'details' | 'state' | 'values'>;
const OPTIONAL = ['also', 'unasked', 'peer', 'offers', 'client'] as const;

/** The evidence in the person's language; in the appliance's words, which are English, where this page has none for it. */
export function incidentDetails({ type, source, details, state, values }: Told): string {
  const text = values && TEXTS[values.form === undefined ? type : `${type}_${values.form}`];
  if (!values) return details;
  const given = quantities(values);
  const more = Object.fromEntries(OPTIONAL.map((one) => [one, values[one] ? say(w[one], given) : '']));
  const said = sayWhole(text, {
    ...given,
    ...more,
    source,
    ...(values.seconds === undefined ? {} : { span: span(Number(values.seconds)) }),
    mac: values.mac || w.unseen,
    sources: `${given.sources}${values.form === 'more' ? '+' : ''}`,
  });
  if (said === undefined) return details;
  return state === 'closed' ? say(w.quiet, { details: said }) : said;
}
