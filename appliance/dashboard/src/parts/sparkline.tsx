/** A small chart of the last minutes for a row: drawn no more often than it can be seen to move. */
import { effect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

import { gapOf, missed, periodMs, type Recent } from '../live/state';

const SPAN_MS = 300_000;
const WIDTH = 72;
const HEIGHT = 24;
const EDGE = 1.5; // above and below the line, for its own width
const EVERY_POINTS = 4; // a pixel is four seconds wide

const seen = new WeakMap<Element, () => void>();
const sight = new IntersectionObserver((entries) => entries.forEach((one) => one.isIntersecting && seen.get(one.target)?.()), { rootMargin: '100px' });

/** Rates of both ways together. `top`: bytes a second at the upper edge, the same for all rows; the scale is by square root.
 * `onSeen`: the row is in sight; again after something was missed.
 *
 * It is a path and no canvas: the browser makes a layer of each canvas, and of all that lies between two of them. Rows out
 * of sight are drawn with the others: a row that was drawn as it comes into sight would have the page painted in each frame.
 */
export function Sparkline({ recent, top, onSeen }: { recent: Recent; top: ReadonlySignal<number>; onSeen?: () => void }) {
  const line = useRef<SVGPathElement>(null);
  useEffect(() => {
    const path = line.current!;
    let [drawnAt, drawnTo] = [-Infinity, 0];
    return effect(() => {
      const [now, scale] = [recent.version.value, top.value];
      if (now - drawnAt < EVERY_POINTS && scale === drawnTo) return;
      [drawnAt, drawnTo] = [now, scale];
      path.setAttribute('d', pathOf(recent, scale));
    });
  }, [recent]);
  useEffect(() => {
    const box = line.current!.ownerSVGElement!;
    seen.set(box, () => onSeen?.());
    const stop = effect(() => {
      missed.value;
      sight.unobserve(box);
      sight.observe(box); // which tells anew whether it is in sight
    });
    return () => {
      stop();
      sight.unobserve(box);
    };
  }, [recent]);
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <path ref={line} />
    </svg>
  );
}

/** The line: a point for each pixel, the mean of its seconds; what was not metered is a gap in it. */
function pathOf({ atMs, down, up, count }: Recent, top: number): string {
  if (count < 2) return '';
  const end = atMs[count - 1]!;
  const gapMs = gapOf(periodMs());
  const column = (i: number) => Math.floor((1 - (end - atMs[i]!) / SPAN_MS) * WIDTH);
  let text = '';
  let move = 'M';
  for (let i = 0; i < count; ) {
    const x = column(i);
    let [sum, points] = [0, 0];
    const first = i;
    do {
      sum += down[i]! + up[i]!;
      points++;
      i++;
    } while (i < count && column(i) === x && atMs[i]! - atMs[i - 1]! < gapMs);
    if (first > 0 && atMs[first]! - atMs[first - 1]! >= gapMs) move = 'M';
    const y = HEIGHT - EDGE - Math.sqrt(Math.min(1, sum / points / Math.max(1, top))) * (HEIGHT - 2 * EDGE);
    if (x >= 0) {
      text += `${move}${x} ${y.toFixed(1)}`;
      move = 'L';
    }
  }
  return text;
}
