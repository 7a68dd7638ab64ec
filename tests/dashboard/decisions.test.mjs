/** What the dashboard decides: the condition of a department, its forecast, what needs somebody, days and ticks. Run from the dashboard's folder. */
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { after, test } from 'node:test';

// The little of a browser that the modules touch when they are loaded.
Object.assign(globalThis, {
  document: { addEventListener() {}, visibilityState: 'hidden' },
  location: { hash: '', pathname: '/', search: '' },
  setInterval: () => 0, // nothing ticks here
});
Object.defineProperty(globalThis, 'navigator', { value: { language: 'en' }, configurable: true });

const { createServer } = await import(pathToFileURL('node_modules/vite/dist/node/index.js').href);
const server = await createServer({ server: { middlewareMode: true, watch: null, hmr: false, ws: false }, appType: 'custom', logLevel: 'error', optimizeDeps: { noDiscovery: true } });
after(() => server.close());
const load = (name) => server.ssrLoadModule(`/src/live/${name}.ts`);
const { barIn, judge, firstReached, markOf, meanRate, progress, toneOf, worstFirst } = await load('condition');
const formats = await load('formats');
const { clauses, needs } = await load('needs');
const { dayStart, offsetMs, weekOf, ticks } = await load('calendar');
const { zone } = await load('clock');
const state = await load('state');
const { shifted, changed } = await server.ssrLoadModule('/src/views/reports/span.ts');
const { countedOf } = await server.ssrLoadModule('/src/views/reports/counted.ts');

const NOW = Date.parse('2026-11-27T13:32:08Z');
const MIDNIGHT = '2026-11-27T23:00:00.000Z';
const day = (used, limit, more = {}) => ({ type: 'daily', used, limit, percentage: null, granted: 0, resetsAt: MIDNIGHT, ...more });
const well = {
  quotas: [], onExceeded: 'alert', thresholds: [0.8, 0.95], reachesLimitAt: null, incidents: [], isActive: true, health: 1, reasons: [], wanted: 3, enforced: 3,
  unaccountedPercent: null, canEnforce: true, nowMs: NOW, tomorrowMs: Date.parse(MIDNIGHT),
};
const because = (...texts) => texts.map((text) => ({ text, kind: '', points: 0 }));
const kinds = (figures) => judge({ ...well, ...figures }).map((one) => one.kind);

test('each figure that is wrong is a condition, the worst first', () => {
  for (const [figures, expected] of [
    [{}, ['well']],
    [{ isActive: null, health: null }, ['unknown']],
    [{ isActive: false, health: 0, reasons: because('the link of eth1 is down; check its cable') }, ['down']],
    [{ quotas: [day(20, 20)], onExceeded: 'block' }, ['cut']],
    [{ quotas: [day(20, 20)], onExceeded: 'throttle' }, ['slowed']],
    [{ quotas: [day(20, 20)], onExceeded: 'alert' }, ['over']],
    [{ quotas: [day(0, 0)], onExceeded: 'block' }, ['cut']],
    [{ quotas: [day(19, 20, { isExceeded: true })], onExceeded: 'block' }, ['cut']], // the next packet does not fit, and no clock told when
    [{ quotas: [day(20, 20, { isExceeded: false })], onExceeded: 'block' }, ['near']], // the appliance judges, not the page
    [{ quotas: [day(20, null)] }, ['well']],
    [{ quotas: [day(16, 20)] }, ['near']],
    [{ quotas: [day(15, 20)] }, ['well']],
    [{ quotas: [day(15, 20)], reachesLimitAt: '2026-11-27T16:18:00.000Z' }, ['runsOut']],
    [{ wanted: 37, enforced: 35 }, ['gap']],
    [{ wanted: 37, enforced: 0, canEnforce: false, isActive: false, health: 0.5, reasons: because('this position cannot enforce') }, ['well']],
    [{ unaccountedPercent: 0.99 }, ['well']],
    [{ unaccountedPercent: 1 }, ['unaccounted']],
    [{ health: 0.9, reasons: because('the line is 92% full') }, ['reason']],
    [{ health: 1, reasons: because('only to know') }, ['well']],
    [{ health: 0.64, reasons: because('the daily quota is exceeded', '1 incident open'), quotas: [day(20, 20)], onExceeded: 'block', incidents: [{ severity: 'high' }] }, ['cut', 'incident']],
  ])
    assert.deepEqual(kinds(figures), expected, JSON.stringify(figures));
});

