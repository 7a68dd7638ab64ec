/** What an entry of the trail says, in words. An action that the page does not know stays as it is recorded. */
import { clock, moment, setVolume, span, visible } from '../../live/formats';
import { nameOf } from '../../live/state';
import { common } from '../../words/common';
import { say, words } from '../../words/words';

const w = words({
  en: {
    'ip:block': 'Blocked {what}{for}', 'ip:unblock': 'Unblocked {what}{for}', addresses: { one: '{count} address', other: '{count} addresses' }, of: ' for {department}', forAll: ' for all', notBlocked: 'not blocked', until: 'until {time}: “{reason}”', untilLifted: 'until lifted: “{reason}”', and: { one: '{text}, and {count} more', other: '{text}, and {count} more' },
    'quota:set': 'Set the limit of {name}, {kind}', eachHost: 'each host of {name}', 'quota:extend': 'Granted {amount} more to {name}, {kind}', tookBack: 'Took {amount} back from {name}, {kind}', noLimit: 'no limit', granted: '{limit}: “{reason}”', 'quota:decline': 'Declined the request of {name}', daily: 'day', weekly: 'week', monthly: 'month',
    'config:apply': 'Tried another configuration', 'config:confirm': 'Kept the configuration', 'config:revert': 'Took the configuration back', onTrial: 'on trial, {span} left', kept: 'kept', former: 'the former', 'firewall:release': 'Took all rules out of the firewall',
    'update:start': 'Began an update', 'update:restart': 'Started the appliance again', 'update:installed': 'The update is installed', 'update:failed': 'The update has failed', 'update:confirmed': 'The new version is confirmed', 'update:returned': 'The former version is back', 'backup:create': 'Made a backup', 'backup:restore': 'Restored a backup',
    'maintenance:start': 'Started maintenance', announced: 'Announced maintenance', 'maintenance:extend': 'Extended the maintenance by {span}', 'maintenance:stop': 'Ended the maintenance', calledOff: 'Called the maintenance off', maintenance: '{from} to {to}: “{impact}”', over: 'over', button: 'Pressed the button',
    'user:add': 'Added {name}', 'user:remove': 'Removed {name}', 'user:password': 'Set the password of {name}', person: '{role} of {departments}', 'token:make': 'Made a token', 'token:revoke': 'Took a token back', tokenOf: '{name}, {role} of {departments}', login: 'Logged in', pair: 'Became administrator', refusedLogin: 'Login refused', refusedPair: 'Pairing refused',
  },
  de: {
    'ip:block': '{what} gesperrt{for}', 'ip:unblock': '{what} freigegeben{for}', addresses: { one: '{count} Adresse', other: '{count} Adressen' }, of: ' für {department}', forAll: ' für alle', notBlocked: 'nicht gesperrt', until: 'bis {time}: „{reason}“', untilLifted: 'bis zur Freigabe: „{reason}“', and: { one: '{text}, und {count} weitere', other: '{text}, und {count} weitere' },
    'quota:set': 'Grenze von {name} gesetzt, {kind}', eachHost: 'jedem Gerät von {name}', 'quota:extend': '{name} {amount} mehr gewährt, {kind}', tookBack: '{amount} von {name} zurückgenommen, {kind}', noLimit: 'keine Grenze', granted: '{limit}: „{reason}“', 'quota:decline': 'Anfrage von {name} abgelehnt', daily: 'Tag', weekly: 'Woche', monthly: 'Monat',
    'config:apply': 'Andere Konfiguration ausprobiert', 'config:confirm': 'Konfiguration behalten', 'config:revert': 'Konfiguration zurückgenommen', onTrial: 'auf Probe, noch {span}', kept: 'behalten', former: 'die vorige', 'firewall:release': 'Alle Regeln aus der Firewall genommen',
    'update:start': 'Aktualisierung begonnen', 'update:restart': 'Gerät neu gestartet', 'update:installed': 'Die Aktualisierung ist geschrieben', 'update:failed': 'Die Aktualisierung ist gescheitert', 'update:confirmed': 'Die neue Version hat sich bewährt', 'update:returned': 'Die vorige Version ist wieder da', 'backup:create': 'Sicherung angelegt', 'backup:restore': 'Sicherung zurückgespielt',
    'maintenance:start': 'Wartung begonnen', announced: 'Wartung angekündigt', 'maintenance:extend': 'Wartung um {span} verlängert', 'maintenance:stop': 'Wartung beendet', calledOff: 'Wartung abgesagt', maintenance: '{from} bis {to}: „{impact}“', over: 'vorbei', button: 'Knopf gedrückt',
    'user:add': '{name} hinzugefügt', 'user:remove': '{name} entfernt', 'user:password': 'Passwort von {name} gesetzt', person: '{role} von {departments}', 'token:make': 'Token ausgestellt', 'token:revoke': 'Token zurückgenommen', tokenOf: '{name}, {role} von {departments}', login: 'Angemeldet', pair: 'Verwalter geworden', refusedLogin: 'Anmeldung abgelehnt', refusedPair: 'Kopplung abgelehnt',
  },
});

