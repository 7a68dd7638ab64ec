/** The chart of traffic: down above zero, up below, on one scale. uPlot is loaded when the first one is there. */
import { effect, signal, useComputed, useSignal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';

import { minute } from '../live/clock';
import { clockSeconds, day, clock, moment, rate, text, three } from '../live/formats';
import { theme } from '../shell/theme';
import { say, words } from '../words/words';
import './chart.css';
import { tableOf, type Curves, type Stretch } from './chart_data';
import { optionsOf, tokensOf, type Picture } from './chart_drawing';
import { Icon, type IconName } from './icons';
import { Late } from './notices';

const w = words({
  en: {
    keys: '{label}. Arrow keys read it, point by point.', usual: 'usual {low} to {high}, both ways', times: '{ratio} times the usual {usual}, both ways', unmetered: 'not metered', down: 'Down', up: 'Up', time: 'Time',
    readout: '{time}: {down} down, {up} up', none: 'Nothing was metered in this time.', noneYet: 'No figures yet. The first come with the next measurement.',
  },
  de: {
    keys: '{label}. Die Pfeiltasten lesen es Punkt für Punkt.', usual: 'üblich {low} bis {high}, beide Richtungen', times: '{ratio}-mal so viel wie die üblichen {usual}, beide Richtungen', unmetered: 'nicht gemessen', down: 'Ab', up: 'Auf', time: 'Zeit',
    readout: '{time}: ab {down}, auf {up}', none: 'In dieser Zeit wurde nichts gemessen.', noneYet: 'Noch keine Zahlen. Die ersten kommen mit der nächsten Messung.',
  },
});

const MOST_ROWS = 60; // of the table for readers
const WRITES_MS = 500; // after the picture: a zoom is drawn in one frame, and its 60 rows of text do not delay it
const FOLLOWS_MS = 50; // after a zoom: its frame is drawn by then, and the view is not drawn again within it
const LONG_MS = 86_400_000 * 2;
const keep = (event: Event) => event.stopPropagation(); // a click has no link here: the router, which looks for one, delays a zoom's frame

/** Something that happened at a time: drawn as its icon, opened by a click. */
export interface Mark {
  atMs: number;
  icon: IconName;
  isGrave: boolean;
  title: string;
  details: string;
}

export interface ChartProps {
  curves: ReadonlySignal<Curves | null>;
  marks?: ReadonlySignal<readonly Mark[]>;
  shades?: ReadonlySignal<readonly (Stretch & { text: string })[]>;
  height: number;
  label: string;
  group: string; // charts of one group share their crosshair
  isLive?: boolean;
  fontPx?: number;
  onZoom?: (fromMs: number, toMs: number) => void;
  onReset?: () => void;
}

interface Reading {
  index: number;
  left: number; // px, in the chart's box
  width: number; // of the box
}

const none = signal<readonly never[]>([]);

/** Build uPlot in the element, keep it up to date, and take it away. */
function usePlot(props: ChartProps, element: { current: HTMLDivElement | null }) {
  const { curves, marks = none, shades = none, height, group, fontPx = 11 } = props;
  const latest = useRef(props);
  latest.current = props;
  const reading = useSignal<Reading | null>(null);
  const drawn = useSignal(0);
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    let isGone = false;
    let end = () => {};
    void import('uplot').then(({ default: Plot }) => {
      const box = element.current;
      if (isGone || box === null) return;
      const picture: Picture = { tokens: tokensOf(document.documentElement), curves: curves.peek() ?? EMPTY, shades: [], marksAtMs: [], fontPx };
      let isZooming = false;
      const show = (next: Curves) => {
        picture.curves = next;
        made.setData([next.at, next.down, next.up, next.low, next.high]);
      };
      const handlers = {
        zoomed: (fromMs: number, toMs: number) => {
          if (latest.current.onZoom === undefined) return;
          isZooming = true;
          show({ ...picture.curves, fromMs, toMs }); // in this frame; marks, the readout, the view's address and finer points come after it
          setTimeout(() => {
            isZooming = false;
            handlers.drawn();
            handlers.moved(made.cursor.idx ?? null);
            latest.current.onZoom?.(fromMs, toMs);
          }, FOLLOWS_MS);
        },
        reset: () => latest.current.onReset?.(),
        moved: (index: number | null) => {
          if (isZooming) return;
          const at = index === null ? undefined : picture.curves.at[index];
          // `offsetLeft` of its box would say the same, and have the page laid out
          reading.value = at === undefined ? null : { index: index!, left: made.valToPos(at, 'x') + made.bbox.left / devicePixelRatio, width: made.width };
        },
        drawn: () => void (isZooming || drawn.value++),
      };
      const made: uPlot = new Plot(optionsOf({ width: box.clientWidth || 600, height }, picture, handlers, group), dataOf(picture.curves), box);
      plot.current = made;
      const ends = [
        effect(() => {
          if (curves.value !== null) show(curves.value);
        }),
        effect(() => {
          picture.marksAtMs = marks.value;
          picture.shades = shades.value;
          made.redraw(false);
        }),
        effect(() => {
          theme.value; // its colours are known when the root has its name
          queueMicrotask(() => {
            Object.assign(picture.tokens, tokensOf(document.documentElement));
            made.redraw(false, true);
          });
        }),
      ];
      const watcher = new ResizeObserver(() => box.clientWidth > 0 && box.clientWidth !== made.width && made.setSize({ width: box.clientWidth, height }));
      watcher.observe(box);
      end = () => {
        ends.forEach((stop) => stop());
        watcher.disconnect();
        made.destroy();
        plot.current = null;
      };
    }, () => undefined); // the shell says that a part is missing
    return () => {
      isGone = true;
      end();
    };
  }, [curves, height, group]);
  return { reading, drawn, plot };
}