test('a forecast is of the quota with the least left, and of today only before midnight', () => {
  const week = { ...day(90, 100), type: 'weekly', resetsAt: '2026-11-29T23:00:00.000Z' };
  assert.equal(firstReached([day(10, 60), week], '2026-11-27T16:00:00.000Z').quota.type, 'weekly');
  assert.equal(firstReached([day(59, 60), week], '2026-11-28T16:00:00.000Z').quota.type, 'weekly', 'the day has begun anew by then');
  assert.equal(firstReached([day(60, 60)], '2026-11-27T16:00:00.000Z'), null, 'it is used up already');
  assert.equal(judge({ ...well, quotas: [week], reachesLimitAt: '2026-11-28T16:00:00.000Z' })[0].isToday, false);
});

test('progress is a share of the limit and of the period', () => {
  const half = progress(day(30, 60, { startedAt: '2026-11-26T23:00:00.000Z' }), 0, Date.parse('2026-11-27T11:00:00Z'));
  assert.deepEqual(half, { used: 0.5, will: 0.5, gone: 0.5 });
  assert.equal(progress(day(30, 60), 30 / 43_200, Date.parse('2026-11-27T11:00:00Z')).will, 1);
  assert.equal(progress(day(30, null), 1, NOW), null);
});

test('a small limit has a unit of its own, and a limit of thousands keeps its noughts', () => {
  assert.deepEqual(formats.usedOf(92_400, 100_000), { used: '90.2', limit: '97.7', unit: 'KiB' });
  assert.deepEqual(formats.usedOf(5 * 2 ** 30, 20 * 2 ** 30), { used: '5.00', limit: '20', unit: 'GiB' });
  assert.deepEqual(formats.usedOf(1, 0), { used: '1', limit: '0', unit: 'B' });
  assert.equal(formats.setVolume(1000 * 2 ** 30), '1,000 GiB');
  assert.equal(formats.setVolume(4 * 2 ** 30), '4 GiB');
  assert.equal(formats.setRate(125_000), '1 Mbit/s');
  assert.deepEqual([0, 100_000, 2 ** 30, 80e9].map(formats.gib), ['0.00', '0.000093', '1.00', '74.51']);
  assert.deepEqual([0, 100_000, 20 * 2 ** 30].map(formats.setGib), ['0', '0.000093', '20']);
});

test('the colour of a bar and the mark of a state are of one judgement', () => {
  const quota = (share, more = {}) => day(share * 1000, 1000, { startedAt: '2026-11-26T23:00:00.000Z', isExceeded: share >= 1, ...more });
  const at = '2026-11-27T16:18:00.000Z';
  for (const [daily, told, tone, mark] of [
    [quota(0.5), null, '', 'ok'], // the page's own rate would reach it, and the appliance does not say so
    [quota(0.5), at, 'warn', 'warn'],
    [quota(0.5, { reachesLimitAt: at }), null, 'warn', 'warn'],
    [quota(0.81), null, 'warn', 'warn'],
    [quota(0.96), null, 'crit', 'crit'],
    [quota(0.96), at, 'crit', 'crit'],
    [quota(1), null, 'crit', 'crit'],
  ]) {
    const conditions = judge({ ...well, quotas: [daily], reachesLimitAt: told });
    const bar = barIn(conditions, daily, well.thresholds, 1000, NOW);
    assert.deepEqual([bar.tone, markOf(conditions[0])], [tone, mark], JSON.stringify([daily, told]));
    assert.ok(tone !== '' || bar.will <= 1);
  }
  assert.equal(toneOf(0.5, [0.4]), 'warn', 'the first threshold of the configuration');
});

