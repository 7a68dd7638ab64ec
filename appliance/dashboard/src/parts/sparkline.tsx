/** A small chart of the last minutes for a row: drawn when it is in sight, and no more often than it can be seen to move. */
import { effect, type ReadonlySignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

import { gapOf, missed, periodMs, type Recent } from '../live/state';
import { theme } from '../shell/theme';

const SPAN_MS = 300_000;
const WIDTH = 72;
const HEIGHT = 24;
const EVERY_POINTS = 4; // a pixel is four seconds wide

let color = ''; // of the theme that is on
theme.subscribe(() => (color = ''));

const watched = new WeakMap<Element, (isSeen: boolean) => void>();
const sight = new IntersectionObserver((entries) => entries.forEach((one) => watched.get(one.target)?.(one.isIntersecting)), { rootMargin: '100px' });

/** Rates of both ways together. `top`: bytes a second at the upper edge, the same for all rows; the scale is by square root. */
export function Sparkline({ recent, top, onSeen }: { recent: Recent; top: ReadonlySignal<number>; onSeen?: () => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const box = canvas.current!;
    let isSeen = false;
    let drawnAt = -1;
    const look = () => {
      const now = recent.version.value;
      const scale = top.value;
      theme.value;
      if (!isSeen || (drawnAt >= 0 && now - drawnAt < EVERY_POINTS && now >= drawnAt)) return;
      drawnAt = now;
      draw(box, recent, scale);
    };
    const stop = effect(look);
    const stopTheme = effect(() => {
      theme.value;
      drawnAt = -1;
      queueMicrotask(() => isSeen && draw(box, recent, top.peek()));
    });
    const stopMissed = effect(() => {
      missed.value;
      if (isSeen) onSeen?.();
    });
    watched.set(box, (seen) => {
      isSeen = seen;
      if (!seen) return;
      drawnAt = recent.version.peek();
      draw(box, recent, top.peek());
      onSeen?.();
    });
    sight.observe(box);
    return () => {
      stop();
      stopTheme();
      stopMissed();
      sight.unobserve(box);
      watched.delete(box);
    };
  }, [recent]);
  return <canvas class="spark" ref={canvas} width={WIDTH * 2} height={HEIGHT * 2} aria-hidden="true" />;
}

function draw(canvas: HTMLCanvasElement, { atMs, down, up, count }: Recent, top: number): void {
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  if (count < 2) return;
  pen.strokeStyle = color ||= getComputedStyle(document.documentElement).getPropertyValue('--in');
  pen.lineWidth = 2.5;
  pen.lineJoin = 'round';
  pen.beginPath();
  const end = atMs[count - 1]!;
  const gapMs = gapOf(periodMs());
  let before = -Infinity;
  for (let i = 0; i < count; i++) {
    const x = (1 - (end - atMs[i]!) / SPAN_MS) * canvas.width;
    const y = canvas.height - 3 - Math.sqrt(Math.min(1, (down[i]! + up[i]!) / Math.max(1, top))) * (canvas.height - 6);
    if (atMs[i]! - before >= gapMs) pen.moveTo(x, y);
    else pen.lineTo(x, y);
    before = atMs[i]!;
  }
  pen.stroke();
}
