/** The appliance itself: what needs attention, its gauges, whether it does its work, its interfaces, and why it can be trusted. */
import type { ComponentChildren } from 'preact';

import { blockCounts } from '../../live/block_counts';
import { minute, nowMs } from '../../live/clock';
import { UNACCOUNTED_PERCENT } from '../../live/condition';
import { sentence } from '../../live/condition_words';
import { call } from '../../live/connection';
import { fixed, full, MBIT, moment, percent, setRate, span, text, three, usedOf, visible, volume, whole, day, clockSeconds } from '../../live/formats';
import { issueWords } from '../../live/health_words';
import { isAdministrator } from '../../live/session';
import { appliance, dataFrom, departments, health, type Department } from '../../live/state';
import { StateMark, Icon, type State } from '../../parts/icons';
import { Skeleton, useAsked } from '../../parts/notices';
import { asOf } from '../../parts/sentence';
import { Meter } from '../../parts/quota_bar';
import { type Column, CsvButton, Table } from '../../parts/table';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { parts, say, words } from '../../words/words';
import { Backup } from './backup';
import { Update } from './update';

const w = words({
  en: {
    facts: '{name}, {position}, version {version}, up {span}', things: { one: '{count} thing needs attention', other: '{count} things need attention' }, needs: '{things}.', well: 'It does all its work.', attention: 'What needs attention', since: 'since {time}', unchecked: 'This computer does not tell: {what}.', gauges: 'Gauges',
    processor: 'Processor', temperature: 'Temperature', noSensor: 'no sensor', memory: 'Memory', card: 'Card', clients: 'Clients', connected: 'connected', of: 'of {total}', slows: 'a Pi slows down at 80', free: '{free} free',
    work: 'Does it do its work?', checked: 'checked {time}', meters: 'Meters', metersOk: 'each {n} s', blocks: 'Blocks in force', ofBlocks: '{enforced} of {wanted}', accounted: 'Everything accounted', nobody: '{n} % is nobody’s', clockRight: 'Clock', trusted: 'right', untrusted: 'not set by a time server yet',
    interfaces: 'Interfaces', port: 'Port', link: 'Link', isDown: 'down', down: 'Down, Mbit/s', up: 'Up, Mbit/s', errors: 'Errors', drops: 'Drops', noSpeed: 'up',
    panel: 'Lights and button', statusLight: 'Status', alertLight: 'Alert', activityLight: 'Activity', button: 'Button', held: 'pressed shortly it acknowledges incidents and lets the first administrator pair; held for {seconds} s it begins or ends maintenance', brightness: '{percent} bright',
    trust: 'Trust', certificate: 'Certificate', plain: 'none: this page came over plain HTTP', own: 'its own, until {date}', signed: 'for {names}, until {date}', fingerprint: 'SHA-256', zone: 'Zone', contact: 'Contact',
  },
  de: {
    facts: '{name}, {position}, Version {version}, läuft seit {span}', things: { one: '{count} Sache braucht Aufmerksamkeit', other: '{count} Sachen brauchen Aufmerksamkeit' }, needs: '{things}.', well: 'Es tut alles, was es soll.', attention: 'Was Aufmerksamkeit braucht', since: 'seit {time}', unchecked: 'Dieser Computer sagt nichts über: {what}.', gauges: 'Messwerte',
    processor: 'Prozessor', temperature: 'Temperatur', noSensor: 'kein Sensor', memory: 'Speicher', card: 'Karte', clients: 'Verbindungen', connected: 'verbunden', of: 'von {total}', slows: 'ein Pi drosselt bei 80', free: '{free} frei',
    work: 'Tut es seine Arbeit?', checked: 'geprüft {time}', meters: 'Misst', metersOk: 'alle {n} s', blocks: 'Wirksame Sperren', ofBlocks: '{enforced} von {wanted}', accounted: 'Alles zugeordnet', nobody: '{n} % gehört niemandem', clockRight: 'Uhr', trusted: 'richtig', untrusted: 'noch von keinem Zeitserver gestellt',
    interfaces: 'Anschlüsse', port: 'Anschluss', link: 'Verbindung', isDown: 'getrennt', down: 'Ab, Mbit/s', up: 'Auf, Mbit/s', errors: 'Fehler', drops: 'Verworfen', noSpeed: 'verbunden',
    panel: 'Leuchten und Knopf', statusLight: 'Zustand', alertLight: 'Alarm', activityLight: 'Verkehr', button: 'Knopf', held: 'kurz gedrückt bestätigt er Vorfälle und lässt den ersten Verwalter koppeln; {seconds} s gehalten beginnt oder beendet er eine Wartung', brightness: '{percent} hell',
    trust: 'Vertrauen', certificate: 'Zertifikat', plain: 'keines: Diese Seite kam über einfaches HTTP', own: 'sein eigenes, bis {date}', signed: 'für {names}, bis {date}', fingerprint: 'SHA-256', zone: 'Zeitzone', contact: 'Ansprechpartner',
  },
});


