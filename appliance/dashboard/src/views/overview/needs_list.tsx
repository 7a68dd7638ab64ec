/** What needs somebody: what it is, why, and the one action that mends it. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { minute, nowMs } from '../../live/clock';
import type { Condition } from '../../live/condition';
import { incidentName, kindOf, periodOf, sentence } from '../../live/condition_words';
import { about, fixed, full, isMidnight, moment, percent, setRate, setVolume, span, usedOf, visible, whole } from '../../live/formats';
import { sourceNameOf, type Incident } from '../../live/incidents';
import { MOST_SHOWN, needs, type Need } from '../../live/needs';
import { may } from '../../live/session';
import { nameOf, type Department, type QuotaShape } from '../../live/state';
import { ActionButton } from '../../parts/actions';
import { StateMark } from '../../parts/icons';
import { Name } from '../../parts/name';
import { parts, say, words } from '../../words/words';

const w = words({
  en: {
    title: 'What needs you', more: { one: 'and {count} more', other: 'and {count} more' }, grant: 'Grant more', grantTo: 'Grant more to {name}', block: 'Block', blockWhat: 'Block {name}', evidence: 'See evidence', look: 'See it', seeBlocks: 'See the blocks', details: 'Details',
    cut: '{name} {used} for {period} were used up{at}.', isCut: '{name} is cut off.', isSlowed: '{name} is slowed to {rate}.', isOver: '{name} is over its {kind} quota.', at: ' at {time}',
    noConnection: { one: '{count} device gets no connection until {end}.', other: '{count} devices get no connection until {end}.' }, shares: { one: '{count} device shares this until {end}.', other: '{count} devices share this until {end}.' },
    onlyAlert: 'Nothing is refused: here a quota only alerts. It begins anew {end}.', asked: 'Asked for more: {who}.',
    daily: 'today', weekly: 'this week', monthly: 'this month', midnight: 'midnight',
    incident: '{type} by {source} in {name}, for {span} and still going on.', notBlocked: 'Not blocked: {why}.',
    runsOut: '{name} reaches its {kind} quota about {time}.', left: '{used} of {limit} ({share}) with {left} to go; ', thenCut: 'then it is cut off.', thenSlowed: 'then it is slowed to {rate}.', thenAlert: 'then there is an alert, and nothing is refused.',
    gap: '{counted} in {name} are in force.', blocks: '{enforced} of {wanted} blocks', gapWhy: 'The appliance puts the missing ones back as soon as it can.',
    position: 'This position sees everything and can block nothing.', positionWhy: 'Fetch the list for your firewall.', down: '{name} has no connection.', unaccounted: '{share} % of the bytes of {name} belong to no meter.',
    unaccountedWhy: 'They pass {interface} but are in no department’s books: is a subnet missing in the configuration?', request: '{who} asks for more for {name}.', clock: 'The clock of the appliance may be wrong.', clockWhy: 'Until it is set, quotas may begin anew at the wrong time.', appliance: 'Appliance',
  },
  de: {
    title: 'Was Sie braucht', more: { one: 'und {count} weiteres', other: 'und {count} weitere' }, grant: 'Mehr gewähren', grantTo: 'Mehr gewähren für {name}', block: 'Sperren', blockWhat: '{name} sperren', evidence: 'Belege ansehen', look: 'Ansehen', seeBlocks: 'Sperren ansehen', details: 'Einzelheiten',
    cut: '{name} {used} waren {period} verbraucht{at}.', isCut: '{name} ist abgeschaltet.', isSlowed: '{name} ist auf {rate} gedrosselt.', isOver: '{name} ist über dem Kontingent ({period}).', at: ' um {time}',
    noConnection: { one: '{count} Gerät bekommt bis {end} keine Verbindung.', other: '{count} Geräte bekommen bis {end} keine Verbindung.' }, shares: { one: '{count} Gerät hat das bis {end}.', other: '{count} Geräte teilen sich das bis {end}.' },
    onlyAlert: 'Nichts wird abgelehnt: Hier meldet ein Kontingent nur. Es beginnt neu {end}.', asked: 'Um mehr gebeten: {who}.',
    daily: 'für heute', weekly: 'für diese Woche', monthly: 'für diesen Monat', midnight: 'Mitternacht',
    incident: '{type} von {source} in {name}, seit {span} und noch im Gang.', notBlocked: 'Nicht gesperrt: {why}.',
    runsOut: '{name} erreicht das {kind} Kontingent gegen {time}.', left: '{used} von {limit} ({share}), noch {left}; ', thenCut: 'dann abgeschaltet.', thenSlowed: 'dann auf {rate} gedrosselt.', thenAlert: 'dann kommt eine Meldung, und nichts wird abgelehnt.',
    gap: '{counted} in {name} sind in Kraft.', blocks: '{enforced} von {wanted} Sperren', gapWhy: 'Das Gerät setzt die fehlenden wieder ein, sobald es kann.',
    position: 'Diese Stelle sieht alles und kann nichts sperren.', positionWhy: 'Die Liste für Ihre Firewall abholen.', down: '{name} hat keine Verbindung.', unaccounted: '{share} % der Bytes von {name} gehören zu keinem Zähler.',
    unaccountedWhy: 'Sie laufen über {interface}, stehen aber in keinen Büchern: Fehlt in der Konfiguration ein Subnetz?', request: '{who} bittet um mehr für {name}.', clock: 'Die Uhr des Geräts geht vielleicht falsch.', clockWhy: 'Bis sie gestellt ist, beginnen Kontingente vielleicht zur falschen Zeit neu.', appliance: 'Gerät',
  },
});

interface Line {
  what: ComponentChildren;
  why: ComponentChildren;
  acts: ComponentChildren;
}

const Bold = ({ name }: { name: string }) => (
  <b>
    <Name of={name} />
  </b>
);

const untilText = (resetsAt: string) => (isMidnight(resetsAt) ? w.midnight : moment(resetsAt));

const PERIODS = { daily: 'day', weekly: 'week', monthly: 'month' } as const;

function Grant({ id, type = 'daily', request = '' }: { id: string; type?: QuotaShape['type']; request?: string }) {
  const { route } = useLocation();
  if (!may('operator', id)) return null;
  return (
    <ActionButton label={say(w.grantTo, { name: visible(nameOf(id)) })} onClick={() => route(`/quotas/${encodeURIComponent(id)}/grant?period=${PERIODS[type]}${request && `&request=${encodeURIComponent(request)}`}`)}>
      {w.grant}
    </ActionButton>
  );
}

function usedUp(need: Extract<Need, { kind: 'condition' }>, kind: 'cut' | 'slowed' | 'over', quota: QuotaShape): Line {
  const { department, requests } = need;
  const facts = department.facts.value;
  const { name } = facts;
  const bold = <Name of={name} />;
  const heads = {
    cut: parts(w.isCut, { name: bold }),
    slowed: parts(w.isSlowed, { name: bold, rate: facts.throttleRate === null ? '' : setRate(facts.throttleRate) }),
    over: parts(w.isOver, { name: bold, kind: kindOf(quota.type), period: periodOf(quota.type) }),
  };
  const end = untilText(quota.resetsAt);
  const count = department.devices.value ?? 0;
  const consequence = kind === 'over' ? say(w.onlyAlert, { end: moment(quota.resetsAt) }) : say(kind === 'cut' ? w.noConnection : w.shares, { count, end });
  const who = requests.map((one) => `${visible(one.name)}, ${moment(one.at)}`).join('; ');
  return {
    what: parts(w.cut, { name: <b>{heads[kind]}</b>, used: setVolume(quota.limit ?? 0), period: w[quota.type], at: quota.exceededAt ? say(w.at, { time: moment(quota.exceededAt) }) : '' }),
    why: `${consequence}${who ? ` ${say(w.asked, { who })}` : ''}`,
    acts: <Grant id={department.id} type={quota.type} request={requests[0]?.id} />,
  };
}

function runsOut(department: Department, { quota, at }: Extract<Condition, { kind: 'runsOut' }>): Line {
  const facts = department.facts.value;
  const limit = quota.limit ?? 1;
  const used = quota.type === 'daily' ? Math.max(quota.used, department.usedToday.value ?? 0) : quota.used;
  const then = { block: w.thenCut, throttle: say(w.thenSlowed, { rate: facts.throttleRate === null ? '' : setRate(facts.throttleRate) }), alert: w.thenAlert }[facts.onExceeded as 'block' | 'throttle' | 'alert'];
  const left = span((Date.parse(quota.resetsAt) - (minute.value, nowMs())) / 1000);
  const amount = usedOf(used, limit);
  return {
    what: parts(w.runsOut, { name: <Bold name={facts.name} />, kind: kindOf(quota.type), time: <b title={full(at)}>{about(at)}</b> }),
    why: say(w.left, { used: amount.used, limit: `${amount.limit} ${amount.unit}`, share: percent(used / limit), left }) + then,
    acts: <Grant id={department.id} type={quota.type} />,
  };
}

function Look({ href, children }: { href: string; children: ComponentChildren }) {
  return (
    <a class="btn" href={href}>
      {children}
    </a>
  );
}

function ofCondition(need: Extract<Need, { kind: 'condition' }>): Line {
  const { department, condition } = need;
  const facts = department.facts.value;
  const name = <Bold name={facts.name} />;
  const see = <Look href={`/departments/${encodeURIComponent(department.id)}`}>{w.look}</Look>;
  switch (condition.kind) {
    case 'cut':
    case 'slowed':
    case 'over':
      return usedUp(need, condition.kind, condition.quota);
    case 'runsOut':
      return runsOut(department, condition);
    case 'gap':
      return {
        what: parts(w.gap, { name, counted: <b>{say(w.blocks, { enforced: whole(condition.enforced), wanted: whole(condition.wanted) })}</b> }),
        why: w.gapWhy,
        acts: <Look href={`/blocks?department=${encodeURIComponent(department.id)}`}>{w.seeBlocks}</Look>,
      };
    case 'unaccounted':
      return { what: parts(w.unaccounted, { name, share: fixed(condition.percent, 2) }), why: say(w.unaccountedWhy, { interface: facts.interface }), acts: see };
    case 'down':
      return { what: parts(w.down, { name }), why: sentence(condition.reason), acts: see };
    case 'reason':
      return { what: <>{name}</>, why: sentence(condition.text), acts: see };
  }
}

/** How long it goes on, and what can be done against its source. */
function ofIncident(incident: Incident): Line {
  const { id, type, source, departmentId, openedAt, details, notBlocked } = incident;
  const age = span(((minute.value, nowMs()) - Date.parse(openedAt)) / 1000);
  return {
    what: parts(w.incident, { type: <b>{incidentName(type)}</b>, source: <Name of={sourceNameOf(incident)} />, name: <Name of={nameOf(departmentId)} />, span: age }),
    why: `${visible(details)}.${notBlocked ? ` ${say(w.notBlocked, { why: notBlocked })}` : ''}`,
    acts: (
      <>
        <a class="btn bare" href={`/incidents/${encodeURIComponent(id)}`}>
          {w.evidence}
        </a>
        <BlockSource source={source} id={departmentId} />
      </>
    ),
  };
}

