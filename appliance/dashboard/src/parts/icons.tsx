/** Icons: 16 x 16, stroke 1.5, in the colour of the text. Shape tells a state; colour only repeats it. */

const PATHS = {
  overview: '<path d="M2 9.5h2.5L6 4l3.5 9 2-5.5H14"/>',
  department: '<path d="M2.5 13.5v-8l5-3 5 3v8zM6 13.5v-3h3v3M5.5 7h.01M9.5 7h.01"/>',
  device: '<path d="M3.5 3.5h9v6.5h-9zM1.5 12.5h13"/>',
  website: '<circle cx="8" cy="8" r="6"/><path d="M2 8h12M8 2c4 4 4 8 0 12M8 2c-4 4-4 8 0 12"/>',
  incident: '<path d="M8 1.75 14.25 8 8 14.25 1.75 8zM8 5.5v3M8 10.6v.01"/>',
  block: '<circle cx="8" cy="8" r="6"/><path d="m3.8 3.8 8.4 8.4"/>',
  quota: '<path d="M2.5 11.5a6 6 0 1 1 11 0M8 9l2.8-3.2"/><circle cx="8" cy="9.4" r=".8"/>',
  maintenance: '<path d="M13.6 4.3 11.2 6.7 9.3 4.8l2.4-2.4a3.6 3.6 0 0 0-4.8 4.5L2.4 11.4l2.2 2.2 4.5-4.5a3.6 3.6 0 0 0 4.5-4.8z"/>',
  health: '<rect x="3.5" y="3.5" width="9" height="9" rx="1"/><path d="M6 1.5v2M10 1.5v2M6 12.5v2M10 12.5v2M1.5 6h2M1.5 10h2M12.5 6h2M12.5 10h2"/>',
  report: '<path d="M4 1.75h5.5L12.5 5v9.25H4zM9.5 1.75V5h3M6.2 11.5V9.2M8.3 11.5V7.5M10.4 11.5v-1.6"/>',
  people: '<circle cx="6" cy="5.2" r="2.4"/><path d="M1.8 13.5c0-2.6 1.8-4.2 4.2-4.2s4.2 1.6 4.2 4.2M10.5 3.1a2.3 2.3 0 0 1 0 4.3M12 9.8c1.4.6 2.2 1.9 2.2 3.7"/>',
  audit: '<path d="M2 3.5 3 4.5l1.6-1.9M2 8l1 1 1.6-1.9M2 12.5l1 1 1.6-1.9M7 4h7M7 8.5h7M7 13h7"/>',
  settings: '<path d="M2 4.5h6M11.5 4.5H14M2 11.5h2.5M8 11.5h6"/><circle cx="9.7" cy="4.5" r="1.7"/><circle cx="6.2" cy="11.5" r="1.7"/>',
  search: '<circle cx="7" cy="7" r="4.5"/><path d="m10.4 10.4 3.6 3.6"/>',
  ok: '<circle cx="8" cy="8" r="6.25"/><path d="m5.2 8.2 2 2 3.8-4.2"/>',
  warn: '<path d="M8 1.9 14.6 13.5H1.4zM8 6.2v3.4M8 11.5v.01"/>',
  crit: '<path d="M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4zM8 4.8v3.8M8 11v.01"/>',
  info: '<circle cx="8" cy="8" r="6.25"/><path d="M8 7.4v3.6M8 4.9v.01"/>',
  down: '<path d="M8 2.5v11M3.5 9 8 13.5 12.5 9"/>',
  up: '<path d="M8 13.5v-11M3.5 7 8 2.5 12.5 7"/>',
  rising: '<path d="m2 11.5 4-4 2.5 2.5L14 4.5M10 4.5h4v4"/>',
  falling: '<path d="m2 4.5 4 4L8.5 6l5.5 5.5M10 11.5h4v-4"/>',
  level: '<path d="M2 8h12"/>',
  chevron: '<path d="m6 3.5 4.5 4.5L6 12.5"/>',
  more: '<path d="M3.5 8h.01M8 8h.01M12.5 8h.01"/>',
  close: '<path d="m3.5 3.5 9 9M12.5 3.5l-9 9"/>',
  plus: '<path d="M8 2.5v11M2.5 8h11"/>',
  clock: '<circle cx="8" cy="8" r="6.25"/><path d="M8 4.5V8l2.5 1.8"/>',
  lock: '<path d="M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2"/>',
  key: '<circle cx="5" cy="11" r="2.7"/><path d="m7 9 6.5-6.5M11 5l2 2M9.3 6.7l1.2 1.2"/>',
  download: '<path d="M8 2v8.5M4.5 7 8 10.5 11.5 7M2.5 13.5h11"/>',
  print: '<path d="M4.5 6V2h7v4M4.5 11.5h-2V6h11v5.5h-2M4.5 9.5h7V14h-7z"/>',
  undo: '<path d="M5.5 2.5 2.5 5.5l3 3M2.5 5.5h7a4 4 0 0 1 0 8H6"/>',
  sun: '<circle cx="8" cy="8" r="2.7"/><path d="M8 1.5v1.7M8 12.8v1.7M1.5 8h1.7M12.8 8h1.7M3.4 3.4l1.2 1.2M11.4 11.4l1.2 1.2M12.6 3.4l-1.2 1.2M4.6 11.4l-1.2 1.2"/>',
  moon: '<path d="M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z"/>',
  cable: '<path d="M5 2v3M8 2v3M3.5 5h6v3a3 3 0 0 1-6 0zM6.5 11v1a2 2 0 0 0 4 0v-2a2 2 0 0 1 4 0v4"/>',
  phone: '<rect x="4.5" y="1.75" width="7" height="12.5" rx="1.2"/><path d="M7.2 12h1.6"/>',
  printer: '<path d="M4.5 6V2h7v4M4.5 11.5h-2V6h11v5.5h-2M4.5 9.5h7V14h-7z"/>',
  server: '<path d="M2.5 2.5h11v4.5h-11zM2.5 9h11v4.5h-11zM5 4.75h.01M5 11.25h.01"/>',
} as const;

export type IconName = keyof typeof PATHS;

/** An icon beside words that say the same, so readers skip it. */
export function Icon({ name, class: more = '' }: { name: IconName; class?: string }) {
  return <svg class={`i ${more}`} viewBox="0 0 16 16" aria-hidden="true" dangerouslySetInnerHTML={{ __html: PATHS[name] }} />;
}

/** The device's picture. */
export function Mark() {
  return (
    <svg viewBox="0 0 28 28" aria-hidden="true">
      <rect x="1" y="7" width="26" height="14" rx="3" fill="currentColor" />
      <g fill="var(--ground)">
        <rect x="5" y="11" width="4" height="6" />
        <rect x="11" y="11" width="4" height="6" />
      </g>
      <circle cx="21.5" cy="14" r="2.2" fill="var(--ok)" />
    </svg>
  );
}

export type State = 'ok' | 'warn' | 'crit' | 'incident';
const STATES: Record<State, [IconName, string]> = { ok: ['ok', 'mark-ok'], warn: ['warn', 'mark-warn'], crit: ['crit', 'mark-crit'], incident: ['incident', 'mark-crit'] };

/** The shape and colour of a state; the words beside it are the caller's. */
export function StateMark({ state }: { state: State }) {
  const [name, tone] = STATES[state];
  return <Icon name={name} class={tone} />;
}
