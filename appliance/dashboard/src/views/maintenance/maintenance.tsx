/** Maintenance: start or announce, what is planned, what was before. */
import { useState } from 'preact/hooks';

import { nowMs, second, zone } from '../../live/clock';
import { call } from '../../live/connection';
import { clock, day, fieldTime, full, moment, nextHour, span, timeOfField, visible } from '../../live/formats';
import { isAdministrator } from '../../live/session';
import { appliance, endOf, isReadOnly, maintenance, planned } from '../../live/state';
import { ActionButton, change, RefusalText, sentenceOf, toast, useWork } from '../../parts/actions';
import { Icon } from '../../parts/icons';
import { useAsked } from '../../parts/notices';
import { TimeField } from '../../parts/time_field';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { parts, say, words } from '../../words/words';

const w = words({
  en: {
    about: 'Read-only mode. Metering goes on; nobody can change anything, and it is safe to pull the plug. Holding the button on the appliance for {hold} does the same.', stays: 'Quotas and blocks go on.', opens: 'Quotas and blocks are not enforced meanwhile, as the configuration has it: everything passes, and is metered.',
    title: 'Start or announce', when: 'When', now: 'Now', tonight: 'Tonight 02:00', choose: 'Choose', for: 'For', halfHour: '30 min', hour: '1 hour', twoHours: '2 hours', minutes: 'Minutes', reads: 'What everybody reads', impact: 'System is in read-only mode',
    announceText: 'Everybody sees this announcement from now on. From {range} ({zone}) changes are refused. It ends by itself.', startText: 'From now until {end} ({zone}) changes are refused. It ends by itself.', announce: 'Announce', start: 'Start now',
    planned: 'Planned', running: 'Running', nothing: 'Nothing is planned.', callOff: 'Call off', endNow: 'End now', until: 'until {time}', in: 'in {span}', before: 'Before', announced: 'Announced.', repeat: 'Repeat', once: 'Once', daily: 'Daily', weekly: 'Weekly', monthly: 'Monthly', again: '{repeat}, next {when}', started: 'Changes are refused until {time}.', calledOff: 'Called off.', by: 'by {who}', onlyAdmins: 'Maintenance is started by administrators of all departments.', 
  },
  de: {
    about: 'Nur-Lese-Betrieb. Die Messung geht weiter; niemand kann etwas ändern, und der Stecker darf gezogen werden. Den Knopf am Gerät {hold} zu halten tut dasselbe.', stays: 'Kontingente und Sperren gehen weiter.', opens: 'Kontingente und Sperren sind währenddessen nicht wirksam, so will es die Konfiguration: alles darf passieren und wird gemessen.',
    title: 'Beginnen oder ankündigen', when: 'Wann', now: 'Jetzt', tonight: 'Heute Nacht 02:00', choose: 'Wählen', for: 'Dauer', halfHour: '30 Min.', hour: '1 Stunde', twoHours: '2 Stunden', minutes: 'Minuten', reads: 'Was alle lesen', impact: 'Das System ist im Nur-Lese-Betrieb',
    announceText: 'Alle sehen die Ankündigung ab sofort. {range} ({zone}) werden Änderungen abgelehnt. Sie endet von selbst.', startText: 'Ab jetzt bis {end} ({zone}) werden Änderungen abgelehnt. Sie endet von selbst.', announce: 'Ankündigen', start: 'Jetzt beginnen',
    planned: 'Geplant', running: 'Läuft', nothing: 'Nichts ist geplant.', callOff: 'Absagen', endNow: 'Jetzt beenden', until: 'bis {time}', in: 'in {span}', before: 'Früher', announced: 'Angekündigt.', repeat: 'Wiederholen', once: 'Einmal', daily: 'Täglich', weekly: 'Wöchentlich', monthly: 'Monatlich', again: '{repeat}, das nächste Mal {when}', started: 'Änderungen werden bis {time} abgelehnt.', calledOff: 'Abgesagt.', by: 'von {who}', onlyAdmins: 'Eine Wartung beginnen Verwalter aller Abteilungen.', 
  },
});

