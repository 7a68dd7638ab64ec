/** Websites and trends: told to those who subscribe, so the page subscribes to all departments that it may see. */
import { computed, effect, signal, type Signal } from '@preact/signals';

import { call, link, on } from './connection';
import { departments, soon } from './state';

export interface Site {
  domain: string;
  visits: number;
}

export interface Activity {
  at: string;
  activeUsers: number;
  sites: Site[];
  trend: 'increasing' | 'decreasing' | 'stable';
  current: number; // bytes a second
  trendSinceMs: number; // by `performance.now()`
}

const known = new Map<string, Signal<Activity | null>>();
const version = signal(0);

/** What is known of a department's activity, followed. */
export function activityOf(id: string): Signal<Activity | null> {
  let found = known.get(id);
  if (found === undefined) known.set(id, (found = signal(null)));
  return found;
}

on('analytics:update', (event) =>
  soon(`activity ${event.departmentId}`, () => {
    const { activeUsers, topWebsites, bandwidth } = event.metrics;
    const to = activityOf(event.departmentId);
    const before = to.peek();
    const isSame = before !== null && before.trend === bandwidth.trend;
    to.value = {
      at: event.timestamp,
      activeUsers,
      sites: topWebsites,
      trend: bandwidth.trend,
      current: bandwidth.current,
      trendSinceMs: isSame ? before.trendSinceMs : performance.now(),
    };
    version.value++;
  }),
);

/** The most visited sites of all departments together, the most visited first. */
export const topSites = computed<Site[]>(() => {
  version.value;
  const visits = new Map<string, number>();
  for (const one of departments.value) for (const site of activityOf(one.id).peek()?.sites ?? []) visits.set(site.domain, (visits.get(site.domain) ?? 0) + site.visits);
  return [...visits].map(([domain, count]) => ({ domain, visits: count })).sort((one, other) => other.visits - one.visits || one.domain.localeCompare(other.domain));
});

/** Whether any department has told its activity yet. */
export const isActivityKnown = computed(() => (version.value, departments.value.some((one) => activityOf(one.id).peek() !== null)));

let subscribed = new Set<string>();
const BETWEEN_MS = 20; // so that the figures of the first view come first

async function subscribe(ids: string[]): Promise<void> {
  for (const id of ids) {
    if (link.peek() !== 'live') return;
    await call('analytics:subscribe', id).catch(() => subscribed.delete(id));
    await new Promise((done) => setTimeout(done, BETWEEN_MS));
  }
}

// A subscription is of one connection; each new one subscribes again.
effect(() => {
  if (link.value !== 'live') subscribed = new Set();
  else {
    const ids = departments.value.map((one) => one.id).filter((id) => !subscribed.has(id));
    ids.forEach((id) => subscribed.add(id));
    if (ids.length > 0) void subscribe(ids);
  }
});
