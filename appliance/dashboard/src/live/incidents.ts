/** Incidents as the events tell them: opened, growing, closed. One incident is one source doing one thing in one department. */
import { computed } from '@preact/signals';

import type { Events } from './contract';
import { deviceNameOf } from './devices';
import { incidentDetails, unproven } from './incident_words';
import { alerts } from './state';

export interface Incident {
  id: string; // of the URL
  departmentId: string;
  type: string;
  source: string;
  severity: 'low' | 'medium' | 'high' | 'critical';
  isOpen: boolean;
  openedAt: string;
  latestAt: string;
  details: string; // the latest evidence, in a sentence
  isProven: boolean | null;
  notBlocked: string | null;
  times: number; // how often it came, the first time with it
  evidence: Pick<Events['security:incident']['incident'], 'count' | 'expected' | 'values' | 'advice' | 'peers' | 'ports' | 'devices' | 'inside' | 'knownDevices'>;
  course: Events['security:incident'][]; // the newest first
}

/** The device of the department at this address, or with this hardware address, as the incident tells it. */
export function deviceIn({ evidence }: Incident, asked: string) {
  return evidence.knownDevices?.find(({ address, mac }) => address === asked || mac === asked);
}

/** How people know the device at this address now, else how it was known then; null: by no name. */
export function nameIn(found: Incident, asked: string): string | null {
  const device = deviceIn(found, asked);
  return deviceNameOf(found.departmentId, device?.mac ?? asked) ?? device?.name ?? null;
}

/** The name of the device that does it; its address where it has none, and where that may be forged. */
export function sourceNameOf(found: Incident): string {
  if (found.isProven === false) return found.source; // whoever has the address is not blamed for it
  return nameIn(found, found.source) ?? found.source;
}

/** Every incident that is known, the open ones first, then the newest first. */
export const incidents = computed<Incident[]>(() => {
  const found = new Map<string, Incident>();
  const running = new Map<string, Incident>();
  for (const alert of [...alerts.value].reverse()) {
    if (alert.kind !== 'incident') continue;
    const { type, source, state, proven, notBlocked, incidentId } = alert.incident;
    const said = incidentDetails(alert.incident);
    const key = `${alert.departmentId} ${type} ${source}`;
    let known = running.get(key) ?? (incidentId === undefined ? undefined : found.get(incidentId)); // it may have come back
    if (known === undefined) {
      known = {
        id: incidentId ?? String(alert.alertId ?? key),
        departmentId: alert.departmentId,
        type,
        source,
        severity: alert.severity,
        isOpen: true,
        openedAt: alert.incident.openedAt ?? alert.timestamp,
        latestAt: alert.timestamp,
        details: said,
        isProven: null,
        notBlocked: null,
        times: 1,
        evidence: {},
        course: [],
      };
      found.set(known.id, known);
    }
    running.set(key, known);
    known.isOpen = true;
    known.times = alert.incident.times ?? known.times;
    known.severity = alert.severity;
    known.latestAt = alert.timestamp;
    known.details = said;
    known.isProven = proven ?? known.isProven;
    known.notBlocked = notBlocked === undefined ? null : proven === false ? unproven : notBlocked;
    known.course.unshift(alert);
    if (state !== 'closed') known.evidence = alert.incident;
    if (state === 'closed') {
      known.isOpen = false;
      running.delete(key);
    }
  }
  return [...found.values()].sort((one, other) => Number(other.isOpen) - Number(one.isOpen) || (one.latestAt < other.latestAt ? 1 : -1));
});

export const openIncidents = computed(() => incidents.value.filter((one) => one.isOpen));
