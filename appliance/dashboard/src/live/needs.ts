/** What needs somebody, and the sentence over it: the decisions, apart from how they are shown. */
import { computed } from '@preact/signals';

import type { State } from '../parts/icons';
import { conditionsOf, markOf, worstFirst, type Condition } from './condition';
import { issueWords } from './health_words';
import { isQuiet } from './incident_marks';
import { openIncidents, type Incident } from './incidents';
import { alerts, appliance, departments, health, requests, type Department } from './state';

type Trouble = Exclude<Condition, { kind: 'incident' | 'near' | 'unknown' | 'well' }>;
type Request = (typeof requests.value)[number];

export type Need =
  | { kind: 'condition'; key: string; mark: State; department: Department; condition: Trouble; requests: Request[] }
  | { kind: 'incident'; key: string; mark: State; incident: Incident }
  | { kind: 'request'; key: string; mark: State; request: Request }
  | { kind: 'position'; key: string; mark: State } // wants blocks where it can block nothing
  | { kind: 'clock'; key: string; mark: State }
  | { kind: 'trouble'; key: string; mark: State; text: string };

/** The lines that the overview shows before "and 3 more". */
export const MOST_SHOWN = 5;
const GROUPS: Record<string, number> = { down: 0, cut: 0, slowed: 0, over: 0, incident: 1, position: 2, gap: 2, runsOut: 3, request: 4, unaccounted: 5, clock: 6, trouble: 6, reason: 7 };
const SEVERITIES = ['critical', 'high', 'medium', 'low'];

function isNeed(condition: Condition): condition is Trouble {
  if (condition.kind === 'runsOut') return condition.isToday;
  return !['incident', 'near', 'unknown', 'well'].includes(condition.kind);
}

export const openRequests = computed(() => requests.value.filter((one) => one.state === 'open'));
const cannotBlock = computed(() => appliance.value?.position === 'mirror' && departments.value.some((one) => (one.wanted.value ?? 0) > 0));

/** Everything that needs somebody, the worst first. */
export const needs = computed<Need[]>(() => {
  const asked = openRequests.value;
  const answered = new Set<Request>();
  const troubles = troublesOf(health.value);
  const found: Need[] = [];
  for (const department of worstFirst.value)
    for (const condition of conditionsOf(department).value) {
      if (!isNeed(condition) || (condition.kind === 'reason' && condition.of === 'troubles' && troubles.length > 0)) continue; // each is told below
      const isQuota = 'quota' in condition;
      const mine = isQuota ? asked.filter((one) => one.departmentId === department.id) : [];
      mine.forEach((one) => answered.add(one));
      found.push({ kind: 'condition', key: `${department.id} ${condition.kind}`, mark: markOf(condition), department, condition, requests: mine });
    }
  for (const incident of openIncidents.value.filter((one) => !isQuiet(one.id)))
    found.push({ kind: 'incident', key: incident.id, mark: incident.severity === 'high' || incident.severity === 'critical' ? 'incident' : 'warn', incident });
  for (const request of asked) if (!answered.has(request)) found.push({ kind: 'request', key: request.id, mark: 'warn', request });
  if (cannotBlock.value) found.push({ kind: 'position', key: 'position', mark: 'warn' });
  if (appliance.value?.isClockTrusted === false) found.push({ kind: 'clock', key: 'clock', mark: 'warn' });
  for (const text of troubles) found.push({ kind: 'trouble', key: text, mark: 'warn', text });
  return found.sort((one, other) => groupOf(one) - groupOf(other) || severityOf(one) - severityOf(other));
});

/** What the appliance itself does not do, or soon will not, a sentence each. */
function troublesOf(found: typeof health.value): string[] {
  const grave = (found?.issues ?? []).filter((one) => one.severity !== 'low').map(issueWords);
  return grave.length > 0 ? grave.map(({ cause, suggestion }) => `${cause}; ${suggestion}`) : (found?.troubles ?? []);
}

function groupOf(need: Need): number {
  return GROUPS[need.kind === 'condition' ? need.condition.kind : need.kind]!;
}

function severityOf(need: Need): number {
  return need.kind === 'incident' ? SEVERITIES.indexOf(need.incident.severity) : 0;
}

/** One part of the sentence: how many of what. */
export interface Clause {
  kind: 'down' | 'cut' | 'slowed' | 'over' | 'incident' | 'gap' | 'position' | 'runsOut' | 'unaccounted' | 'request' | 'appliance' | 'reason';
  count: number;
  tone: 'crit' | 'warn';
  departments: Department[]; // whom it concerns, where it concerns some
}

/** The parts of the sentence in their order; empty: all is well, or nothing is known yet. */
export function clausesOf(found: readonly Need[]): Clause[] {
  const made = new Map<Clause['kind'], Clause>();
  for (const need of found) {
    const kind = need.kind === 'condition' ? need.condition.kind : need.kind === 'trouble' || need.kind === 'clock' ? 'appliance' : need.kind;
    const known = made.get(kind) ?? { kind, count: 0, tone: 'warn', departments: [] };
    known.count++;
    if (need.mark !== 'warn') known.tone = 'crit';
    const concerned = departments.value.find((one) => one.id === departmentIdOf(need));
    if (concerned !== undefined && !known.departments.includes(concerned)) known.departments.push(concerned);
    made.set(kind, known);
  }
  return [...made.values()];
}

export const clauses = computed(() => clausesOf(needs.value));

/** The department that a need is of; empty: it is of the appliance. */
export function departmentIdOf(need: Need): string {
  if (need.kind === 'condition') return need.department.id;
  return need.kind === 'incident' ? need.incident.departmentId : need.kind === 'request' ? need.request.departmentId : '';
}

/** How many departments have not told their state yet: of them nothing can be said. */
export const unknownCount = computed(() => departments.value.filter((one) => one.isActive.value === null).length);

/** Since when nothing is wrong: the end of the last thing that was, else the start of the service. */
export const wellSince = computed<string | null>(() => {
  const ended = alerts.value.find((one) => (one.kind === 'incident' && one.incident.state === 'closed') || (one.kind === 'quota' && one.type === 'reset'));
  return ended?.timestamp ?? appliance.value?.startedAt ?? null;
});