/** How an LED burns, by the word that the appliance has for it. */
const rhythms = words({
  en: { off: 'dark', on: 'burns', slow: 'a second on, a second off', fast: 'fast', 'one flash': 'one flash', 'two flashes': 'two flashes', 'three flashes': 'three flashes', 'goes out': 'goes out for a moment' },
  de: { off: 'dunkel', on: 'leuchtet', slow: 'eine Sekunde an, eine aus', fast: 'schnell', 'one flash': 'ein Blitz', 'two flashes': 'zwei Blitze', 'three flashes': 'drei Blitze', 'goes out': 'geht kurz aus' },
});
/** What is looked for, by the ids of the checks. */
const checks = words({
  en: { clock_wrong: 'date', read_only: 'write protection', card_worn_out: 'end of the card’s life', undervoltage: 'supply', connections: 'connections', throttled: 'throttling', card_worn: 'wear of the card', card_writes: 'writing to the card', clock_alone: 'time server', port_errors: 'damaged packets', port_flaps: 'loose links', update_failed: 'failed updates', capture_loss: 'missed packets', update_waits: 'waiting updates' },
  de: { clock_wrong: 'Datum', read_only: 'Schreibschutz', card_worn_out: 'Lebensende der Karte', undervoltage: 'Netzteil', connections: 'Verbindungstabelle', throttled: 'Drosselung', card_worn: 'Abnutzung der Karte', card_writes: 'Schreiben auf die Karte', clock_alone: 'Zeitserver', port_errors: 'beschädigte Pakete', port_flaps: 'lose Verbindungen', update_failed: 'gescheiterte Aktualisierungen', capture_loss: 'verpasste Pakete', update_waits: 'wartende Aktualisierungen' },
});

