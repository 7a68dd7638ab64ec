/** The dialog that adds a schedule: what it does, to whom, on which days, from when to when; and what will come of it. */
import { useEffect, useState } from 'preact/hooks';

import { zone } from '../../live/clock';
import { call, connections, Refusal } from '../../live/connection';
import type { Calls, ScheduleFacts } from '../../live/contract';
import { ActionButton, change, RefusalText, sentenceOf, toast, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { Icon } from '../../parts/icons';
import { AddressField, DepartmentField, mayForAll, ownDepartments } from '../../parts/target_fields';
import { say } from '../../words/words';
import { textOf, whenOf } from './schedules';
import { w } from './words';

type Argument = Calls['schedule:add']['argument'];
type Effect = Argument['effect'];
type Day = NonNullable<ScheduleFacts['days']>[number];

const DAYS: readonly Day[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const ASKED_AFTER_MS = 350; // since the last key
const OF_WHAT_IS_TYPED = ['E_BAD_REQUEST', 'E_PROTECTED_ADDRESS'];

export function ScheduleDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const work = useWork();
  const mine = ownDepartments();
  const [effect, setEffect] = useState<Effect>('block');
  const [address, setAddress] = useState('');
  const [department, setDepartment] = useState(mayForAll() ? '' : (mine[0]?.id ?? ''));
  const [days, setDays] = useState<readonly Day[]>(DAYS);
  const [begin, setBegin] = useState('22:00');
  const [end, setEnd] = useState('06:00');
  const [reason, setReason] = useState('');
  const isOfQuotas = effect === 'unlimited';
  const at = isOfQuotas && department === '' ? (mine[0]?.id ?? '') : department; // quotas are those of a department
  const isWhole = begin === '00:00' && end === '00:00';
  const isSame = begin === end && !isWhole;
  const isComplete = (isOfQuotas || address !== '') && days.length > 0 && begin !== '' && end !== '' && !isSame;
  const argument: Argument = {
    effect,
    window: `${begin}-${end === '00:00' ? '24:00' : end}`,
    days: [...days] as Argument['days'],
    ...(address ? { address } : {}),
    ...(at ? { departmentId: at } : {}),
    ...(reason.trim() ? { reason: reason.trim() } : {}),
  };
  const { schedule, objection } = usePreview(isComplete ? argument : null);
  const submit = async () => {
    if (!(await work.run((wait) => change('schedule:add', argument, wait)))) return;
    toast(w.isAdded);
    onDone();
    onClose();
  };
  const toggle = (day: Day) => setDays(DAYS.filter((one) => (one === day) !== days.includes(one)));
  const effects: readonly [Effect, string][] = [
    ['block', w.toBlock],
    ['allow', w.toAllow],
    ['unlimited', w.toUnlimited],
  ];
  return (
    <Dialog
      title={w.newSchedule}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main" disabled={work.isBusy || !isComplete || schedule === null}>
          {w.add}
        </ActionButton>
      }
    >
      <div class="field">
        <label for="effect">{w.effect}</label>
        <select id="effect" value={effect} onChange={(event) => setEffect(event.currentTarget.value as Effect)}>
          {effects.map(([one, text]) => (
            <option key={one} value={one}>
              {text}
            </option>
          ))}
        </select>
      </div>
      <AddressField id="scheduled" label={isOfQuotas ? w.host : w.target} help={isOfQuotas ? w.hostHelp : w.targetHelp} value={address} objection={objection} onInput={setAddress} />
      <DepartmentField id="scheduled-for" label={w.for} value={at} hasAll={mayForAll() && !isOfQuotas} onChange={setDepartment} />
      <div class="field">
        <span class="label" id="days">
          {w.days}
        </span>
        <div class="filters" role="group" aria-labelledby="days">
          {DAYS.map((one) => (
            <button key={one} type="button" class="chip" aria-pressed={days.includes(one)} onClick={() => toggle(one)}>
              {w[one]}
            </button>
          ))}
        </div>
        {days.length === 0 && <Bad text={w.noDay} />}
      </div>
      <div class="field">
        <span class="label" id="from-to">
          {say(w.fromTo, { zone: zone.value })}
        </span>
        <div class="row" role="group" aria-labelledby="from-to">
          <input type="time" aria-label={w.begin} value={begin} aria-invalid={isSame} onInput={(event) => setBegin(event.currentTarget.value)} />
          <input type="time" aria-label={w.end} value={end} aria-invalid={isSame} onInput={(event) => setEnd(event.currentTarget.value)} />
        </div>
        {isSame && <Bad text={w.sameTime} />}
      </div>
      <div class="field">
        <label for="scheduled-reason">
          {w.reason} {effect === 'block' && <span class="dim">{w.reasonNote}</span>}
        </label>
        <input id="scheduled-reason" value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      {schedule && (
        <div class="consequence" aria-live="polite">
          <b>{textOf(schedule)}</b>: {whenOf(schedule)}
        </div>
      )}
    </Dialog>
  );
}

function Bad({ text }: { text: string }) {
  return (
    <span class="bad" role="alert">
      <Icon name="crit" />
      {text}
    </span>
  );
}

/** What the appliance says of the schedule while it is typed. `objection`: why it cannot be kept. */
function usePreview(argument: Argument | null): { schedule: ScheduleFacts | null; objection: string } {
  const [found, set] = useState<{ schedule: ScheduleFacts | null; objection: string }>({ schedule: null, objection: '' });
  const asked = JSON.stringify(argument);
  useEffect(() => {
    set({ schedule: null, objection: '' });
    if (argument === null) return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      try {
        const { schedule } = await call('schedule:add', { ...argument, preview: true });
        if (isCurrent) set({ schedule, objection: '' });
      } catch (error) {
        if (isCurrent && error instanceof Refusal && OF_WHAT_IS_TYPED.includes(error.code)) set({ schedule: null, objection: sentenceOf(error) });
      }
    }, ASKED_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [asked, connections.value]); // what was asked over a connection that was lost is asked again
  return found;
}
