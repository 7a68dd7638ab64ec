/** How a department's condition is said: in a row, and of a quota. */
import { words, say } from '../words/words';
import { nowMs } from './clock';
import type { Condition } from './condition';
import { about, clock, fixed, moment, percent, setRate } from './formats';
import type { DepartmentFacts } from './state';

const w = words({
  en: {
    cut: 'Cut off', cutSince: 'Cut off since {time}, opens {end}', slowed: 'Slowed to {rate}, until {end}', over: 'Over its quota of {period}',
    incidents: { one: '{count} incident open', other: '{count} incidents open' }, gap: '{enforced} of {wanted} blocks in force', reaches: 'Reaches its limit about {time}', reachesLater: 'Reaches its limit {time}',
    near: '{share} of {period} used', unaccounted: '{share} % not accounted', unknown: 'Not known yet', well: 'Well', daily: 'the day', weekly: 'the week', monthly: 'the month', dailyQuota: 'daily', weeklyQuota: 'weekly', monthlyQuota: 'monthly',
    port_scan: 'Port scan', outbound_volume: 'Unusual outflow', host_sweep: 'Host sweep', unusual_traffic: 'Unusual traffic', syn_flood: 'Flood of connections', udp_flood: 'Flood of datagrams', dns_tunnel: 'Data in names', brute_force: 'Passwords tried', listed_contact: 'Contact with a listed address', arp_spoofing: 'Addresses taken', address_conflict: 'Address conflict', rogue_dhcp: 'Foreign DHCP server', rogue_router: 'Foreign router',
  },
  de: {
    cut: 'Abgeschaltet', cutSince: 'Abgeschaltet seit {time}, öffnet {end}', slowed: 'Gedrosselt auf {rate}, bis {end}', over: 'Über dem Kontingent: {period}',
    incidents: { one: '{count} Vorfall offen', other: '{count} Vorfälle offen' }, gap: '{enforced} von {wanted} Sperren in Kraft', reaches: 'Erreicht die Grenze gegen {time}', reachesLater: 'Erreicht die Grenze {time}',
    near: '{share} verbraucht: {period}', unaccounted: '{share} % nicht zugeordnet', unknown: 'Noch nicht bekannt', well: 'In Ordnung', daily: 'Tag', weekly: 'Woche', monthly: 'Monat', dailyQuota: 'tägliche', weeklyQuota: 'wöchentliche', monthlyQuota: 'monatliche',
    port_scan: 'Portscan', outbound_volume: 'Ungewöhnlicher Abfluss', host_sweep: 'Hostscan', unusual_traffic: 'Ungewöhnlicher Verkehr', syn_flood: 'Flut von Verbindungen', udp_flood: 'Flut von Datagrammen', dns_tunnel: 'Daten in Namen', brute_force: 'Passwörter durchprobiert', listed_contact: 'Kontakt zu gelisteter Adresse', arp_spoofing: 'Fremde Adressen übernommen', address_conflict: 'Adresskonflikt', rogue_dhcp: 'Fremder DHCP-Server', rogue_router: 'Fremder Router',
  },
});

/** `the day`. */
export function periodOf(type: string): string {
  return type === 'daily' || type === 'weekly' || type === 'monthly' ? w[type] : type;
}

/** `daily`, as in "the daily quota". */
export function kindOf(type: string): string {
  return type === 'daily' || type === 'weekly' || type === 'monthly' ? w[`${type}Quota`] : type;
}

const KINDS = ['port_scan', 'outbound_volume', 'host_sweep', 'unusual_traffic', 'syn_flood', 'udp_flood', 'dns_tunnel', 'brute_force', 'listed_contact', 'arp_spoofing', 'address_conflict', 'rogue_dhcp', 'rogue_router'] as const;

/** `Port scan`; a kind that this page does not know yet as the server names it. */
export function incidentName(type: string): string {
  const known = KINDS.find((one) => one === type);
  if (known !== undefined) return w[known];
  return sentence(type.replaceAll('_', ' '));
}

/** The server's words as a sentence begins. */
export function sentence(found: string): string {
  return found.charAt(0).toUpperCase() + found.slice(1);
}

/** The state of a department in a few words: the cell of a row. */
export function stateWords(condition: Condition, facts: Pick<DepartmentFacts, 'throttleRate'>): string {
  switch (condition.kind) {
    case 'cut': {
      const { exceededAt, resetsAt } = condition.quota;
      return exceededAt ? say(w.cutSince, { time: moment(exceededAt), end: end(resetsAt) }) : w.cut;
    }
    case 'slowed':
      return say(w.slowed, { rate: facts.throttleRate === null ? '' : setRate(facts.throttleRate), end: end(condition.quota.resetsAt) });
    case 'over':
      return say(w.over, { period: w[condition.quota.type] });
    case 'incident':
      return say(w.incidents, { count: condition.count });
    case 'gap':
      return say(w.gap, condition);
    case 'runsOut':
      return condition.isToday ? say(w.reaches, { time: about(condition.at) }) : say(w.reachesLater, { time: moment(condition.at) });
    case 'near':
      return say(w.near, { share: percent(condition.share), period: w[condition.quota.type] });
    case 'unaccounted':
      return say(w.unaccounted, { share: fixed(condition.percent, 2) });
    case 'down':
      return sentence(condition.reason);
    case 'reason':
      return sentence(condition.text);
    default:
      return w[condition.kind];
  }
}

/** The end of a period: a clock time within a day, else the date with it. */
function end(resetsAt: string): string {
  return Date.parse(resetsAt) - nowMs() <= 86_400_000 ? clock(resetsAt) : moment(resetsAt);
}
