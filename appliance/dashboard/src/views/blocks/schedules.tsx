/** The schedules: what is blocked, allowed or not limited in a part of the week, or for a while. Nothing where there is none. */
import { call } from '../../live/connection';
import { soonOr, visible } from '../../live/formats';
import type { ScheduleFacts } from '../../live/contract';
import { holder, may } from '../../live/session';
import { nameOf } from '../../live/state';
import { minute } from '../../live/clock';
import { ActionButton, change, sentenceOf, toast } from '../../parts/actions';
import { Icon } from '../../parts/icons';
import { useAsked } from '../../parts/notices';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { w } from './words';

const PAUSE_S = 1800; // a visitor, a meeting, a look at what the block is for

const whose = (department: string | null) => (department === null ? common.forAll : visible(nameOf(department)));
const mayRemove = (one: ScheduleFacts) => (one.departmentId === null ? holder.value?.departments === null && may('operator') : may('operator', one.departmentId));

/** Let a target pass for half an hour. */
export async function allow(address: string, departmentId: string | null, done: () => void): Promise<void> {
  try {
    const { schedule } = await change('schedule:add', { effect: 'allow', address, duration: PAUSE_S, ...(departmentId === null ? {} : { departmentId }) });
    const undo = () => change('schedule:remove', { id: schedule.id }).then(done);
    toast(say(w.allowed, { address: visible(address), time: schedule.until ? soonOr(schedule.until) : '' }), undo);
  } catch (error) {
    toast(sentenceOf(error));
  }
  done();
}

export function textOf(one: ScheduleFacts): string {
  const department = whose(one.departmentId);
  if (one.effect === 'unlimited') return say(w.effectUnlimited, { what: one.address === null ? say(w.devices, { department }) : visible(one.address) });
  return say(one.effect === 'block' ? w.effectBlock : w.effectAllow, { what: visible(one.address ?? ''), department });
}

export function whenOf(one: ScheduleFacts): string {
  const days = one.days?.length === 7 ? '' : ` ${one.days?.map((day) => w[day]).join(', ')}`;
  const part = one.window === undefined ? w.once : `${one.window}${days}`;
  const now = one.endsAt ? say(w.openUntil, { time: soonOr(one.endsAt) }) : one.beginsAt ? say(w.opensAt, { time: soonOr(one.beginsAt) }) : w.timeUnknown;
  return `${part}; ${now}`;
}

/** `settled`: changes when blocks have begun or ended, as they do with their schedules. */
export function Schedules({ settled, again }: { settled: number; again: () => void }) {
  const found = useAsked(() => call('schedule:list'), [minute.value, settled]);
  const schedules = (found.reply?.schedules ?? []) as ScheduleFacts[];
  const done = () => {
    found.again();
    again();
  };
  const remove = async (one: ScheduleFacts) => {
    try {
      await change('schedule:remove', { id: one.id });
      toast(w.removedSchedule);
    } catch (error) {
      toast(sentenceOf(error));
    }
    done();
  };
  if (schedules.length === 0) return null;
  return (
    <section class="sheet" aria-labelledby="schedules">
      <header>
        <h2 id="schedules">{w.schedules}</h2>
      </header>
      <ul class="needs plain">
        {schedules.map((one) => (
          <li key={one.id}>
            <Icon name="clock" class="mid" />
            <div>
              <div class="what" dir="auto">
                <b>{textOf(one)}</b>
              </div>
              <div class="why">{whenOf(one)}</div>
              <div class="dim" dir="auto">{`${visible(one.reason)} (${visible(one.actor)})`}</div>
            </div>
            {mayRemove(one) && (
              <div class="acts row">
                <ActionButton class="s" label={say(w.removeScheduleName, { id: one.id })} onClick={() => remove(one)}>
                  {w.removeSchedule}
                </ActionButton>
              </div>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
