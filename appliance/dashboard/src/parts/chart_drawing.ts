/** How a chart is drawn: uPlot's options in the page's colours, and what uPlot does not draw (gaps, stretches, marks). */
import type uPlot from 'uplot';

import { ticks } from '../live/calendar';
import { clock, clockSeconds, day, rate, text } from '../live/formats';
import type { Curves, Stretch } from './chart_data';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AXIS_PX = 74; // "40.0 Mbit/s" and a space
const TICK_PX = 84; // between two marks of time
const MOST_TICKS = 8; // so that five minutes are marked by the minute
const LINE_PX = 56; // between two lines of rate
const THICK_PX = 1.5;
const DENSE_PX = 6; // between two points: closer ones are joined by a line of 1 px, whose peaks stand apart, and which is drawn in a third of the time

export interface Tokens {
  ink3: string;
  line: string;
  line2: string;
  in: string;
  out: string;
  band: string;
  shade: string;
  warn: string;
  control: string;
  font: string;
}

/** The colours of the theme that is on. */
export function tokensOf(root: HTMLElement): Tokens {
  const style = getComputedStyle(root);
  const get = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink3: get('ink-3'), line: get('line'), line2: get('line-2'), in: get('in'), out: get('out'), band: get('band'),
    shade: `${get('ink')}12`, warn: get('warn'), control: get('control'), font: get('font'),
  };
}

export interface Picture {
  tokens: Tokens;
  curves: Curves;
  shades: readonly (Stretch & { text: string })[];
  marksAtMs: readonly { atMs: number; isGrave: boolean }[];
  fontPx: number;
}

export interface Handlers {
  zoomed: (fromMs: number, toMs: number) => void;
  reset: () => void;
  moved: (index: number | null) => void;
  drawn: () => void;
}

const alpha = (color: string, hex: string) => (color.length === 7 ? color + hex : color);

function lines(min: number, max: number, heightPx: number): number[] {
  const rough = ((max - min) * 8) / Math.max(2, heightPx / LINE_PX);
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((one) => one * size >= rough) ?? 10) * (size / 8);
  const found: number[] = [];
  for (let at = Math.ceil(min / step); at * step <= max; at++) found.push(at * step);
  return found;
}

/** A mark of time, as short as its span allows. */
function timeText(atMs: number, spanMs: number, stepMs: number): string {
  if (spanMs > 3 * DAY_MS) return day(atMs);
  if (stepMs < 60_000) return clockSeconds(atMs);
  const said = clock(atMs);
  return spanMs > DAY_MS && said === '00:00' ? day(atMs) : said;
}

/** From below the most that went up to above the most that came down; never nothing. */
function range({ down, up, high }: Curves): [number, number] {
  let top = 0;
  let low = 0;
  for (let at = 0; at < down.length; at++) {
    top = Math.max(top, down[at] ?? 0, high[at] ?? 0);
    low = Math.min(low, up[at] ?? 0);
  }
  if (top === 0 && low === 0) top = 12_500; // an empty chart of 100 kbit/s
  return [low * 1.15 - top * 0.02, Math.max(top * 1.08, -low * 0.2)];
}

/** The options of one chart. `picture` is read anew at each drawing. */
export function optionsOf(size: { width: number; height: number }, picture: Picture, handlers: Handlers, syncKey: string): uPlot.Options {
  const { tokens } = picture;
  const isEmpty = () => picture.curves.at.length === 0; // then no axis has anything to say
  const font = () => `${picture.fontPx}px ${tokens.font}`;
  const curve = (color: 'in' | 'out', fill: string): uPlot.Series => ({
    scale: 'y', stroke: () => tokens[color], width: THICK_PX, points: { show: false }, spanGaps: false,
    fill: () => (color === 'in' && picture.curves.hasBand ? '' : alpha(tokens[color], fill)), // a band and an area over each other are mud
  });
  const edge: uPlot.Series = { scale: 'y', stroke: () => alpha(tokens.in, 'b3'), width: 1, dash: [2, 4], points: { show: false }, spanGaps: false };
  const axis = (side: number): uPlot.Axis => ({ side, stroke: () => tokens.ink3, font: font(), ticks: { show: false } });
  return {
    ...size,
    padding: [10, 16 * (picture.fontPx / 11), 0, 0], // half a mark of time at the right edge
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      sync: { key: syncKey, setSeries: false, scales: ['x', null], filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave', sub: () => true } },
      points: { show: (_, series) => (series <= 2 ? pointOf(series) : (null as never)) },
      bind: { dblclick: () => () => (handlers.reset(), null) },
    },
    scales: { x: { time: false, range: () => [picture.curves.fromMs / 1000, picture.curves.toMs / 1000] }, y: { range: () => range(picture.curves) } },
    series: [{}, curve('in', '1f'), curve('out', '26'), edge, edge],
    bands: [{ series: [4, 3], fill: () => tokens.band }],
    axes: [
      {
        ...axis(2), size: 26, gap: 6, grid: { show: false },
        splits: (self, _, from, to) => isEmpty() ? [] : ticks(from * 1000, to * 1000, Math.min(MOST_TICKS, Math.max(2, Math.floor(self.width / (TICK_PX * (picture.fontPx / 11)))))).map((at) => at / 1000),
        values: (self, at) => at.map((one) => timeText(one * 1000, (self.scales.x!.max! - self.scales.x!.min!) * 1000, ((at[1] ?? Infinity) - (at[0] ?? 0)) * 1000)),
      },
      {
        ...axis(3), scale: 'y', size: AXIS_PX * (picture.fontPx / 11), gap: 8, grid: { stroke: () => tokens.line, width: 1 },
        splits: (self, _, min, max) => isEmpty() ? [] : lines(min, max, self.height * (11 / picture.fontPx)),
        values: (_, at) => at.map((one) => (Math.abs(one) < 1 ? '0' : text(rate(Math.abs(one))))),
      },
    ],
    hooks: {
      drawAxes: [(self) => (thin(self), drawStretches(self, picture))],
      draw: [(self) => (drawMarks(self, picture), handlers.drawn())],
      setSelect: [
        (self) => {
          const { left, width } = self.select;
          if (width < 4) return;
          const [from, to] = [self.posToVal(left, 'x') * 1000, self.posToVal(left + width, 'x') * 1000];
          self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          handlers.zoomed(from, to);
        },
      ],
      setCursor: [(self) => handlers.moved(self.cursor.idx ?? null)],
    },
  };
}