const EMPTY: Curves = { at: [], down: [], up: [], low: [], high: [], gaps: [], hasBand: false, fromMs: 0, toMs: 1, stepMs: 1000 };
const dataOf = (one: Curves): uPlot.AlignedData => [one.at, one.down, one.up, one.low, one.high];

export function Chart(props: ChartProps) {
  const { curves, marks = none, label, height, isLive = false } = props;
  const element = useRef<HTMLDivElement>(null);
  const { reading, drawn, plot } = usePlot(props, element);
  const isFocused = useSignal(false);
  const isUnknown = useComputed(() => curves.value === null);
  const isEmpty = useComputed(() => curves.value?.at.length === 0);
  const move = (to: number) => {
    const at = curves.peek()?.at;
    const made = plot.current;
    if (at === undefined || at.length === 0 || made === null) return;
    const index = Math.max(0, Math.min(at.length - 1, to));
    made.setCursor({ left: made.valToPos(at[index]!, 'x'), top: 10 }, true);
  };
  const pressed = (event: KeyboardEvent) => {
    const last = (curves.peek()?.at.length ?? 0) - 1;
    const here = reading.peek()?.index ?? last + 1;
    const targets: Record<string, number> = { ArrowLeft: here - 1, ArrowRight: here + 1, PageUp: here - 10, PageDown: here + 10, Home: 0, End: last };
    const to = targets[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  };
  return (
    <div class="chart">
      <div
        class="plot"
        ref={element}
        style={{ height: `${height}px` }}
        role="img"
        aria-label={say(w.keys, { label })}
        tabIndex={0}
        onKeyDown={pressed}
        onClick={keep}
        onFocus={() => (isFocused.value = true)}
        onBlur={() => {
          isFocused.value = false;
          plot.current?.setCursor({ left: -10, top: -10 }, true);
        }}
      />
      {isUnknown.value && <Late class="none mid" />}
      {isEmpty.value && (
        <p class="none mid" role="status">
          {isLive ? w.noneYet : w.none}
        </p>
      )}
      <Marks marks={marks} drawn={drawn} plot={plot} onOpen={(mark) => move(nearest(curves.peek(), mark.atMs))} />
      <Tip curves={curves} marks={marks} reading={reading} />
      <span class="sr" role="status">
        {isFocused.value && reading.value !== null && readout(curves.value, reading.value.index)}
      </span>
      <ReadersTable curves={curves} label={label} isLive={isLive} />
    </div>
  );
}

function nearest(curves: Curves | null, atMs: number): number {
  const at = curves?.at ?? [];
  return at.reduce((best, one, index) => (Math.abs(one * 1000 - atMs) < Math.abs((at[best] ?? 0) * 1000 - atMs) ? index : best), 0);
}

/** What is said of a point's time: with its day where the chart shows several. */
function timeOf(curves: Curves, index: number): string {
  const atMs = curves.at[index]! * 1000;
  if (curves.stepMs < 60_000) return clockSeconds(atMs);
  const startMs = atMs - curves.stepMs / 2;
  if (curves.stepMs >= 86_400_000) return day(startMs);
  return curves.toMs - curves.fromMs > LONG_MS ? `${day(startMs)} ${clock(startMs)}` : moment(startMs);
}

const rateText = (value: number | null | undefined) => (value === null || value === undefined ? w.unmetered : text(rate(Math.abs(value))));

function readout(curves: Curves | null, index: number): string {
  if (curves === null || curves.at[index] === undefined) return '';
  return say(w.readout, { time: timeOf(curves, index), down: rateText(curves.down[index]), up: rateText(curves.up[index]) });
}

/** The readout, on the side away from the point. */
function Tip({ curves, marks, reading }: { curves: ReadonlySignal<Curves | null>; marks: ReadonlySignal<readonly Mark[]>; reading: ReadonlySignal<Reading | null> }) {
  const box = useRef<HTMLDivElement>(null);
  const here = reading.value;
  const found = curves.value;
  if (here === null || found === null || found.at[here.index] === undefined) return null;
  const { index, left, width } = here;
  const [down, up, low, high] = [found.down[index], found.up[index], found.low[index], found.high[index]];
  const atMs = found.at[index]! * 1000;
  const mark = marks.value.find((one) => Math.abs(one.atMs - atMs) <= found.stepMs);
  const isWide = width >= 520;
  const place = left > width * 0.55 ? { right: `${isWide ? width - left + 12 : width - Math.min(left - 12, 280)}px`, left: 'auto' } : { left: `${left + 12}px` };
  return (
    <div class="tip" ref={box} style={place} aria-hidden="true">
      <b>{timeOf(found, index)}</b>
      <br />
      <span class="arrow-in">↓</span> {rateText(down)} 
      <br />
      <span class="arrow-out">↑</span> {rateText(up)}
      {typeof down === 'number' && typeof up === 'number' && typeof low === 'number' && typeof high === 'number' && <Usual all={down - up} low={low} high={high} />}
      {mark && (
        <span class="said">
          <b>{mark.title}</b> {mark.details}
        </span>
      )}
    </div>
  );
}

/** What is usual for both ways together, and how far this is from it. */
function Usual({ all, low, high }: { all: number; low: number; high: number }) {
  const usual = (low + high) / 2;
  if (all > high && usual > 0) return <span class="said warn-ink">{say(w.times, { ratio: three(all / usual), usual: text(rate(usual)) })}</span>;
  const [from, to] = [rate(low), rate(high)];
  return <span class="said dim">{say(w.usual, { low: from[1] === to[1] ? from[0] : text(from), high: text(to) })}</span>;
}

interface MarksProps {
  marks: ReadonlySignal<readonly Mark[]>;
  drawn: ReadonlySignal<number>;
  plot: { current: uPlot | null };
  onOpen: (mark: Mark) => void;
}

function Marks({ marks, drawn, plot, onOpen }: MarksProps) {
  const made = marks.value.length > 0 && drawn.value > 0 ? plot.current : null;
  if (made === null) return null;
  const { min, max } = made.scales.x!;
  return (
    <>
      {marks.value
        .filter((mark) => mark.atMs / 1000 >= (min ?? 0) && mark.atMs / 1000 <= (max ?? 0))
        .map((mark) => (
          <button
            key={`${mark.atMs} ${mark.title}`}
            type="button"
            class={`mark ${mark.isGrave ? 'warn' : ''}`}
            style={{ left: `${made.valToPos(mark.atMs / 1000, 'x') + made.bbox.left / devicePixelRatio}px` }}
            aria-label={`${mark.title}, ${moment(mark.atMs)}. ${mark.details}`}
            onClick={() => onOpen(mark)}
          >
            <Icon name={mark.icon} />
          </button>
        ))}
    </>
  );
}

/** The same as a table, for readers. A live one is written anew each minute and not each second. */
function ReadersTable({ curves, label, isLive }: { curves: ReadonlySignal<Curves | null>; label: string; isLive: boolean }) {
  const isKnown = useComputed(() => curves.value !== null);
  const written = useSignal<Curves | null>(null);
  useEffect(
    () =>
      effect(() => {
        if (isLive) void (minute.value, isKnown.value);
        const found = isLive ? curves.peek() : curves.value;
        const timer = setTimeout(() => (written.value = found), WRITES_MS);
        return () => clearTimeout(timer);
      }),
    [curves, isLive],
  );
  const rows = useComputed(() => {
    const found = written.value;
    return found === null ? [] : tableOf(found, MOST_ROWS).map((row) => ({ ...row, isSecond: found.stepMs < 60_000 }));
  });
  return (
    <div class="sr">
      <table>
        <caption>{label}</caption>
        <thead>
          <tr>
            <th scope="col">{w.time}</th>
            <th scope="col">{w.down}</th>
            <th scope="col">{w.up}</th>
          </tr>
        </thead>
        <tbody>
          {rows.value.map((row) => (
            <tr key={row.atMs}>
              <th scope="row">{row.isSecond ? clockSeconds(row.atMs) : moment(row.atMs)}</th>
              <td>{rateText(row.down)}</td>
              <td>{rateText(row.up)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