export interface Entry {
  number: number;
  at: string;
  who: string;
  role: string;
  address: string | null;
  action: string;
  what: unknown;
  before: unknown;
  after: unknown;
  outcome: string; // `done`, or the code of the refusal
}

type Facts = Record<string, unknown>;
interface Words {
  what: string;
  before: string;
  after: string;
}

const facts = (value: unknown): Facts => (value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Facts) : {});
const list = (value: unknown): Facts[] => (Array.isArray(value) ? value.map(facts) : []);
const shown = (value: unknown) => visible(String(value ?? ''));
const departmentText = (id: unknown) => shown(nameOf(String(id ?? '')));

/** A recorded value in a line, keys as they are recorded. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(plain).join('; ');
  if (typeof value !== 'object') return shown(value);
  return Object.entries(value)
    .filter(([, one]) => one !== null && one !== '')
    .map(([key, one]) => `${key} ${typeof one === 'object' ? `(${plain(one)})` : shown(one)}`)
    .join(', ');
}

/** The first of several, and how many more there are. */
function several(all: string[]): string {
  return all.length > 1 ? say(w.and, { text: all[0]!, count: all.length - 1 }) : (all[0] ?? '');
}

function blocks(value: unknown): string {
  const all = list(value);
  if (all.length === 0) return w.notBlocked;
  return several(all.map((one) => (one.expiresAt ? say(w.until, { time: moment(String(one.expiresAt)), reason: shown(one.reason) }) : say(w.untilLifted, { reason: shown(one.reason) }))));
}

function ofBlocks({ action, what, before, after }: Entry): Words {
  const { address, addresses, departmentId } = facts(what);
  const many = Array.isArray(addresses) ? addresses : [];
  const target = address ? shown(address) : many.length === 1 ? shown(many[0]) : say(w.addresses, { count: many.length });
  const scope = departmentId ? say(w.of, { department: departmentText(departmentId) }) : w.forAll;
  return { what: say(w[action as 'ip:block'], { what: target, for: scope }), before: blocks(before), after: blocks(after) };
}

const kindText = (type: unknown) => w[type as 'daily'] ?? shown(type);
const limitText = (value: unknown) => (typeof facts(value).limit === 'number' ? setVolume(Number(facts(value).limit)) : w.noLimit);

function ofQuota({ action, what, before, after }: Entry): Words {
  const { departmentId, type, bytes, reason, host, eachHost, takeBack } = facts(what);
  const department = departmentText(departmentId);
  const name = host ? `${shown(host)} (${department})` : eachHost ? say(w.eachHost, { name: department }) : department;
  const values = { name, kind: kindText(type), amount: setVolume(Number(bytes ?? 0)) };
  const limit = limitText(after);
  return { what: say(takeBack === true ? w.tookBack : w[action as 'quota:set'], values), before: limitText(before), after: reason ? say(w.granted, { limit, reason: shown(reason) }) : limit };
}

function maintenanceText(value: unknown): string {
  const { startTime, endsAt, duration, impact } = facts(value);
  if (!startTime) return '';
  const end = endsAt ? Date.parse(String(endsAt)) : Date.parse(String(startTime)) + Number(duration) * 1000;
  return say(w.maintenance, { from: moment(String(startTime)), to: clock(end), impact: shown(impact) });
}

