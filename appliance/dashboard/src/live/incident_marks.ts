/** What people have said to incidents: who has seen them, and what is muted. The events do not tell; the appliance is asked. */
import { signal } from '@preact/signals';

import { call, connections, on, onConnect } from './connection';
import type { Calls, IncidentSummary, MuteFacts } from './contract';
import { soon } from './state';

const MOST = 500; // of one answer

/** Incidents by their id, as the appliance listed them last. */
export const marks = signal<ReadonlyMap<string, IncidentSummary>>(new Map());
/** What is muted, the newest first. */
export const mutes = signal<readonly MuteFacts[]>([]);

/** Ask again. */
export async function refreshMarks(): Promise<void> {
  const asked = connections.peek();
  const reply: Calls['incident:list']['reply'] | null = await call('incident:list', { limit: MOST }).catch(() => null);
  if (reply === null || asked !== connections.peek()) return;
  marks.value = new Map(reply.incidents.map((one) => [one.id, one]));
  mutes.value = reply.mutes;
}

/** Whether nobody has to look at it any more. */
export function isQuiet(id: string): boolean {
  const mark = marks.value.get(id);
  return mark?.acknowledgedBy !== undefined || mark?.mutedBy !== undefined;
}

onConnect(() => void refreshMarks());
on('security:incident', () => soon('incident marks', () => void refreshMarks()));