function BlockSource({ source, id }: { source: string; id: string }) {
  const { route } = useLocation();
  if (!may('operator', id)) return null;
  return (
    <ActionButton label={say(w.blockWhat, { name: source })} onClick={() => route(`/blocks/new?address=${encodeURIComponent(source)}&department=${encodeURIComponent(id)}`)}>
      {w.block}
    </ActionButton>
  );
}

function lineOf(need: Need): Line {
  const details = <Look href="/appliance">{w.details}</Look>;
  switch (need.kind) {
    case 'condition':
      return ofCondition(need);
    case 'incident':
      return ofIncident(need.incident);
    case 'request': {
      const { name, departmentId, text: said } = need.request;
      return { what: parts(w.request, { who: <Bold name={name} />, name: <Name of={nameOf(departmentId)} /> }), why: <span dir="auto">{visible(said)}</span>, acts: <Grant id={departmentId} request={need.request.id} /> };
    }
    case 'position':
      return { what: <b>{w.position}</b>, why: w.positionWhy, acts: <Look href="/blocks">{w.seeBlocks}</Look> };
    case 'clock':
      return { what: <b>{w.clock}</b>, why: w.clockWhy, acts: details };
    case 'trouble':
      return { what: <b>{w.appliance}</b>, why: sentence(need.text), acts: details };
  }
}

function Row({ need }: { need: Need }) {
  const { what, why, acts } = lineOf(need);
  return (
    <li>
      <StateMark state={need.mark} />
      <div>
        <div class="what">{what}</div>
        <div class="why">{why}</div>
      </div>
      <div class="acts row">{acts}</div>
    </li>
  );
}

export function NeedsList() {
  const [isWhole, showWhole] = useState(false);
  const found = needs.value;
  if (found.length === 0) return null;
  const shown = isWhole ? found : found.slice(0, MOST_SHOWN);
  return (
    <section aria-label={w.title}>
      <ul class="needs">
        {shown.map((need) => (
          <Row key={need.key} need={need} />
        ))}
        {shown.length < found.length && (
          <li>
            <span />
            <button type="button" class="btn bare more" onClick={() => showWhole(true)}>
              {say(w.more, { count: found.length - shown.length })}
            </button>
          </li>
        )}
      </ul>
    </section>
  );
}