export default function Appliance() {
  useTitle({ text: names.appliance });
  const box = appliance.value;
  const state = health.value;
  if (box === null)
    return (
      <>
        <h1>{names.appliance}</h1>
        <Skeleton rows={8} />
      </>
    );
  const issues = (state?.issues ?? []).map((one) => ({ ...one, key: one.id + one.cause, ...issueWords(one) }));
  const count = Math.max(issues.length, workOf(box).filter(([, is]) => is !== 'ok').length); // an issue may be of the same thing
  return (
    <>
      <header>
        <h1>{names.appliance}</h1>
        <p class="mid">{say(w.facts, { name: box.name, position: box.position, version: box.version, span: span((minute.value && nowMs() - Date.parse(box.startedAt)) / 1000) })}</p>
      </header>
      <section class="sentence">
        <p class="lesser">
          <StateMark state={count > 0 ? 'warn' : 'ok'} /> {asOf() && <span class="dim">{asOf()}</span>}
          {count > 0 ? parts(w.needs, { things: <a class="warn" href={issues.length > 0 ? '#issues' : '#work'}>{say(w.things, { count })}</a> }) : w.well}
        </p>
      </section>
      {issues.length > 0 && (
        <section id="issues" aria-label={w.attention}>
          <ul class="needs">
            {issues.map((one) => (
              <li key={one.key}>
                <Icon name="warn" class="mark-warn" />
                <div class="what">
                  {sentence(visible(one.cause))}
                  <div class="why">
                    {visible(one.suggestion)} <span class="dim">({say(w.since, { time: moment(one.since) })})</span>
                  </div>
                </div>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Gauges />
      <div class="cols">
        <Work />
        <Interfaces />
      </div>
      <Update />
      {isAdministrator.value && !box.simulated && <Backup />}
      <Panel />
      <Trust />
    </>
  );
}

function Tile({ name, value, unit, share, more }: { name: string; value: ComponentChildren; unit: string; share?: number; more?: string }) {
  return (
    <div class="tile">
      <span class="name">{name}</span>
      <span class="value">
        {value} <span class="unit">{unit}</span>
      </span>
      {share !== undefined && <Meter share={share} />}
      {more && <span class="more">{more}</span>}
    </div>
  );
}

function Gauges() {
  const state = health.value;
  if (state === null) return <Skeleton rows={2} />;
  const { cpu, memory, storage } = state;
  const filled = (fill: { used: number; total: number }) => {
    const { used, limit, unit } = usedOf(fill.used, fill.total);
    return { value: used, unit: say(w.of, { total: `${limit} ${unit}` }), share: fill.used / fill.total, more: say(w.free, { free: text(volume(fill.total - fill.used)) }) };
  };
  return (
    <section class="tiles" aria-label={w.gauges}>
      <Tile name={w.processor} value={three(cpu.usage)} unit="%" share={cpu.usage / 100} />
      <Tile name={w.temperature} value={cpu.temperature === null ? '–' : whole(cpu.temperature)} unit={cpu.temperature === null ? w.noSensor : '°C'} share={cpu.temperature === null ? undefined : cpu.temperature / 100} more={cpu.temperature === null ? undefined : w.slows} />
      <Tile name={w.memory} {...filled(memory)} />
      <Tile name={w.card} {...filled(storage)} />
      <Tile name={w.clients} value={state.clients ?? '–'} unit={w.connected} />
    </section>
  );
}

/** What it is there for, and whether it does it. */
function workOf(box: NonNullable<typeof appliance.value>): [name: string, state: State, said: string][] {
  const all = departments.value;
  const counts = blockCounts.value;
  const unaccounted = all.reduce((most, one) => Math.max(most, one.unaccountedPercent.value ?? 0), 0);
  return [
    [w.meters, 'ok', say(w.metersOk, { n: box.periods.metering })],
    [w.blocks, counts !== null && counts.inForce < counts.all ? 'crit' : 'ok', counts === null ? '…' : say(w.ofBlocks, { enforced: whole(counts.inForce), wanted: whole(counts.all) })],
    [w.accounted, unaccounted >= UNACCOUNTED_PERCENT ? 'warn' : 'ok', say(w.nobody, { n: fixed(unaccounted, 2) })],
    [w.clockRight, box.isClockTrusted ? 'ok' : 'warn', box.isClockTrusted ? w.trusted : w.untrusted],
  ];
}

function Work() {
  const rows = workOf(appliance.value!);
  const unchecked = health.value?.unchecked ?? [];
  return (
    <section class="sheet" aria-labelledby="work">
      <header>
        <h2 id="work">{w.work}</h2>
        <span class="period">{dataFrom.value && say(w.checked, { time: clockSeconds(dataFrom.value) })}</span>
      </header>
      <table>
        <tbody>
          {rows.map(([name, state, said]) => (
            <tr key={name}>
              <th scope="row" class="plain">
                {name}
              </th>
              <td>
                <span class="state">
                  <StateMark state={state} />
                  {said}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {unchecked.length > 0 && <p class="pad dim">{say(w.unchecked, { what: unchecked.map((one: string) => checks[one as keyof typeof checks] ?? one).join(', ') })}</p>}
    </section>
  );
}

interface Interface {
  name: string;
  up: boolean;
  speed: number | null;
  errors: number;
  drops: number;
}

function Interfaces() {
  const rows = (health.value?.interfaces ?? []) as Interface[];
  if (rows.length === 0) return null;
  const at = (name: string) => departments.value.filter((one) => one.facts.value.interface === name);
  const namesAt = (one: Interface) => at(one.name).map((other) => visible(other.facts.value.name)).join(', ');
  const sum = (found: Department[], figure: 'rateDown' | 'rateUp') => found.reduce((all, one) => all + (one[figure].value ?? 0), 0);
  const figure = (one: Interface, which: 'rateDown' | 'rateUp') => (at(one.name).length ? fixed(sum(at(one.name), which) / MBIT, 2) : <span class="dim">–</span>);
  const columns: Column<Interface>[] = [
    {
      key: 'port',
      head: w.port,
      cell: (one) => (
        <span class="cut" title={namesAt(one)}>
          <b>{one.name}</b> {namesAt(one)}
        </span>
      ),
      csv: (one) => one.name,
      fold: 'top',
    },
    {
      key: 'link',
      head: w.link,
      cell: (one) => (
        <span class="state">
          <StateMark state={one.up ? 'ok' : 'warn'} />
          {one.up ? (one.speed === null ? w.noSpeed : setRate(one.speed)) : w.isDown}
        </span>
      ),
      csv: (one) => (one.up ? one.speed : 0),
      fold: 'low',
      width: '19%',
    },
    { key: 'down', head: w.down, cell: (one) => figure(one, 'rateDown'), isNumber: true, fold: 'top', width: '17%' },
    { key: 'up', head: w.up, cell: (one) => figure(one, 'rateUp'), isNumber: true, fold: 'gone', width: '15%' },
    { key: 'errors', head: w.errors, cell: (one) => whole(one.errors), csv: (one) => one.errors, isNumber: true, fold: 'gone', width: '11%' },
    { key: 'drops', head: w.drops, cell: (one) => whole(one.drops), csv: (one) => one.drops, isNumber: true, fold: 'gone', width: '15%' },
  ];
  return (
    <section class="sheet" aria-labelledby="interfaces">
      <header>
        <h2 id="interfaces">{w.interfaces}</h2>
        <span class="push" />
        <CsvButton name="interfaces" rows={rows} columns={columns} />
      </header>
      <Table class="fixed" name={w.interfaces} rows={rows} columns={columns} rowKey={(one) => one.name} />
    </section>
  );
}

function Panel() {
  const panel = health.value?.panel;
  if (!panel) return null;
  const hold = appliance.value!.buttonHold;
  return (
    <section class="sheet" aria-labelledby="panel">
      <header>
        <h2 id="panel">{w.panel}</h2>
      </header>
      <div class="pad">
        <dl class="facts">
          <dt>{w.statusLight}</dt>
          <dd>{rhythms[panel.status]}</dd>
          <dt>{w.alertLight}</dt>
          <dd>{rhythms[panel.alert]}</dd>
          <dt>{w.activityLight}</dt>
          <dd>{panel.activity > 0 ? say(w.brightness, { percent: percent(panel.activity) }) : rhythms.off}</dd>
          <dt>{w.button}</dt>
          <dd>{say(w.held, { seconds: fixed(hold, Number.isInteger(hold) ? 0 : 1) })}</dd>
        </dl>
      </div>
    </section>
  );
}

function Trust() {
  const box = appliance.value!;
  const found = useAsked(() => call('certificate:get'), []);
  const certificate = found.reply?.certificate as { names: string[]; notAfter: string; fingerprint: string; selfSigned: boolean } | null | undefined;
  return (
    <section class="sheet" aria-labelledby="trust">
      <header>
        <h2 id="trust">{w.trust}</h2>
      </header>
      <div class="pad cols">
        <dl class="facts">
          <dt>{w.certificate}</dt>
          <dd title={certificate ? full(certificate.notAfter) : undefined}>
            {certificate ? say(certificate.selfSigned ? w.own : w.signed, { names: certificate.names.join(', '), date: day(certificate.notAfter) }) : certificate === null ? w.plain : '…'}
          </dd>
          {certificate && (
            <>
              <dt>{w.fingerprint}</dt>
              <dd>
                <code>{certificate.fingerprint}</code>
              </dd>
            </>
          )}
        </dl>
        <dl class="facts">
          <dt>{w.zone}</dt>
          <dd>{box.timezone}</dd>
          {box.contact && (
            <>
              <dt>{w.contact}</dt>
              <dd>{visible(box.contact)}</dd>
            </>
          )}
        </dl>
      </div>
    </section>
  );
}
