/** The dialog that blocks: target, department, end, reason, and what will come of it before it is done. */
import { useEffect, useState } from 'preact/hooks';

import { dayStart } from '../../live/calendar';
import { nowMs, second } from '../../live/clock';
import { call, connections, Refusal } from '../../live/connection';
import { clock, fieldTime, moment, nextHour, span, timeOfField, visible } from '../../live/formats';
import { nameOf } from '../../live/state';
import { ActionButton, change, RefusalText, sentenceOf, toast, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { AddressField, DepartmentField, mayForAll, ownDepartments } from '../../parts/target_fields';
import { TimeField } from '../../parts/time_field';
import { parts, say } from '../../words/words';
import { w } from './words';

type Until = 'tenMin' | 'hour' | 'sixToday' | 'lifted' | 'choose';

const ASKED_AFTER_MS = 350; // since the last key
const EVENING = 18; // o'clock

interface Preview {
  address: string;
  device: string | null;
  connections: number | null;
  objection: string | null;
}

/** When the block ends, in milliseconds since 1970; `null`: until it is lifted. */
function endOf(until: Until, typed: string): number | null {
  if (until === 'lifted') return null;
  if (until === 'choose') return timeOfField(typed);
  if (until === 'sixToday') return nextHour(EVENING);
  return nowMs() + (until === 'tenMin' ? 600_000 : 3_600_000);
}

export interface Wanted {
  address?: string;
  department?: string;
  reason?: string;
}

export function BlockDialog({ wanted, onClose, onDone }: { wanted: Wanted; onClose: () => void; onDone: () => void }) {
  const work = useWork();
  const [address, setAddress] = useState(wanted.address ?? '');
  const [department, setDepartment] = useState<string>(wanted.department ?? (mayForAll() ? '' : (ownDepartments()[0]?.id ?? '')));
  const [until, setUntil] = useState<Until>('hour');
  const [typed, setTyped] = useState(() => fieldTime(nowMs() + 86_400_000));
  const [reason, setReason] = useState(wanted.reason ?? '');
  const { preview, objection } = usePreview(address, department);
  const end = endOf(until, typed);
  const isPast = end !== null && !(end > second.value - 1000);
  const untilText = end === null ? w.forGood : say(w.untilTime, { time: moment(end), span: span((end - nowMs()) / 1000) });
  const submit = async () => {
    const argument = {
      address,
      reason: reason.trim() || w.defaultReason,
      duration: end === null ? 0 : Math.max(1, Math.round((end - nowMs()) / 1000)),
      ...(department ? { departmentId: department } : {}),
    };
    const isDone = await work.run((wait) => change('ip:block', argument, wait));
    if (!isDone) return;
    const undo = () => change('ip:unblock', { address, origin: 'manual', ...(department ? { departmentId: department } : {}) }).then(onDone);
    toast(say(w.blocked, { address: visible(preview?.device ?? address), until: untilText }), undo);
    onDone();
    onClose();
  };
  const choices: readonly [Until, string][] = [
    ['tenMin', w.tenMin],
    ['hour', w.hour],
    ['sixToday', dayStart(nextHour(EVENING)) === dayStart(nowMs()) ? w.sixToday : w.sixTomorrow],
    ['lifted', w.lifted],
    ['choose', w.choose],
  ];
  const isBad = objection !== '';
  return (
    <Dialog
      title={w.block}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main danger" disabled={work.isBusy || !address || isBad || isPast}>
          {end === null ? w.actGood : say(w.act, { time: Number.isNaN(end) ? '…' : moment(end) })}
        </ActionButton>
      }
    >
      <AddressField id="target" label={w.target} help={preview?.device ? `${say(w.device, { device: visible(preview.device) })} ${w.targetHelp}` : w.targetHelp} value={address} objection={objection} onInput={setAddress} />
      <DepartmentField id="for" label={w.for} value={department} hasAll={mayForAll()} onChange={setDepartment} />
      <div class="field">
        <span class="label" id="until">
          {w.until}
        </span>
        <div class="filters" role="group" aria-labelledby="until">
          {choices.map(([one, text]) => (
            <button key={one} type="button" class="chip" aria-pressed={one === until} onClick={() => setUntil(one)}>
              {text}
            </button>
          ))}
        </div>
      </div>
      {until === 'choose' && <TimeField id="chosen" value={typed} isPast={isPast} onInput={setTyped} />}
      <div class="field">
        <label for="reason">
          {w.reason} <span class="dim">{w.reasonNote}</span>
        </label>
        <input id="reason" value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      {address && !isBad && (
        <div class="consequence" aria-live="polite">
          {parts(w.consequence, {
            what: (
              <b>
                {preview?.device ? `${visible(preview.device)} (${visible(preview.address)})` : visible(address)}
              </b>
            ),
            department: department ? visible(nameOf(department)) : w.everybody,
            until: <b>{end === null || Number.isNaN(end) ? w.forGood : say(w.untilTime, { time: clock(end), span: span((end - nowMs()) / 1000) })}</b>,
            connections: preview?.connections ? say(w.connections, { count: preview.connections }) : '',
          })}
        </div>
      )}
    </Dialog>
  );
}

/** What the appliance says of the target while it is typed. `objection`: why it cannot be blocked. */
function usePreview(address: string, department: string): { preview: Preview | null; objection: string } {
  const [found, set] = useState<{ preview: Preview | null; objection: string }>({ preview: null, objection: '' });
  useEffect(() => {
    set({ preview: null, objection: '' });
    if (address.length < 3) return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      try {
        const { preview } = (await call('ip:block', { address, preview: true, ...(department ? { departmentId: department } : {}) })) as { preview: Preview };
        if (isCurrent) set({ preview, objection: preview.objection ?? '' });
      } catch (error) {
        const isOfTarget = error instanceof Refusal && (error.code === 'E_BAD_REQUEST' || error.code === 'E_PROTECTED_ADDRESS');
        if (isCurrent && isOfTarget) set({ preview: null, objection: sentenceOf(error) });
      }
    }, ASKED_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [address, department, connections.value]); // what was asked over a connection that was lost is asked again
  return found;
}
