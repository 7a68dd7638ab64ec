/** The dialog that mutes: what exactly, for how long, and which incidents that are known it covers. */
import { useEffect, useState } from 'preact/hooks';

import { nowMs } from '../../live/clock';
import { call } from '../../live/connection';
import type { Calls, MuteFacts } from '../../live/contract';
import { moment, visible } from '../../live/formats';
import { refreshMarks } from '../../live/incident_marks';
import type { Incident } from '../../live/incidents';
import { nameOf } from '../../live/state';
import { ActionButton, change, RefusalText, toast, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { parts, say } from '../../words/words';
import { covers } from './marks';
import { w } from './words';

type Argument = Calls['incident:mute']['argument'];

const DAY_MS = 86_400_000;
const LENGTHS: readonly ['hour' | 'day' | 'week' | 'good', number | null][] = [['hour', DAY_MS / 24], ['day', DAY_MS], ['week', 7 * DAY_MS], ['good', null]];
/** The kinds that concern one host. */
const WITH_TARGET = new Set(['port_scan', 'syn_flood', 'udp_flood', 'dns_tunnel']);

type Choice = Pick<MuteFacts, 'kind' | 'source' | 'destination'>;

/** What can be muted of an incident: the narrowest first. */
function choicesOf({ type, source, evidence }: Incident): readonly Choice[] {
  const kind = type as MuteFacts['kind'];
  const destination = WITH_TARGET.has(type) ? evidence.peers?.[0] : undefined;
  return [{ kind, source }, ...(destination === undefined ? [] : [{ kind, destination }]), { source }, { kind }];
}

export function MuteDialog({ of: found, onClose }: { of: Incident; onClose: () => void }) {
  const work = useWork();
  const choices = choicesOf(found);
  const [chosen, choose] = useState(0);
  const [length, setLength] = useState<number | null>(DAY_MS);
  const [reason, setReason] = useState('');
  const [covered, setCovered] = useState<number | null>(null);
  const meant = choices[chosen]!;
  const what = covers(meant);
  const end = length === null ? null : nowMs() + length;
  const until = end === null ? w.forGood : say(w.untilTime, { time: moment(end) });
  useEffect(() => {
    let isCurrent = true;
    setCovered(null);
    const ask = call('incident:mute', { departmentId: found.departmentId, ...meant, preview: true });
    ask.then((reply) => isCurrent && setCovered(reply.total)).catch(() => undefined);
    return () => {
      isCurrent = false;
    };
  }, [chosen]);
  const submit = async () => {
    const argument: Argument = { departmentId: found.departmentId, ...meant, ...(end === null ? {} : { until: new Date(end).toISOString() }), ...(reason.trim() ? { reason: reason.trim() } : {}) };
    let id = '';
    const isDone = await work.run(async (wait) => (id = (await change('incident:mute', argument, wait)).mute.id));
    if (!isDone) return;
    void refreshMarks();
    toast(say(w.muted, { what }), () => change('incident:unmute', { id }).then(refreshMarks));
    onClose();
  };
  return (
    <Dialog
      title={w.mute}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main" disabled={work.isBusy}>
          {w.muteAct}
        </ActionButton>
      }
    >
      <div class="field">
        <span class="label" id="mute-what">
          {w.which}
        </span>
        <div class="filters" role="group" aria-labelledby="mute-what">
          {choices.map((one, at) => (
            <button key={at} type="button" class="chip" aria-pressed={at === chosen} onClick={() => choose(at)}>
              {covers(one)}
            </button>
          ))}
        </div>
      </div>
      <div class="field">
        <span class="label" id="mute-length">
          {w.howLong}
        </span>
        <div class="filters" role="group" aria-labelledby="mute-length">
          {LENGTHS.map(([name, ms]) => (
            <button key={name} type="button" class="chip" aria-pressed={ms === length} onClick={() => setLength(ms)}>
              {w[name]}
            </button>
          ))}
        </div>
      </div>
      <div class="field">
        <label for="mute-reason">{w.reasonOf}</label>
        <input id="mute-reason" value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      <div class="consequence" aria-live="polite">
        {parts(w.consequence, { what: <b>{what}</b>, department: visible(nameOf(found.departmentId)), until })}{' '}
        {covered !== null && (covered === 0 ? w.coversNone : say(w.covers, { count: covered }))}
      </div>
    </Dialog>
  );
}