test('the first seconds of traffic are no forecast', () => {
  const recent = state.emptyRecent();
  for (let second = 1; second <= 3; second++) state.addPoint(recent, NOW + second * 1000, 600, 400);
  assert.equal(meanRate(recent, 1000), 10, '3 s of 1,000 bytes, of 300 s');
  for (let second = 4; second <= 400; second++) state.addPoint(recent, NOW + second * 1000, 600, 400);
  assert.equal(meanRate(recent, 1000), 1000);
});

test('days, weeks and marks follow the zone through the change of its clocks', () => {
  zone.value = 'Europe/Berlin';
  const iso = (ms) => new Date(ms).toISOString();
  assert.equal(iso(dayStart(Date.parse('2026-10-25T12:00:00Z'))), '2026-10-24T22:00:00.000Z');
  assert.equal(iso(dayStart(Date.parse('2026-10-25T12:00:00Z'), 1)), '2026-10-25T23:00:00.000Z', 'a day of 25 hours');
  assert.equal(iso(dayStart(Date.parse('2026-03-29T12:00:00Z'), 1)), '2026-03-29T22:00:00.000Z', 'a day of 23 hours');
  assert.equal(weekOf(Date.parse('2026-12-31T12:00:00Z')), '2026-W53');
  const marks = ticks(Date.parse('2026-10-24T22:00:00Z'), Date.parse('2026-10-25T23:00:00Z'), 8).map(iso);
  assert.deepEqual([marks[0], marks.at(-1)], ['2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z']);
  assert.ok(ticks(NOW - 300_000, NOW, 8).every((at) => at % 60_000 === 0));
  for (const name of ['Asia/Kathmandu', 'Pacific/Apia', 'America/St_Johns']) {
    zone.value = name;
    assert.ok(ticks(NOW - 30 * 86_400_000, NOW, 8).length <= 9, name);
  }
  zone.value = 'UTC';
});

test('the span of a report moves by its own kind', () => {
  assert.equal(shifted('2026-W53', 1), '2027-W01');
  assert.equal(shifted('2027-W01', -1), '2026-W53');
  assert.equal(shifted('2026-01', -1), '2025-12');
  assert.equal(shifted('2026-02-28', 1), '2026-03-01');
  assert.equal(changed('2026-10', 'week'), '2026-W40');
});

test('needs and sentence name what is wrong once, and rows come the worst first', () => {
  const figure = (value) => ({ value, peek: () => value });
  const department = (id, more) => ({
    id, facts: figure({ id, name: id, onExceeded: 'block', thresholds: [0.8, 0.95], throttleRate: null }), quotas: figure([]), recent: state.emptyRecent(), rateDown: figure(0), rateUp: figure(0), usedToday: figure(0),
    unaccountedPercent: figure(null), areLimitsPaused: figure(false), reachesLimitAt: figure(null), isActive: figure(true), health: figure(1), reasons: figure([]), wanted: figure(0), enforced: figure(0), devices: figure(1), ...more,
  });
  const trouble = 'the list bad could not be read';
  state.appliance.value = { position: 'gateway', isClockTrusted: true, startedAt: '2026-11-01T00:00:00.000Z', periods: { metering: 1 } };
  const withRemedy = (cause) => `${cause}; replace the cable, then look at the switch’s port`;
  const issue = (severity, cause) => ({ id: 'port_flaps', severity, cause, suggestion: 'not said', since: '2026-11-01T00:00:00.000Z' });
  state.health.value = { troubles: [trouble], issues: [issue('high', trouble), issue('medium', 'eth1 flaps'), issue('low', 'a version waits')] };
  state.departments.value = [department('well', {}), department('full', { quotas: figure([{ ...day(5, 5), resetsAt: '2999-01-01T00:00:00.000Z' }]) }), department('troubled', { health: figure(0.8), reasons: figure([{ text: trouble, kind: 'troubles', points: 0.2 }]) })];
  state.requests.value = [{ id: 'r1', departmentId: 'full', state: 'open' }, { id: 'r2', departmentId: 'well', state: 'open' }, { id: 'r3', departmentId: 'well', state: 'granted' }];
  assert.deepEqual(worstFirst.value.map((one) => one.id), ['full', 'troubled', 'well']);
  assert.deepEqual(needs.value.map((one) => one.key), ['full cut', 'r2', withRemedy(trouble), withRemedy('eth1 flaps')], 'a request is part of what cut its department off; the trouble is not said twice, and what can wait is not said');
  assert.deepEqual(clauses.value.map((one) => [one.kind, one.count, one.tone]), [['cut', 1, 'crit'], ['request', 1, 'warn'], ['appliance', 2, 'warn']]);
  state.departments.value = [];
  state.requests.value = [];
  state.health.value = null;
  assert.deepEqual(clauses.value, []);
});

