/** The appliance itself in three bars, and whether it is well. */
import { minute, nowMs } from '../../live/clock';
import { fixed, GIB, span, three, whole } from '../../live/formats';
import { appliance, health } from '../../live/state';
import { StateMark } from '../../parts/icons';
import { Meter } from '../../parts/quota_bar';
import { say, words } from '../../words/words';

const w = words({
  en: { title: 'Appliance', well: 'Well', troubles: { one: '{count} thing does not work', other: '{count} things do not work' }, up: '{name}, up {span}', details: 'Details', processor: 'Processor', memory: 'Memory', card: 'Card', degrees: '{usage} %, {temperature} °C', noSensor: '{usage} %, no sensor', of: '{used} of {total} {unit}' },
  de: { title: 'Gerätezustand', well: 'In Ordnung', troubles: { one: '{count} Sache geht nicht', other: '{count} Sachen gehen nicht' }, up: '{name}, seit {span} in Betrieb', details: 'Einzelheiten', processor: 'Prozessor', memory: 'Arbeitsspeicher', card: 'Speicherkarte', degrees: '{usage} %, {temperature} °C', noSensor: '{usage} %, kein Sensor', of: '{used} von {total} {unit}' },
});

const MIB = 2 ** 20;

export function Gauges() {
  const now = health.value;
  const box = appliance.value;
  const count = now?.troubles?.length ?? 0;
  const started = now?.startedAt ?? box?.startedAt;
  return (
    <section class="sheet" aria-labelledby="box">
      <header>
        <h2 id="box">{w.title}</h2>
        {now !== null && (
          <span class="state">
            <StateMark state={count === 0 ? 'ok' : 'warn'} />
            {count === 0 ? w.well : say(w.troubles, { count })}
          </span>
        )}
        {box !== null && started && <span class="period">{say(w.up, { name: box.name, span: span(((minute.value, nowMs()) - Date.parse(started)) / 1000) })}</span>}
        <a class="push" href="/appliance">
          {w.details}
        </a>
      </header>
      {now !== null && (
        <div class="pad cols three">
          <Gauge name={w.processor} share={now.cpu.usage / 100} text={cpuText(now.cpu)} />
          <Gauge name={w.memory} share={now.memory.used / now.memory.total} text={say(w.of, { used: whole(now.memory.used / MIB), total: whole(now.memory.total / MIB), unit: 'MiB' })} />
          <Gauge name={w.card} share={now.storage.used / now.storage.total} text={say(w.of, { used: three(now.storage.used / GIB), total: three(now.storage.total / GIB), unit: 'GiB' })} />
        </div>
      )}
    </section>
  );
}

function cpuText({ usage, temperature }: { usage: number; temperature: number | null }): string {
  const values = { usage: fixed(usage, 1), temperature: temperature === null ? '' : whole(temperature) };
  return say(temperature === null ? w.noSensor : w.degrees, values);
}

function Gauge({ name, share, text }: { name: string; share: number; text: string }) {
  return (
    <div>
      <div class="row">
        <span>{name}</span>
        <span class="push mid">{text}</span>
      </div>
      <Meter share={share} />
    </div>
  );
}
