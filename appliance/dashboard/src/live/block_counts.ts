/** How many blocks there are, and how many of them are in force: one answer for every place that says it. */
import { computed, signal } from '@preact/signals';

import { call, link, onConnect } from './connection';
import { holder } from './session';
import { blockEvents, departments } from './state';

export const BLOCKS_SETTLE_MS = 500; // after the latest event: an order of thousands makes thousands of them
const EVERY_MS = 60_000; // blocks that a list brings or takes are told late where there are very many

export interface BlockCounts {
  all: number;
  inForce: number;
}

const counted = signal<number | null>(null);
const gap = computed(() => departments.value.reduce((most, one) => Math.max(most, (one.wanted.value ?? 0) - (one.enforced.value ?? 0)), 0));

/** `null`: not known yet. */
export const blockCounts = computed<BlockCounts | null>(() => (counted.value === null ? null : { all: counted.value, inForce: Math.max(0, counted.value - gap.value) }));

function count(): void {
  if (link.peek() === 'live') call('ip:list', { limit: 1 }).then((reply) => (counted.value = reply.total), () => undefined);
}

let whose = '';
onConnect(() => {
  const who = JSON.stringify([holder.peek()?.subject, holder.peek()?.departments]);
  if (who !== whose) counted.value = null; // whoever logs in next sees nothing of who was there before
  whose = who;
  count();
});

let timer = 0;
blockEvents.subscribe((events) => {
  if (events.length === 0) return;
  clearTimeout(timer);
  timer = window.setTimeout(count, BLOCKS_SETTLE_MS);
});
setInterval(() => document.visibilityState === 'visible' && count(), EVERY_MS);
