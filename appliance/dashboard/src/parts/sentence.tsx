/** The sentence over everything: how it is, in words. Also of the kiosk. */
import { Fragment, type ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { clockSeconds, moment } from '../live/formats';
import { clauses, unknownCount, wellSince, type Clause } from '../live/needs';
import { dataFrom, freshness } from '../live/state';
import { say, words } from '../words/words';

const w = words({
  en: {
    down: { one: '{count} department has no connection', other: '{count} departments have no connection' },
    cut: { one: '{count} department is cut off', other: '{count} departments are cut off' },
    slowed: { one: '{count} department is slowed', other: '{count} departments are slowed' },
    over: { one: '{count} department is over its quota', other: '{count} departments are over their quota' },
    incident: { one: '{count} incident is open', other: '{count} incidents are open' },
    gap: { one: 'blocks are missing in {count} department', other: 'blocks are missing in {count} departments' },
    position: { one: 'blocks cannot be enforced here', other: '' },
    runsOut: { one: '{count} quota runs out today', other: '{count} quotas run out today' },
    unaccounted: { one: 'bytes are not accounted in {count} department', other: 'bytes are not accounted in {count} departments' },
    request: { one: '{count} person asks for more', other: '{count} people ask for more' },
    reason: { one: '{count} department needs a look', other: '{count} departments need a look' },
    appliance: { one: 'the appliance has {count} trouble', other: 'the appliance has {count} troubles' },
    and: ' and ', lastAnd: ', and ', else: 'Everything else is well.', well: 'All is well.', asOf: 'As of {time}: ', since: 'Since {time}.', unknown: { one: 'Nothing is known yet of {count} department.', other: 'Nothing is known yet of {count} departments.' },
  },
  de: {
    down: { one: '{count} Abteilung hat keine Verbindung', other: '{count} Abteilungen haben keine Verbindung' },
    cut: { one: '{count} Abteilung ist abgeschaltet', other: '{count} Abteilungen sind abgeschaltet' },
    slowed: { one: '{count} Abteilung ist gedrosselt', other: '{count} Abteilungen sind gedrosselt' },
    over: { one: '{count} Abteilung ist über ihrem Kontingent', other: '{count} Abteilungen sind über ihrem Kontingent' },
    incident: { one: '{count} Vorfall ist offen', other: '{count} Vorfälle sind offen' },
    gap: { one: 'in {count} Abteilung fehlen Sperren', other: 'in {count} Abteilungen fehlen Sperren' },
    position: { one: 'Sperren sind hier nicht durchsetzbar', other: '' },
    runsOut: { one: '{count} Kontingent geht heute zu Ende', other: '{count} Kontingente gehen heute zu Ende' },
    unaccounted: { one: 'in {count} Abteilung sind Bytes nicht zugeordnet', other: 'in {count} Abteilungen sind Bytes nicht zugeordnet' },
    request: { one: '{count} Person bittet um mehr', other: '{count} Personen bitten um mehr' },
    reason: { one: '{count} Abteilung braucht einen Blick', other: '{count} Abteilungen brauchen einen Blick' },
    appliance: { one: 'am Gerät ist {count} Störung', other: 'am Gerät sind {count} Störungen' },
    and: ' und ', lastAnd: ' und ', else: 'Alles andere ist in Ordnung.', well: 'Alles ist in Ordnung.', asOf: 'Stand {time}: ', since: 'Seit {time}.', unknown: { one: 'Von {count} Abteilung ist noch nichts bekannt.', other: 'Von {count} Abteilungen ist noch nichts bekannt.' },
  },
});

const LINKS: Record<Clause['kind'], (clause: Clause) => string> = {
  down: ofDepartment, cut: ofDepartment, slowed: ofDepartment, over: ofDepartment, reason: ofDepartment, unaccounted: ofDepartment,
  incident: () => '/incidents', gap: () => '/blocks', position: () => '/blocks', runsOut: () => '/quotas', request: () => '/quotas', appliance: () => '/appliance',
};

function ofDepartment({ departments }: Clause): string {
  return departments.length === 1 ? `/departments/${encodeURIComponent(departments[0]!.id)}` : '/departments?sort=state';
}

export function clauseText({ kind, count }: Clause): string {
  return say(w[kind], { count: kind === 'position' ? 1 : count });
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** What comes between the parts: commas, and "and" before the last. */
function joint(at: number, all: number): string {
  if (at === 0) return '';
  if (at < all - 1) return ', ';
  return all === 2 ? w.and : w.lastAnd;
}

/** What is said after the parts, or instead of them. */
export function rest(found: readonly Clause[]): string {
  if (unknownCount.value > 0) return say(w.unknown, { count: unknownCount.value });
  return found.length === 0 ? w.well : w.else;
}

export function asOf(): string {
  return freshness.value === 'stale' && dataFrom.value !== null ? say(w.asOf, { time: clockSeconds(dataFrom.value) }) : '';
}

export function sentenceText(found: readonly Clause[]): string {
  const joined = found.map((clause, at) => joint(at, found.length) + (at === 0 ? capital(clauseText(clause)) : clauseText(clause))).join('');
  return `${asOf()}${joined}${found.length > 0 ? '. ' : ''}${rest(found)}`;
}

/** The sentence with its links. */
export function Sentence({ children }: { children?: ComponentChildren }) {
  const found = clauses.value;
  const since = found.length === 0 && unknownCount.value === 0 ? wellSince.value : null;
  return (
    <section class="sentence">
      <p id="sentence">
        {asOf() && <span class="dim">{asOf()}</span>}
        {found.map((clause, at) => (
          <Fragment key={clause.kind}>
            {joint(at, found.length)}
            <a class={clause.tone} href={LINKS[clause.kind](clause)}>
              {at === 0 ? capital(clauseText(clause)) : clauseText(clause)}
            </a>
          </Fragment>
        ))}
        {found.length > 0 && '. '}
        {rest(found)} {since !== null && <span class="dim">{say(w.since, { time: moment(since) })}</span>}
      </p>
      {children}
      <Told text={sentenceText(found)} />
    </section>
  );
}

const TOLD_EVERY_MS = 10_000; // a reader is not interrupted more often
const SETTLES_MS = 500;

/** The same for readers: a polite live region, told at most every ten seconds. */
export function Told({ text }: { text: string }) {
  const [told, tell] = useState('');
  const state = useRef({ timer: 0, lastMs: -Infinity, text });
  state.current.text = text;
  useEffect(() => {
    const now = state.current;
    if (now.timer !== 0) return;
    now.timer = window.setTimeout(
      () => {
        now.timer = 0;
        now.lastMs = performance.now();
        tell(now.text);
      },
      Math.max(SETTLES_MS, now.lastMs + TOLD_EVERY_MS - performance.now()),
    );
  }, [text]);
  useEffect(() => () => clearTimeout(state.current.timer), []);
  return (
    <span class="sr" role="status">
      {told}
    </span>
  );
}
