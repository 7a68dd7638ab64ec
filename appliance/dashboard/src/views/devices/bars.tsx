/** Hours as columns: how much a device carried in each. */
import { clock, text, volume } from '../../live/formats';

export function Bars({ points, label }: { points: readonly [string, number, number][]; label: string }) {
  const top = Math.max(1, ...points.map(([, up, down]) => up + down));
  return (
    <div class="columns" role="img" aria-label={label}>
      {points.map(([start, up, down], at) => (
        <div key={start} title={`${clock(start)}: ${text(volume(up + down))}`}>
          <span class="area short">
            <i style={{ height: `${((up + down) / top) * 100}%` }} />
          </span>
          <span class="dim">{at % 6 === 0 ? clock(start).slice(0, 2) : '\u00a0'}</span>
        </div>
      ))}
    </div>
  );
}