/** Where the crosshair meets a curve; its colours are in the style sheet, so a change of the theme finds them. */
function pointOf(series: number): HTMLElement {
  const point = document.createElement('div');
  point.className = series === 1 ? 'at-down' : 'at-up';
  return point;
}

/** Curves with many points are drawn thinner. uPlot reads a curve's width when it draws it. */
function thin(self: uPlot): void {
  const [first, last] = self.series[0]!.idxs ?? [0, 0];
  const isDense = (last - first) * DENSE_PX > self.width;
  for (const curve of self.series.slice(1, 3)) curve.width = isDense ? 1 : THICK_PX;
}

/** What was not metered is hatched, maintenance is grey, and zero is a line. */
function drawStretches(self: uPlot, { curves, shades, tokens, fontPx }: Picture): void {
  const { ctx } = self;
  const { left, top, width, height } = self.bbox;
  const x = (ms: number) => Math.min(left + width, Math.max(left, self.valToPos(ms / 1000, 'x', true)));
  ctx.save();
  for (const { fromMs, toMs, text: said } of shades) {
    const [from, to] = [x(fromMs), x(toMs)];
    if (to - from < 1) continue;
    ctx.fillStyle = tokens.shade;
    ctx.fillRect(from, top, to - from, height);
    ctx.fillStyle = tokens.ink3;
    ctx.font = `${fontPx * devicePixelRatio}px ${tokens.font}`;
    ctx.textAlign = 'left';
    if (to - from > 40) ctx.fillText(said, from + 5, top + 14 * devicePixelRatio);
  }
  const hatched = curves.gaps.length > 0 ? hatchOf(ctx, tokens.line2) : null;
  for (const { fromMs, toMs } of curves.gaps) {
    const [from, to] = [x(fromMs), x(toMs)];
    if (hatched === null || to - from < 1) continue;
    ctx.fillStyle = hatched;
    ctx.fillRect(from, top, to - from, height);
  }
  const zero = Math.round(self.valToPos(0, 'y', true)) + 0.5;
  ctx.strokeStyle = tokens.line2;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(left, zero);
  ctx.lineTo(left + width, zero);
  ctx.stroke();
  ctx.restore();
}

let hatch: { color: string; pattern: CanvasPattern | null } = { color: '', pattern: null }; // the same for all charts, made once for a theme

function hatchOf(ctx: CanvasRenderingContext2D, color: string): CanvasPattern | null {
  if (hatch.color !== color) hatch = { color, pattern: drawnHatch(ctx, color) };
  return hatch.pattern;
}

function drawnHatch(ctx: CanvasRenderingContext2D, color: string): CanvasPattern | null {
  const size = 7;
  const tile = document.createElement('canvas');
  tile.width = tile.height = size;
  const pen = tile.getContext('2d');
  if (pen === null) return null;
  pen.strokeStyle = color;
  pen.lineWidth = 1;
  pen.beginPath();
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, size);
    pen.lineTo(shift + size, 0);
  }
  pen.stroke();
  return ctx.createPattern(tile, 'repeat');
}

function drawMarks(self: uPlot, { marksAtMs, tokens }: Picture): void {
  const { ctx } = self;
  const { left, top, width, height } = self.bbox;
  ctx.save();
  ctx.setLineDash([2, 3]);
  for (const { atMs, isGrave } of marksAtMs) {
    const x = self.valToPos(atMs / 1000, 'x', true);
    if (x < left || x > left + width) continue;
    ctx.strokeStyle = isGrave ? tokens.warn : tokens.control;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
  }
  ctx.restore();
}