export default function Maintenance() {
  useTitle({ text: names.maintenance });
  return (
    <>
      <div>
        <h1>{names.maintenance}</h1>
        <p class="mid prose">
          {say(w.about, { hold: span(appliance.value?.buttonHold ?? 3) })} <Enforcement />
        </p>
      </div>
      <div class="cols">
        {isAdministrator.value ? <Start /> : <p class="dim">{w.onlyAdmins}</p>}
        <div class="stack">
          <Planned />
          {isAdministrator.value && <Before />}
        </div>
      </div>
    </>
  );
}

/** What becomes of blocks and quotas meanwhile. */
function Enforcement() {
  const configured = appliance.value?.inMaintenance;
  return configured === undefined ? null : <b>{w[configured]}</b>;
}

type When = 'now' | 'tonight' | 'choose';
type Repeat = 'daily' | 'weekly' | 'monthly';
const REPEATS: readonly Repeat[] = ['daily', 'weekly', 'monthly'];
const SPANS: readonly [string, number][] = [
  [w.halfHour, 1800],
  [w.hour, 3600],
  [w.twoHours, 7200],
];
const LONGEST_MIN = 1440; // a day, as the appliance takes
const TONIGHT = 2; // o'clock

function Start() {
  const work = useWork();
  const [when, setWhen] = useState<When>('now');
  const [typed, setTyped] = useState(() => fieldTime(nextHour(TONIGHT)));
  const [lengthS, setLength] = useState(3600);
  const [isOwn, setOwn] = useState(false);
  const [repeat, setRepeat] = useState<Repeat | null>(null);
  const [impact, setImpact] = useState(w.impact as string);
  second.value;
  const startMs = when === 'now' ? second.value : when === 'tonight' ? nextHour(TONIGHT) : timeOfField(typed);
  const endMs = startMs + lengthS * 1000;
  const isPast = when === 'choose' && !(startMs > second.value);
  const submit = async (event: Event) => {
    event.preventDefault();
    const argument = { duration: lengthS, impact, ...(when === 'now' ? {} : { startTime: new Date(startMs).toISOString(), repeat }) };
    let id: string | undefined;
    const order = async (wait: Parameters<typeof change>[2]) => {
      id = (await change('maintenance:start', argument, wait)).maintenance.id;
    };
    if (await work.run(order)) {
      const undo = () => change('maintenance:stop', { id });
      toast(when === 'now' ? say(w.started, { time: clock(endMs) }) : w.announced, undo);
    }
  };
  const chip = (isOn: boolean, text: string, act: () => void) => (
    <button type="button" class="chip" aria-pressed={isOn} onClick={act}>
      {text}
    </button>
  );
  return (
    <section class="sheet" aria-labelledby="start">
      <header>
        <h2 id="start">{w.title}</h2>
      </header>
      <form class="pad stack" onSubmit={(event) => void submit(event)}>
        <div class="field">
          <span class="label" id="when">
            {w.when}
          </span>
          <div class="filters" role="group" aria-labelledby="when">
            {chip(when === 'now', w.now, () => setWhen('now'))}
            {chip(when === 'tonight', w.tonight, () => setWhen('tonight'))}
            {chip(when === 'choose', w.choose, () => setWhen('choose'))}
          </div>
        </div>
        {when === 'choose' && <TimeField id="at" value={typed} isPast={isPast} onInput={setTyped} />}
        <div class="field">
          <span class="label" id="length">
            {w.for}
          </span>
          <div class="filters" role="group" aria-labelledby="length">
            {SPANS.map(([text, seconds]) => chip(!isOwn && lengthS === seconds, text, () => (setOwn(false), setLength(seconds))))}
            {chip(isOwn, w.choose, () => setOwn(true))}
          </div>
        </div>
        {isOwn && (
          <div class="field">
            <label for="minutes">{w.minutes}</label>
            <input id="minutes" type="number" min={1} max={LONGEST_MIN} value={lengthS / 60} onInput={(event) => setLength(Math.max(1, Math.min(LONGEST_MIN, Number(event.currentTarget.value) || 1)) * 60)} />
          </div>
        )}
        {when !== 'now' && (
          <div class="field">
            <span class="label" id="repeat">
              {w.repeat}
            </span>
            <div class="filters" role="group" aria-labelledby="repeat">
              {chip(repeat === null, w.once, () => setRepeat(null))}
              {REPEATS.map((one) => chip(repeat === one, w[one], () => setRepeat(one)))}
            </div>
          </div>
        )}
        <div class="field">
          <label for="impact">{w.reads}</label>
          <input id="impact" value={impact} maxLength={200} required onInput={(event) => setImpact(event.currentTarget.value)} />
        </div>
        <RefusalText of={work} />
        <div class="consequence">
          {when === 'now' || Number.isNaN(startMs)
            ? parts(w.startText, { end: <b>{clock(endMs)}</b>, zone: zone.value })
            : parts(w.announceText, { range: <b>{`${day(startMs)} ${clock(startMs)} – ${clock(endMs)}`}</b>, zone: zone.value })}{' '}
          <Enforcement />
        </div>
        <div class="row">
          <ActionButton type="submit" class="main" disabled={work.isBusy || isPast || !impact.trim()}>
            {when === 'now' ? w.start : w.announce}
          </ActionButton>
        </div>
      </form>
    </section>
  );
}

