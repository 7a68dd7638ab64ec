/** The frame of every view: rail, head, banners, tabs of a phone, and the keys that work everywhere. */
import { computed, signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { blockCounts } from '../live/block_counts';
import { dayStart, hourOf } from '../live/calendar';
import { minute, nowMs, second, zone } from '../live/clock';
import { clock, clockSeconds, countdown, day, full, span, visible } from '../live/formats';
import { isIncomplete, isOutdated, updated } from '../live/edition';
import { openIncidents } from '../live/incidents';
import { holder, isAdministrator, may } from '../live/session';
import { appliance, comingMaintenance, dataFrom, departments, endOf, freshness, isOpen, isReadOnly, trial } from '../live/state';
import { deferred } from '../parts/deferred';
import { Icon, Mark } from '../parts/icons';
import { ActionButton, change, sentenceOf, toast, Toasts } from '../parts/actions';
import { Late } from '../parts/notices';
import { parts, say, words } from '../words/words';
import { focusRow, useKeys } from './keyboard';
import { names, VIEWS, type ViewName } from './navigation';
import { Search } from './search';
import { chooseTheme, theme } from './theme';

const w = words({
  en: {
    skip: 'Skip to content', main: 'Main', mainShort: 'Main, short', light: 'Light colours', dark: 'Dark colours', open: 'open: ',
    live: 'Live', newest: 'Newest data {time}', reconnecting: 'Reconnecting', from: 'data from {time}', stale: 'Stale', since: 'since {time}, {span}', waiting: 'Connecting',
    of: '{role} of {departments}', ofAll: '{role} of all', admin: 'admin', operator: 'operator', viewer: 'viewer',
    maintenance: '{until} Metering and blocks go on; changes are refused.', opened: '{until} Blocks and quotas are not enforced; metering goes on, and changes are refused.', until: 'Maintenance until {time}.', extend: 'Extend', end: 'End now', ends: 'ends in {span}',
    announced: 'Maintenance {day}, {from} to {to}.', tonight: 'tonight', today: 'today', in: 'in {time}', details: 'Details', onTrial: 'A configuration is on trial.', trial: '{what} {who}, {time}. Can you still reach everything?', back: 'Take back', isBack: 'The former configuration is back.', keep: 'Keep it', extended: 'The maintenance goes on for one more hour.',
    ended: 'The maintenance has ended.', kept: 'This is the configuration from now on.', simulated: 'SIMULATED', updated: 'The appliance was updated. It runs version {now}; this page is of {then}.', replaced: 'The appliance was updated. This page is the one of before.', incomplete: 'A part of this page could not be loaded.', reload: 'Reload',
  },
  de: {
    skip: 'Zum Inhalt', main: 'Hauptmenü', mainShort: 'Hauptmenü, kurz', light: 'Helle Farben', dark: 'Dunkle Farben', open: 'offen: ',
    live: 'Live', newest: 'Neueste Daten {time}', reconnecting: 'Verbindet neu', from: 'Daten von {time}', stale: 'Veraltet', since: 'seit {time}, {span}', waiting: 'Verbindet',
    of: '{role} von {departments}', ofAll: '{role} von allem', admin: 'Verwalter', operator: 'Bediener', viewer: 'Betrachter',
    maintenance: '{until} Messung und Sperren gehen weiter; Änderungen werden abgelehnt.', opened: '{until} Sperren und Kontingente sind nicht wirksam; gemessen wird weiter, und Änderungen werden abgelehnt.', until: 'Wartung bis {time}.', extend: 'Verlängern', end: 'Jetzt beenden', ends: 'endet in {span}',
    announced: 'Wartung {day}, {from} bis {to}.', tonight: 'heute Nacht', today: 'heute', in: 'in {time}', details: 'Einzelheiten', onTrial: 'Eine Konfiguration ist auf Probe.', trial: '{what} {who}, {time}. Ist noch alles erreichbar?', back: 'Zurücknehmen', isBack: 'Die vorige Konfiguration gilt wieder.', keep: 'Behalten', extended: 'Die Wartung geht eine Stunde länger.',
    ended: 'Die Wartung ist beendet.', kept: 'Das ist von jetzt an die Konfiguration.', simulated: 'SIMULIERT', updated: 'Das Gerät wurde aktualisiert. Es hat Version {now}; diese Seite ist von {then}.', replaced: 'Das Gerät wurde aktualisiert. Diese Seite ist die von vorher.', incomplete: 'Ein Teil dieser Seite ließ sich nicht laden.', reload: 'Neu laden',
  },
});

/** Where one is: set by each view, shown in the head and in the title. */
export const crumbs = signal<{ text: string; href?: string }[]>([]);

/** Name the view, in the head and in the window's title. */
export function useTitle(...path: { text: string; href?: string }[]): void {
  const key = path.map((one) => one.text).join(' - ');
  useEffect(() => {
    crumbs.value = path;
    document.title = [...path.map((one) => one.text).reverse(), 'Appliance'].join(' - ') + (appliance.peek()?.simulated ? ` (${w.simulated})` : '');
  }, [key, appliance.value?.simulated]);
}

const devicesSeen = computed(() => departments.value.reduce((sum, one) => sum + (one.devices.value ?? 0), 0));

function Count({ of }: { of: ViewName }) {
  if (of === 'incidents') {
    const open = openIncidents.value.length;
    return open > 0 ? (
      <span class="n crit-ink">
        <span class="sr">{w.open}</span>
        {open}
      </span>
    ) : null;
  }
  const counts: Partial<Record<ViewName, number>> = { departments: departments.value.length, devices: devicesSeen.value, blocks: blockCounts.value?.all ?? 0 };
  return counts[of] ? <span class="n">{counts[of]}</span> : null;
}

function isHere(path: string, view: string): boolean {
  return view === '/' ? path === '/' : path === view || path.startsWith(`${view}/`);
}

function Rail({ path }: { path: string }) {
  const box = appliance.value;
  const who = holder.value;
  const role = who === null ? '' : w[who.role];
  const isDark = theme.value === 'dark';
  return (
    <nav class="rail" aria-label={w.main}>
      <a class="brand" href="/">
        <Mark />
        <span>
          <b>Appliance</b>
          <small>{box === null ? '\u00a0' : `${box.name}, ${box.position}`}</small>
          {box?.simulated && <span class="sim">{w.simulated}</span>}
        </span>
      </a>
      {VIEWS.filter((view) => !view.isForAdministrators || isAdministrator.value).map((view) => (
        <>
          {view.beginsGroup && <hr />}
          <a key={view.name} class="nav" href={view.path} aria-current={isHere(path, view.path) ? 'page' : undefined}>
            <Icon name={view.icon} />
            <span>{names[view.name]}</span>
            <Count of={view.name} />
          </a>
        </>
      ))}
      <div class="who row">
        <span class="cut">
          <b>{who?.subject}</b>
          <br />
          <span class="dim">{who === null ? '' : who.departments === null ? say(w.ofAll, { role }) : say(w.of, { role, departments: who.departments.join(', ') })}</span>
        </span>
        <button type="button" class="btn bare push" aria-label={isDark ? w.light : w.dark} onClick={() => chooseTheme(isDark ? 'light' : 'dark')}>
          <Icon name={isDark ? 'sun' : 'moon'} />
        </button>
      </div>
    </nav>
  );
}

/** What the page knows about its own freshness. */
export function Pill() {
  const from = dataFrom.value;
  const at = from === null ? '' : clockSeconds(from);
  if (freshness.value === 'live')
    return (
      <span class="pill" title={say(w.newest, { time: at })}>
        <i />
        <b>{w.live}</b>
      </span>
    );
  if (freshness.value === 'stale')
    return (
      <span class="pill stale">
        <i />
        <b>{w.stale}</b> {from !== null && say(w.since, { time: at, span: span((second.value - Date.parse(from)) / 1000) })}
      </span>
    );
  return (
    <span class="pill reconnecting">
      <i />
      <b>{freshness.value === 'waiting' ? w.waiting : w.reconnecting}</b> {from !== null && say(w.from, { time: at })}
    </span>
  );
}

function Head() {
  const path = crumbs.value;
  const box = appliance.value;
  return (
    <header class="head">
      <div class={`crumb cut ${path.length < 2 ? 'top' : ''}`}>
        <b class="cut device">{box?.name}</b>
        {path.map((one, at) => (
          <>
            {at > 0 && <Icon name="chevron" />}
            {one.href ? <a href={one.href}>{one.text}</a> : <b class="cut">{one.text}</b>}
          </>
        ))}
      </div>
      {box?.simulated && <span class="sim narrow">{w.simulated}</span>}
      <Search />
      <Pill />
      <span class="dim wide nowrap" title={zone.value}>
        {clock(minute.value)} <span class="sr">{zone.value}</span>
      </span>
    </header>
  );
}

const TRIAL_MS = 120_000; // how long the appliance tries a configuration

function Trial() {
  const on = trial.value!;
  second.value;
  const leftS = (on.endsAtMs - performance.now()) / 1000;
  const act = (name: 'config:confirm' | 'config:revert') => change(name, {}).then(() => toast(name === 'config:confirm' ? w.kept : w.isBack), (error: unknown) => toast(sentenceOf(error)));
  return (
    <div class="banner" role="status">
      <span>
        <Icon name="settings" />
        {parts(w.trial, { what: <b>{w.onTrial}</b>, who: visible(on.actor), time: clock(nowMs() + leftS * 1000 - TRIAL_MS) })}
      </span>
      <span class="count" role="timer" aria-label={say(w.ends, { span: span(leftS) })}>
        {countdown(leftS)}
      </span>
      {isAdministrator.value && (
        <>
          <ActionButton inMaintenance onClick={() => act('config:revert')}>
            {w.back}
          </ActionButton>
          <ActionButton class="main" inMaintenance onClick={() => act('config:confirm')}>
            {w.keep}
          </ActionButton>
        </>
      )}
    </div>
  );
}

const EVENING = 18; // o'clock: from here to the morning it is tonight
const MORNING = 6;

function dayText(atMs: number): string {
  const [today, hour] = [dayStart(second.value), hourOf(atMs)];
  const away = Math.round((dayStart(atMs) - today) / 86_400_000);
  if ((away === 0 && hour >= EVENING) || (away === 1 && hour < MORNING)) return w.tonight;
  return away === 0 ? w.today : day(atMs);
}

function Maintenance() {
  const found = comingMaintenance.value!;
  const [impact, startMs, endMs] = [found.impact, Date.parse(found.startTime), endOf(found)];
  second.value;
  if (!isReadOnly.value)
    return (
      <div class="banner" role="status">
        <span>
          <Icon name="maintenance" />
          <b>{say(w.announced, { day: dayText(startMs), from: clock(startMs), to: clock(endMs) })}</b> {visible(impact)}
        </span>
        <span class="count" role="timer">
          {say(w.in, { time: countdown((startMs - second.value) / 1000) })}
        </span>
        <a class="btn" href="/maintenance">
          {w.details}
        </a>
      </div>
    );
  const said = (text: string) => [() => toast(text), (error: unknown) => toast(sentenceOf(error))] as const;
  return (
    <div class="banner" role="status">
      <span title={full(endMs)}>
        <Icon name="maintenance" />
        {parts(isOpen.value ? w.opened : w.maintenance, { until: <b>{say(w.until, { time: clock(endMs) })}</b> })}
      </span>
      <span class="count" role="timer" aria-label={say(w.ends, { span: span((endMs - second.value) / 1000) })}>
        {countdown((endMs - second.value) / 1000)}
      </span>
      {isAdministrator.value && (
        <>
          <ActionButton inMaintenance onClick={() => change('maintenance:extend', { duration: 3600 }).then(...said(w.extended))}>
            {w.extend}
          </ActionButton>
          <ActionButton inMaintenance onClick={() => change('maintenance:stop', {}).then(...said(w.ended))}>
            {w.end}
          </ActionButton>
        </>
      )}
    </div>
  );
}

/** The appliance runs another version than the one that this page came from, or a part of the page is gone. */
function Updated({ text }: { text: string }) {
  return (
    <div class="banner" role="alert">
      <span>
        <Icon name="info" />
        {text}
      </span>
      <button class="btn push" onClick={() => location.reload()}>
        {w.reload}
      </button>
    </div>
  );
}

/** What is to be said of this page's own age; empty: nothing. */
export const oldText = computed(() => (updated.value !== null ? say(w.updated, updated.value) : isOutdated.value ? w.replaced : isIncomplete.value ? w.incomplete : ''));

/** At most two: the trial first, which ends by itself in minutes. */
function Banners() {
  const found = [
    trial.value !== null && <Trial key="trial" />,
    oldText.value !== '' && <Updated key="updated" text={oldText.value} />,
    comingMaintenance.value !== null && <Maintenance key="maintenance" />,
  ];
  return <div class="banners">{found.filter(Boolean).slice(0, 2)}</div>;
}

const TABS: readonly [ViewName | 'more', string][] = [
  ['overview', '/'],
  ['departments', '/departments'],
  ['incidents', '/incidents'],
  ['blocks', '/blocks'],
  ['more', '/more'],
];

function Tabs({ path }: { path: string }) {
  const open = openIncidents.value.length;
  return (
    <nav class="tabs-bottom" aria-label={w.mainShort}>
      {TABS.map(([name, href]) => (
        <a key={name} href={href} aria-current={isHere(path, href) ? 'page' : undefined}>
          <Icon name={name === 'more' ? 'more' : VIEWS.find((view) => view.name === name)!.icon} />
          <span class="cut">{name === 'departments' ? names.departmentsShort : names[name]}</span>
          {name === 'incidents' && open > 0 && (
            <span class="n">
              <span class="sr">{w.open}</span>
              {open}
            </span>
          )}
        </a>
      ))}
    </nav>
  );
}

const KeysDialog = deferred(() => import('./keys').then((found) => found.default));

/** The view at an address, whatever dialog of it is open: that is no other place. */
function placeOf(path: string): string {
  return /^\/(blocks|quotas|settings|reports)(\/|$)/.exec(path)?.[1] ?? path;
}

/** The shell around a view. */
export function Shell({ children }: { children: ComponentChildren }) {
  const { path, route } = useLocation();
  const main = useRef<HTMLElement>(null);
  const [areKeysShown, showKeys] = useState(false);
  useKeys(
    {
      ...Object.fromEntries(VIEWS.filter((view) => !view.isForAdministrators || isAdministrator.peek()).map((view) => [`g ${view.key}`, () => route(view.path)])),
      t: () => chooseTheme(theme.peek() === 'dark' ? 'light' : 'dark'),
      '?': () => showKeys(true),
      j: focusRow,
      k: focusRow,
      b: () => may('operator') && route('/blocks/new'),
    },
    true,
  );
  const place = placeOf(path);
  const before = useRef(place);
  useEffect(() => {
    if (before.current === place) return; // opened just now, the first stop is the link to the content
    before.current = place;
    main.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [place]);
  return (
    <div class="shell">
      <a class="skip" href="#main">
        {w.skip}
      </a>
      <Banners />
      <Rail path={path} />
      <div class="body">
        <Head />
        <main id="main" ref={main} tabIndex={-1} class={freshness.value === 'stale' ? 'is-stale' : undefined}>
          {appliance.value === null && path !== '/' && <Late /> /* the overview says it itself */}
          {children}
        </main>
      </div>
      <Tabs path={path} />
      <Toasts />
      {areKeysShown && <KeysDialog onClose={() => showKeys(false)} />}
    </div>
  );
}

