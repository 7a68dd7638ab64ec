/** The tables of a report: its closed quota periods, and its incidents. */
import { incidentName } from '../../live/condition_words';
import { incidentDetails } from '../../live/incident_words';
import { day, full, gib, moment, percent, setGib, visible } from '../../live/formats';
import { common } from '../../words/common';
import { say } from '../../words/words';
import type { Report } from './report';
import { w } from './words';

const SEVERITIES = { low: w.low, medium: w.medium, high: w.high, critical: w.critical } as const;

/** Only periods that had a limit, and of days only those that were used up: the others are bars above. */
export function Periods({ report }: { report: Report }) {
  const rows = report.quotas.filter((one) => one.limit !== null && (one.type !== 'daily' || one.exceededAt));
  if (rows.length === 0) return null;
  return (
    <section aria-labelledby="periods">
      <h2 id="periods">{w.periods}</h2>
      <table class="fold">
        <thead>
          <tr>
            <th scope="col">{w.period}</th>
            <th scope="col" class="num">
              {w.usedGib}
            </th>
            <th scope="col" class="num">
              {w.limitGib}
            </th>
            <th scope="col">{w.usedUp}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr key={`${one.type} ${one.startedAt}`}>
              <td class="top">
                {common[one.type]}, {day(one.startedAt)}
              </td>
              <td class="num top">
                {gib(one.used)} <span class="unit">{percent(one.used / (one.limit || 1))}</span>
              </td>
              <td class="num gone">
                {setGib(one.limit ?? 0)} {one.granted > 0 && <span class="unit">{say(w.withGrant, { bytes: setGib(one.granted) })}</span>}
              </td>
              <td class="full low">{one.exceededAt ? <span title={full(one.exceededAt)}>{moment(one.exceededAt)}</span> : <span class="dim">{w.never}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function Incidents({ found }: { found: Report['incidents'] }) {
  if (found.length === 0) return null;
  return (
    <section aria-labelledby="incidents">
      <h2 id="incidents">{w.incidentsTitle}</h2>
      <table class="fold">
        <thead>
          <tr>
            <th scope="col">{w.when}</th>
            <th scope="col">{w.what}</th>
            <th scope="col">{w.source}</th>
            <th scope="col">{w.outcome}</th>
          </tr>
        </thead>
        <tbody>
          {found.map((one) => (
            <tr key={`${one.at} ${one.source}`}>
              <td class="top nowrap">
                <span title={full(one.at)}>{moment(one.at)}</span>
              </td>
              <td class="full">
                {incidentName(one.type)}, {SEVERITIES[one.severity as keyof typeof SEVERITIES] ?? one.severity}
                <span class="sub any">{visible(incidentDetails({ ...one, state: one.until ? 'closed' : 'open' }))}</span>
              </td>
              <td class="top">
                <code>{visible(one.source)}</code>
              </td>
              <td class="full low">{one.until ? w.ended : w.open}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