function Planned() {
  const running = isReadOnly.value ? maintenance.value : null;
  second.value;
  const waiting = planned.value.filter((one) => endOf(one) > nowMs());
  return (
    <section class="sheet" aria-labelledby="planned">
      <header>
        <h2 id="planned">{running ? w.running : w.planned}</h2>
      </header>
      {running || waiting.length > 0 ? (
        <ul class="needs plain">
          {running && <Item one={running} isRunning />}
          {waiting.map((one) => (
            <Item key={one.id} one={one} isRunning={false} />
          ))}
        </ul>
      ) : (
        <div class="pad dim">{w.nothing}</div>
      )}
    </section>
  );
}

function Item({ one, isRunning }: { one: NonNullable<typeof maintenance.value>; isRunning: boolean }) {
  const [startMs, endMs] = [Date.parse(one.startTime), endOf(one)];
  const stop = () => change('maintenance:stop', { id: one.id }).then(() => toast(w.calledOff), (error: unknown) => toast(sentenceOf(error)));
  const range = `${day(startMs)} ${clock(startMs)} – ${clock(endMs)}`;
  return (
    <li>
      <Icon name="maintenance" class="mid" />
      <div>
        <div class="what" title={full(startMs)}>
          <b>{one.repeat ? say(w.again, { repeat: w[one.repeat], when: range }) : range}</b>
        </div>
        <div class="why">{visible(one.impact)}</div>
        <div class="dim">{isRunning ? say(w.until, { time: clock(endMs) }) : say(w.in, { span: span((startMs - nowMs()) / 1000) })}</div>
      </div>
      {isAdministrator.value && (
        <div class="acts row">
          <ActionButton class="s" inMaintenance onClick={stop}>
            {isRunning ? w.endNow : w.callOff}
          </ActionButton>
        </div>
      )}
    </li>
  );
}

interface Entry {
  number: number;
  at: string;
  who: string;
  action: string;
  after: { impact?: string; duration?: number } | null;
}

const SHOWN = 8; // maintenances of some months

/** What the audit trail has of it. */
function Before() {
  const found = useAsked(() => call('audit:get', { contains: 'maintenance', limit: 50 }), [maintenance.value]);
  const starts = ((found.reply?.entries ?? []) as Entry[]).filter((one) => one.action.startsWith('maintenance') && one.after?.duration).slice(0, SHOWN);
  if (starts.length === 0) return null;
  return (
    <section class="sheet" aria-labelledby="before">
      <header>
        <h2 id="before">{w.before}</h2>
        <a class="push" href="/audit?action=maintenance">
          {common.all}
        </a>
      </header>
      <ul class="feed wide">
        {starts.map((one) => (
          <li key={one.number}>
            <time dateTime={one.at} title={full(one.at)}>
              {moment(one.at)}
            </time>
            <Icon name="maintenance" class="mid" />
            <div>
              {span(one.after?.duration ?? 0)}, {say(w.by, { who: visible(one.who) })}. {visible(one.after?.impact ?? '')}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
