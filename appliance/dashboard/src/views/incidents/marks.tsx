/** What people have said to an incident: shown, said, and taken back. */
import { incidentName } from '../../live/condition_words';
import type { MuteFacts } from '../../live/contract';
import { moment, visible } from '../../live/formats';
import { marks, mutes, refreshMarks } from '../../live/incident_marks';
import type { Incident } from '../../live/incidents';
import { change, sentenceOf, toast } from '../../parts/actions';
import { say } from '../../words/words';
import { w } from './words';

/** What a mute covers. */
export function covers({ kind, source, destination, port }: Pick<MuteFacts, 'kind' | 'source' | 'destination' | 'port'>): string {
  let what = kind === undefined ? w.everything : incidentName(kind);
  if (source !== undefined || destination === undefined) what = source === undefined ? say(w.byAnybody, { what }) : say(w.by, { what, source: visible(source) });
  if (destination !== undefined) what = say(w.against, { what, target: visible(destination) });
  return port === undefined ? what : say(w.atPort, { what, port });
}

/** Note that it was seen, or that it was not. */
export async function acknowledge(found: Incident, undo = false): Promise<void> {
  try {
    await change('incident:acknowledge', { id: found.id, undo });
    if (!undo) toast(say(w.acknowledged, { what: incidentName(found.type) }), () => acknowledge(found, true));
  } catch (error) {
    toast(sentenceOf(error));
  }
  await refreshMarks();
}

export async function unmute(id: string): Promise<void> {
  try {
    await change('incident:unmute', { id });
  } catch (error) {
    toast(sentenceOf(error));
  }
  await refreshMarks();
}

/** Who has seen it, and whether it is muted. */
export function Marks({ of: found }: { of: Incident }) {
  const mark = marks.value.get(found.id);
  const muting = mutes.value.find((one) => one.id === mark?.mutedBy);
  return (
    <>
      {mark?.acknowledgedBy !== undefined && <span class="tag">{say(w.seenBy, { name: visible(mark.acknowledgedBy), time: moment(mark.acknowledgedAt!) })}</span>}
      {muting !== undefined && (
        <span class="tag" title={covers(muting)}>
          {w.isMuted}
        </span>
      )}
    </>
  );
}