function ofMaintenance({ action, what, before, after }: Entry): Words {
  const isBegun = facts(action === 'maintenance:stop' ? before : after).begun !== false;
  const sentence = action === 'maintenance:start' && !isBegun ? w.announced : action === 'maintenance:stop' && !isBegun ? w.calledOff : w[action as 'maintenance:start'];
  return { what: say(sentence, { span: span(Number(facts(what).duration ?? 0)) }), before: maintenanceText(before), after: action === 'maintenance:stop' ? w.over : maintenanceText(after) };
}

function trialText(value: unknown): string {
  const { remaining } = facts(value);
  return typeof remaining === 'number' ? say(w.onTrial, { span: span(remaining) }) : '';
}

function ofConfiguration({ action, before, after }: Entry): Words {
  const end = { 'config:confirm': w.kept, 'config:revert': w.former }[action];
  return { what: w[action as 'config:apply'], before: trialText(before), after: end ?? trialText(after) };
}

function personText(value: unknown): string {
  const { role, departments } = facts(value);
  return role ? say(w.person, { role: shown(role), departments: departments === '*' ? common.forAll : shown(departments) }) : '';
}

function ofPerson({ action, what, before, after, who }: Entry): Words {
  return { what: say(w[action as 'user:add'], { name: shown(facts(what).name ?? who) }), before: personText(before), after: personText(after) };
}

function tokenText(value: unknown): string {
  const { subject, role, departments } = facts(value);
  return subject ? say(w.tokenOf, { name: shown(subject), role: shown(role), departments: departments === '*' ? common.forAll : shown(departments) }) : '';
}

function ofUpdate({ action, what, after }: Entry): Words {
  const { url, version, reason } = facts(what);
  return { what: w[action as 'update:start'], before: shown(url), after: [version ?? facts(after).version, reason].filter(Boolean).map(shown).join(': ') };
}

const only = (what: string): Words => ({ what, before: '', after: '' });
const ofToken = ({ action, before, after }: Entry): Words => ({ what: w[action as 'token:make'], before: tokenText(before), after: tokenText(after) });

const ACTIONS: Record<string, (entry: Entry) => Words> = {
  'ip:block': ofBlocks,
  'ip:unblock': ofBlocks,
  'quota:set': ofQuota,
  'quota:extend': ofQuota,
  'quota:decline': ({ after }) => only(say(w['quota:decline'], { name: `${shown(facts(after).name)} (${departmentText(facts(after).departmentId)})` })),
  'config:apply': ofConfiguration,
  'config:confirm': ofConfiguration,
  'config:revert': ofConfiguration,
  'firewall:release': () => only(w['firewall:release']),
  'maintenance:start': ofMaintenance,
  'maintenance:extend': ofMaintenance,
  'maintenance:stop': ofMaintenance,
  'update:start': ofUpdate,
  'update:restart': ofUpdate,
  'update:installed': ofUpdate,
  'update:failed': ofUpdate,
  'update:confirmed': ofUpdate,
  'update:returned': ofUpdate,
  'backup:create': () => only(w['backup:create']),
  'backup:restore': () => only(w['backup:restore']),
  'button:press': () => only(w.button),
  'user:add': ofPerson,
  'user:remove': ofPerson,
  'user:password': ofPerson,
  'token:make': ofToken,
  'token:revoke': ofToken,
  login: ({ outcome }) => only(outcome === 'done' ? w.login : w.refusedLogin),
  pair: ({ outcome }) => only(outcome === 'done' ? w.pair : w.refusedPair),
};

/** What was done, what was before and what after it. */
export function wordsOf(entry: Entry): Words {
  const known = Object.hasOwn(ACTIONS, entry.action) ? ACTIONS[entry.action] : undefined;
  if (known !== undefined) return known(entry);
  return { what: `${shown(entry.action)} ${plain(entry.what)}`.trim(), before: plain(entry.before), after: plain(entry.after) };
}
