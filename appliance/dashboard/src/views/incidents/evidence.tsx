/** The evidence of an incident: how its count went on, numbers, whom it concerns and where; and all of it as a file. */
import { second } from '../../live/clock';
import { call } from '../../live/connection';
import type { IncidentEvidence, IncidentSummary } from '../../live/contract';
import { span, visible } from '../../live/formats';
import { deviceIn, nameIn, type Incident } from '../../live/incidents';
import { saveAs } from '../../parts/csv';
import { Icon } from '../../parts/icons';
import { Name } from '../../parts/name';
import { useAsked } from '../../parts/notices';
import { say } from '../../words/words';
import { Counts } from './counts';
import { amountOf, expectedOf } from './evidence_words';
import { severities, w } from './words';

/** What the device at this address is called; null: nobody knows anything of it. */
export function titleOf(found: Incident, address: string): string | null {
  return nameIn(found, address) ?? deviceIn(found, address)?.vendor ?? null;
}

/** Addresses, each with the name of its device, one below the other where names are known. */
function Addresses({ of: found, listed = [] }: { of: Incident; listed: readonly string[] | undefined }) {
  return (
    <>
      {listed.map((one) => {
        const name = titleOf(found, one);
        return name === null ? (
          <code key={one}>{visible(one)} </code>
        ) : (
          <div key={one}>
            <code>{visible(one)}</code> <Name of={name} />
          </div>
        );
      })}
    </>
  );
}

const AGAIN_S = 5; // the narrowest step of the counts

/** What the appliance keeps of the incident; of one that goes on, asked for again and again. */
function useKept({ id, isOpen, latestAt }: Incident): { incident: IncidentSummary; evidence: IncidentEvidence } | null {
  const { reply } = useAsked(() => call('incident:get', { id }), [id, latestAt, isOpen && Math.floor(second.value / 1000 / AGAIN_S)]);
  return reply === null || reply.incident.id !== id ? null : { incident: reply.incident, evidence: reply.evidence };
}

export function Evidence({ of: found }: { of: Incident }) {
  const { evidence, times } = found;
  const kept = useKept(found);
  const place = evidence.inside === undefined ? w.unknownPlace : evidence.inside ? w.inside : w.outside;
  return (
    <section class="sheet" aria-labelledby="evidence">
      <header>
        <h2 id="evidence">{w.evidence}</h2>
        {kept !== null && <span class="dim">{say(w.everyStep, { span: span(kept.evidence.series.stepS) })}</span>}
        {kept !== null && (
          <button type="button" class="btn s push" onClick={() => saveAs(`incident-${found.id}.json`, new Blob([JSON.stringify(kept, null, 2)], { type: 'application/json' }))}>
            <Icon name="download" />
            {w.evidenceJson}
          </button>
        )}
      </header>
      <div class="pad stack small">
        {kept !== null && <Counts of={kept.evidence} type={found.type} untilMs={found.isOpen ? second.value : null} />}
        <dl class="facts">
          <dt>{w.count}</dt>
          <dd>{evidence.count === undefined ? '–' : amountOf(found.type, evidence.count)}</dd>
          <dt>{w.expected}</dt>
          <dd>{visible(expectedOf(found) ?? '–')}</dd>
          {kept !== null && kept.evidence.levels.length > 1 && (
            <>
              <dt>{w.levels}</dt>
              <dd>{kept.evidence.levels.slice(1).map(([least, severity]) => say(w.from, { severity: severities[severity], count: amountOf(found.type, least) })).join(', ')}</dd>
            </>
          )}
          <dt>{w.times}</dt>
          <dd>{say(w.timesCount, { count: times })}</dd>
          <dt>{w.concerned}</dt>
          <dd>
            <Addresses of={found} listed={evidence.peers} />
          </dd>
          <dt>{w.ports}</dt>
          <dd>
            <Addresses of={found} listed={evidence.ports} />
          </dd>
          <dt>{w.devices}</dt>
          <dd>
            <Addresses of={found} listed={evidence.devices} />
          </dd>
          <dt>{w.place}</dt>
          <dd>{place}</dd>
        </dl>
      </div>
    </section>
  );
}