test('the offset of a zone is the one that its clocks have, at each hour of years with odd changes', () => {
  const kept = zone.value;
  for (const [name, from, to] of [
    ['Europe/Berlin', '2026-03-20', '2026-11-05'], ['Africa/Casablanca', '2026-02-10', '2026-04-01'], ['Africa/Cairo', '2010-08-01', '2010-09-20'],
    ['Australia/Lord_Howe', '2026-03-30', '2026-04-12'], ['Asia/Kathmandu', '2026-01-01', '2026-01-10'], ['Pacific/Apia', '2011-12-25', '2012-01-05'],
  ]) {
    zone.value = name;
    const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' });
    for (let at = Date.parse(from); at < Date.parse(to); at += 3_600_000)
      assert.equal(offsetMs(at), Date.parse(`${shown.format(at).replace(' ', 'T')}Z`) - at, `${name} ${new Date(at).toISOString()}`);
  }
  zone.value = kept;
});

test('a report says how it was counted: what is exempt, days with other hours, gaps, and how far it goes', () => {
  const kept = zone.value;
  zone.value = 'Europe/Berlin';
  const october = { from: '2026-09-30T22:00:00.000Z', to: '2026-10-31T23:00:00.000Z' };
  const counting = { upTo: october.to, exempt: [], oddDays: [], gaps: 0, gapSeconds: 0, gapStep: 'hour' };
  const said = (more) => countedOf({ ...october, counting: { ...counting, ...more } });
  const bytes = 'Counted are the bytes of IP packets, in both directions, by the days of Europe/Berlin.';
  const longestGap = ['2026-10-02T08:00:00.000Z', '2026-10-02T10:30:00.000Z'];
  for (const [more, rest] of [
    [{}, 'There is no gap of an hour or more.'],
    [{ oddDays: [['2026-10-24T22:00:00.000Z', 25]] }, 'Sun 25 Oct has 25 hours, because the clocks change. There is no gap of an hour or more.'],
    [{ oddDays: [['2026-10-24T22:00:00.000Z', 24.5]] }, 'Sun 25 Oct has 24.5 hours, because the clocks change. There is no gap of an hour or more.'],
    [{ exempt: ['10.0.0.0/8', 'fd00::/8'], gaps: 1, gapSeconds: 9000, longestGap }, 'Traffic with 10.0.0.0/8, fd00::/8 is exempt and not counted. Nothing was metered for 2 h 30 min, from Fri 2 Oct 10:00 to Fri 2 Oct 12:30.'],
    [{ gaps: 3, gapSeconds: 18000, gapStep: '5min', longestGap }, 'Nothing was metered for 5 h in all, in 3 gaps of five minutes or more, the longest from Fri 2 Oct 10:00 to Fri 2 Oct 12:30.'],
    [{ upTo: '2026-10-10T12:00:00.000Z', gapStep: 'minute' }, 'There is no gap of a minute or more. The figures go up to Sat 10 Oct 14:00.'],
    [{ upTo: october.from }, 'The time of this report has not begun.'],
  ])
    assert.equal(said(more), `${bytes} ${rest}`);
  zone.value = kept;
});
