/** What a report says: the answer of `report:get`. */
export interface Report {
  departmentId: string;
  span: string;
  from: string;
  to: string;
  isComplete: boolean;
  up: number;
  down: number;
  before: { up: number; down: number } | null;
  days: [start: string, up: number, down: number][];
  quotas: { type: 'daily' | 'weekly' | 'monthly'; startedAt: string; endedAt: string; used: number; limit: number | null; granted: number; exceededAt?: string | null }[];
  incidents: { severity: string; timestamp: string; departmentId?: string; incident: { type: string; source: string; details: string; state?: string } }[];
  how: string[];
}

/** One incident is told at its beginning, as it grows and at its end; here it is one, as it was last. */
export function distinct(report: Report): Report['incidents'] {
  const found = new Map<string, Report['incidents'][number]>();
  for (const one of [...report.incidents].sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1))) {
    const key = `${one.incident.type} ${one.incident.source}`;
    const known = found.get(key);
    found.set(known !== undefined && known.incident.state === 'closed' ? `${key} ${one.timestamp}` : key, one);
  }
  return [...found.values()];
}
