/** The traffic of a department, or of all: the chart with its ranges, its keys, its legend and its file. */
import { computed, effect, useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { anomalyDetails } from '../live/anomaly_words';
import { call, link } from '../live/connection';
import { dayStart } from '../live/calendar';
import { minute, nowMs, zone } from '../live/clock';
import { fixed, moment, setRate } from '../live/formats';
import { alerts, appliance, departmentOf, fillRecent, health, maintenance, nameOf, periodMs, type Recent } from '../live/state';
import { useKeys } from '../shell/keyboard';
import { common } from '../words/common';
import { say, words } from '../words/words';
import { sentenceOf } from './actions';
import { Chart, type Mark } from './chart';
import { fromHistory, fromRecent, stepFor, type Curves, type Expected, type Point } from './chart_data';
import { csv, download } from './csv';
import { Icon } from './icons';

const w = words({
  en: {
    title: 'Traffic', down: 'down, to the departments', up: 'up, from them', downOne: 'down', upOne: 'up', expected: 'expected, both ways', unmetered: 'not metered', range: 'Range', live: 'Live, 5 min', day: '24 h', month: '30 days',
    labelLive: 'Traffic of the last five minutes', labelDay: 'Traffic of the last 24 hours', labelMonth: 'Traffic of the last 30 days', labelSpan: 'Traffic from {from} to {to}', whole: 'Whole range',
    zone: 'Times in {zone}.', hatched: 'A hatched stretch was not metered, or is no longer kept.', maintenance: 'maintenance', start: 'start (UTC)', downBytes: 'down (bytes/s)', upBytes: 'up (bytes/s)',
    spike: 'Usage spike', drop: 'Far less than usual', level: 'More for hours', hour: 'At an unusual hour', anomaly: 'Unusual', confidence: 'Confidence {value}.',
    silent: 'No traffic seen at {interface} since the start.', linkUp: 'The link is up at {speed}.', linkDown: 'The link is down.', mirrored: 'Is the mirror port of the switch connected?',
  },
  de: {
    title: 'Datenverkehr', down: 'ab, zu den Abteilungen', up: 'auf, von ihnen', downOne: 'ab', upOne: 'auf', expected: 'erwartet, beide Richtungen', unmetered: 'nicht gemessen', range: 'Zeitraum', live: 'Live, 5 Min.', day: '24 Std.', month: '30 Tage',
    labelLive: 'Verkehr der letzten fünf Minuten', labelDay: 'Verkehr der letzten 24 Stunden', labelMonth: 'Verkehr der letzten 30 Tage', labelSpan: 'Verkehr von {from} bis {to}', whole: 'Ganzer Zeitraum',
    zone: 'Zeiten in {zone}.', hatched: 'Ein schraffierter Abschnitt wurde nicht gemessen oder wird nicht mehr aufbewahrt.', maintenance: 'Wartung', start: 'Beginn (UTC)', downBytes: 'ab (Bytes/s)', upBytes: 'auf (Bytes/s)',
    spike: 'Nutzungsspitze', drop: 'Viel weniger als üblich', level: 'Seit Stunden mehr', hour: 'Zu ungewöhnlicher Zeit', anomaly: 'Ungewöhnlich', confidence: 'Zuversicht {value}.',
    silent: 'Seit dem Start war an {interface} kein Verkehr zu sehen.', linkUp: 'Die Verbindung steht mit {speed}.', linkDown: 'Die Verbindung ist getrennt.', mirrored: 'Ist der Mirror-Port des Switches angeschlossen?',
  },
});

export type Range = 'live' | '24h' | '30d';
const RANGES: readonly Range[] = ['live', '24h', '30d'];
const SPAN_MS: Record<Range, number> = { live: 300_000, '24h': 86_400_000, '30d': 30 * 86_400_000 };
const NAMES: Record<Range, string> = { live: w.live, '24h': w.day, '30d': w.month };
const LABELS: Record<Range, string> = { live: w.labelLive, '24h': w.labelDay, '30d': w.labelMonth };
const SHORTEST_MS = 5000; // a zoom below this shows nothing

export interface Place {
  range: Range;
  span: { fromMs: number; toMs: number } | null; // zoomed to
}

/** What the URL says of a chart, and how to change it. */
function usePlace(first: Range) {
  const { query, path, route } = useLocation();
  const place = useMemo<Place>(() => {
    const range = RANGES.find((one) => one === query.range) ?? first;
    const [fromMs, toMs] = [Date.parse(query.from ?? ''), Date.parse(query.to ?? '')];
    return { range, span: toMs - fromMs >= SHORTEST_MS ? { fromMs, toMs } : null };
  }, [query.range, query.from, query.to, first]);
  const go = (next: Place) => {
    const { range: _range, from: _from, to: _to, ...others } = query;
    const wanted = new URLSearchParams(others);
    if (next.range !== first) wanted.set('range', next.range);
    if (next.span !== null) {
      wanted.set('from', new Date(next.span.fromMs).toISOString());
      wanted.set('to', new Date(next.span.toMs).toISOString());
    }
    const text = wanted.toString();
    route(text ? `${path}?${text}` : path, true);
  };
  return { place, go };
}

/** The live curves; filled from the appliance's memory when the chart opens and after each gap. */
function useLive(recent: Recent, departmentId: string | null | undefined, spanMs = SPAN_MS.live): ReadonlySignal<Curves | null> {
  const isFilled = useSignal(false);
  useEffect(() => {
    const fill = () => departmentId !== undefined && fillRecent(recent, departmentId).catch(() => undefined).then(() => (isFilled.value = true));
    const stop = effect(() => {
      if (link.value === 'live' && appliance.value !== null) void fill();
    });
    const seen = () => document.visibilityState === 'visible' && link.peek() === 'live' && void fill();
    document.addEventListener('visibilitychange', seen);
    return () => {
      stop();
      document.removeEventListener('visibilitychange', seen);
    };
  }, [recent, departmentId]);
  return useMemo(
    () =>
      computed(() => {
        recent.version.value;
        return isFilled.value || recent.count > 1 ? fromRecent(recent, spanMs, periodMs(), nowMs()) : null;
      }),
    [recent, spanMs],
  );
}

/** The last five minutes of a ring. `departmentId`: of what it is filled at first; `undefined`: it begins empty. */
export function LiveTotal({ recent, departmentId, height, fontPx }: { recent: Recent; departmentId: string | null | undefined; height: number; fontPx?: number }) {
  const curves = useLive(recent, departmentId);
  return <Chart curves={curves} height={height} label={w.labelLive} group="traffic" isLive fontPx={fontPx} />;
}

function LiveChart({ recent, departmentId, height, onZoom, marks, take }: { recent: Recent; departmentId: string | null; height: number; onZoom: (from: number, to: number) => void; marks: ReadonlySignal<readonly Mark[]>; take: (curves: Curves | null) => void }) {
  const curves = useLive(recent, departmentId);
  useEffect(() => effect(() => take(curves.value)), [curves]);
  return <Chart curves={curves} height={height} label={w.labelLive} group="traffic" isLive onZoom={onZoom} marks={marks} />;
}

/** What is kept of a span; asked again each minute where its end is now. `frozen`: the live points, for a zoom into them. */
function useHistory(departmentId: string | null, { range, span }: Place, frozen: Curves | null) {
  const curves = useSignal<Curves | null>(null);
  const [error, setError] = useState<unknown>(null);
  const upTo = useComputed(() => (span === null ? minute.value : 0));
  const isInside = span !== null && frozen !== null && frozen.at.length > 1 && span.fromMs >= frozen.fromMs - 1000 && span.toMs <= frozen.toMs + 1000;
  useEffect(() => {
    if (isInside) {
      curves.value = { ...frozen!, fromMs: span.fromMs, toMs: span.toMs };
      return;
    }
    let isCurrent = true;
    const stop = effect(() => {
      upTo.value;
      if (link.value !== 'live' || appliance.value === null || document.visibilityState !== 'visible') return;
      const now = nowMs();
      const [fromMs, toMs] = span === null ? [range === '30d' ? dayStart(now, -29) : now - SPAN_MS[range], now] : [span.fromMs, span.toMs];
      const step = stepFor(fromMs, toMs, now);
      const asked = { departmentId, step, from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
      call('history:get', asked).then(
        (reply) => {
          if (!isCurrent) return;
          setError(null);
          curves.value = fromHistory(reply.points as Point[], (reply.expected ?? []) as Expected[], step, fromMs, toMs, now);
        },
        (refused: unknown) => isCurrent && setError(refused),
      );
    });
    return () => {
      isCurrent = false;
      stop();
    };
  }, [departmentId, range, span, isInside]);
  return { curves, error };
}

interface HistoryChartProps {
  departmentId: string | null;
  place: Place;
  height: number;
  frozen: Curves | null;
  marks: ReadonlySignal<readonly Mark[]>;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
  take: (curves: Curves | null) => void;
}

function HistoryChart({ departmentId, place, height, frozen, marks, onZoom, onReset, take }: HistoryChartProps) {
  const { curves, error } = useHistory(departmentId, place, frozen);
  useEffect(() => effect(() => take(curves.value)), [curves]);
  const shades = useComputed(() => {
    const found = maintenance.value;
    if (found === null) return [];
    const fromMs = Date.parse(found.startTime);
    return [{ fromMs, toMs: fromMs + found.duration * 1000, text: w.maintenance }];
  });
  const label = place.span === null ? LABELS[place.range] : say(w.labelSpan, { from: moment(place.span.fromMs), to: moment(place.span.toMs) });
  return (
    <>
      {error !== null && (
        <p class="crit-ink" role="alert">
          {sentenceOf(error)}
        </p>
      )}
      <Chart curves={curves} height={height} label={label} group="traffic" onZoom={onZoom} onReset={onReset} marks={marks} shades={shades} />
    </>
  );
}

const TYPES: Record<string, string> = { usage_spike: w.spike, usage_drop: w.drop, usage_level: w.level, unusual_hour: w.hour };

/** The anomalies of a department as marks; `null`: of all of them, with their names. */
export function marksOf(departmentId: string | null): ReadonlySignal<readonly Mark[]> {
  return computed(() =>
    alerts.value.flatMap((one): Mark[] => {
      if (one.kind !== 'anomaly' || (departmentId !== null && one.departmentId !== departmentId)) return [];
      const name = TYPES[one.anomaly.type] ?? w.anomaly;
      return [
        {
          atMs: Date.parse(one.timestamp),
          icon: one.anomaly.severity === 'low' ? 'info' : 'warn',
          isGrave: one.anomaly.severity !== 'low',
          title: departmentId === null ? `${nameOf(one.departmentId)}: ${name}` : name,
          details: `${anomalyDetails(one)}. ${say(w.confidence, { value: fixed(one.anomaly.confidence, 2) })}`,
        },
      ];
    }),
  );
}

function filed(curves: Curves): string {
  const rows = curves.at.map((at, index) => [new Date(at * 1000 - curves.stepMs / 2).toISOString(), curves.down[index] ?? null, curves.up[index] === null ? null : Math.abs(curves.up[index] ?? 0)]);
  return csv([w.start, w.downBytes, w.upBytes], rows);
}

export interface TrafficProps {
  departmentId: string | null;
  recent: Recent;
  first: Range;
  height: number;
  fileName: string;
}

/** The sheet with the chart. Its range and what is zoomed to are in the URL. */
export function Traffic({ departmentId, recent, first, height, fileName }: TrafficProps) {
  const { place, go } = usePlace(first);
  const shown = useSignal<Curves | null>(null);
  const [frozen, freeze] = useState<Curves | null>(null);
  const marks = useMemo(() => marksOf(departmentId), [departmentId]);
  const isLive = place.range === 'live' && place.span === null;
  const choose = (range: Range) => go({ range, span: null });
  const zoom = (fromMs: number, toMs: number) => {
    if (toMs - fromMs < SHORTEST_MS) return;
    if (isLive) freeze(shown.peek());
    go({ range: place.range, span: { fromMs: Math.round(fromMs), toMs: Math.round(toMs) } });
  };
  const shift = (by: -1 | 1) => {
    const now = nowMs();
    const { fromMs, toMs } = place.span ?? { fromMs: now - SPAN_MS[place.range], toMs: now };
    const ms = (toMs - fromMs) * by;
    if (toMs + ms > now) choose(place.range);
    else go({ range: place.range, span: { fromMs: Math.round(fromMs + ms), toMs: Math.round(toMs + ms) } });
  };
  useKeys({ '1': () => choose('live'), '2': () => choose('24h'), '3': () => choose('30d'), '[': () => shift(-1), ']': () => shift(1) });
  const take = (curves: Curves | null) => (shown.value = curves);
  return (
    <section class="sheet" aria-labelledby="traffic">
      <header>
        <h2 id="traffic">{w.title}</h2>
        <Legend isOne={departmentId !== null} shown={shown} />
        <div class="row wrap push">
          {place.span !== null && (
            <button type="button" class="btn s" onClick={() => choose(place.range)}>
              <Icon name="undo" />
              {w.whole}
            </button>
          )}
          <div class="seg" role="group" aria-label={w.range}>
            {RANGES.map((one) => (
              <button key={one} type="button" aria-pressed={one === place.range && place.span === null ? 'true' : 'false'} onClick={() => choose(one)}>
                {NAMES[one]}
              </button>
            ))}
          </div>
          <button type="button" class="btn s" onClick={() => shown.peek() && download(`${fileName}.csv`, filed(shown.peek()!))}>
            <Icon name="download" />
            {common.csv}
          </button>
        </div>
      </header>
      <div class="pad">
        {departmentId !== null && <Silent departmentId={departmentId} />}
        {isLive ? (
          <LiveChart recent={recent} departmentId={departmentId} height={height} marks={marks} onZoom={zoom} take={take} />
        ) : (
          <HistoryChart key={departmentId} departmentId={departmentId} place={place} height={height} marks={marks} frozen={frozen} onZoom={zoom} onReset={() => choose(place.range)} take={take} />
        )}
      </div>
      <Foot shown={shown} />
    </section>
  );
}

/** What to look at where nothing has passed: a flat line does not say it. */
function Silent({ departmentId }: { departmentId: string }) {
  const said = useComputed(() => {
    const [of, box] = [departmentOf(departmentId), appliance.value];
    const hasBegunToday = box !== null && Date.parse(box.startedAt) >= dayStart((minute.value, nowMs())); // what passed before midnight is not known here
    if (of === undefined || !hasBegunToday || of.usedToday.value !== 0) return '';
    const name = of.facts.value.interface;
    const port = health.value?.interfaces?.find((one) => one.name === name);
    const linkText = port === undefined ? '' : !port.up ? w.linkDown : port.speed === null ? '' : say(w.linkUp, { speed: setRate(port.speed) });
    return [say(w.silent, { interface: name }), linkText, box.position === 'mirror' ? w.mirrored : ''].filter(Boolean).join(' ');
  });
  return said.value === '' ? null : <p class="mid silent">{said}</p>;
}

function Legend({ isOne, shown }: { isOne: boolean; shown: ReadonlySignal<Curves | null> }) {
  const hasBand = useComputed(() => shown.value?.hasBand === true);
  const hasGaps = useComputed(() => (shown.value?.gaps.length ?? 0) > 0);
  const part = (of: string, text: ComponentChildren) => (
    <span>
      <i class={of} />
      {text}
    </span>
  );
  return (
    <div class="legend">
      {part('', isOne ? w.downOne : w.down)}
      {part('o', isOne ? w.upOne : w.up)}
      {hasBand.value && part('b', w.expected)}
      {hasGaps.value && part('g', w.unmetered)}
    </div>
  );
}

function Foot({ shown }: { shown: ReadonlySignal<Curves | null> }) {
  const hasGaps = useComputed(() => (shown.value?.gaps.length ?? 0) > 0);
  const isLong = useComputed(() => (shown.value?.stepMs ?? 0) >= 60_000);
  if (!isLong.value && !hasGaps.value) return null;
  return (
    <footer>
      <span>
        {say(w.zone, { zone: zone.value })} {hasGaps.value && w.hatched}
      </span>
    </footer>
  );
}
