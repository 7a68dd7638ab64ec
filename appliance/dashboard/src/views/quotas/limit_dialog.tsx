/** The dialog that sets or removes a limit. Two administrators at once: the second is told, and decides. */
import { useState } from 'preact/hooks';

import { sentence } from '../../live/condition_words';
import { Refusal } from '../../live/connection';
import { GIB, setVolume, text, visible, volume } from '../../live/formats';
import { refreshQuotas, type Department } from '../../live/state';
import { ActionButton, change, fasterText, RefusalText, toast, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { common } from '../../words/common';
import { parts, say } from '../../words/words';
import { type Kind, PERIODS, quotaOf } from './books';
import { w } from './words';

const ACTION = { block: w.actCut, throttle: w.actSlow, alert: w.actTold };

export function LimitDialog({ department, kind, onClose }: { department: Department; kind: Kind; onClose: () => void }) {
  const work = useWork();
  const quota = quotaOf(department, kind);
  const [seen] = useState(quota?.limit == null ? null : quota.limit - (quota.granted ?? 0));
  const first = seen === null ? '' : String(Number((seen / GIB).toPrecision(4)));
  const [typed, setTyped] = useState(first);
  const [isBeaten, setBeaten] = useState(false);
  const name = visible(department.facts.value.name);
  const limit = typed === first ? seen : typed.trim() === '' ? null : Math.round(Number(typed) * GIB);
  const isBad = limit !== null && !(limit >= 0 && limit < 2 ** 53);
  const each = w[`each${PERIODS[kind]}`];
  const used = quota?.used ?? 0;
  const set = async (over: boolean) => {
    const argument = { departmentId: department.id, type: kind, limit, ...(over ? {} : { seen }) };
    const isDone = await work.run(async (wait) => {
      try {
        await change('quota:set', argument, wait);
      } catch (error) {
        if (error instanceof Refusal && error.code === 'E_CONFLICT') setBeaten(true);
        throw error;
      }
    });
    if (!isDone) return;
    void refreshQuotas(department.id).catch(() => undefined);
    const undo = () => change('quota:set', { departmentId: department.id, type: kind, limit: seen }).then(() => refreshQuotas(department.id));
    toast(limit === null ? say(w.removed, { name }) : say(w.setDone, { name, limit: setVolume(limit) }), undo);
    onClose();
  };
  return (
    <Dialog
      title={say(w.setTitle, { name })}
      onClose={onClose}
      onSubmit={() => set(false)}
      acts={
        isBeaten ? (
          <>
            <button type="button" class="btn main" onClick={onClose}>
              {common.keepTheirs}
            </button>
            <ActionButton onClick={() => set(true)}>{common.applyMine}</ActionButton>
          </>
        ) : (
          <ActionButton type="submit" class="main" disabled={work.isBusy || isBad}>
            {limit === null ? w.removeAct : say(w.setAct, { limit: isBad ? '…' : setVolume(limit) })}
          </ActionButton>
        )
      }
    >
      <div class="field">
        <label for="limit">{w.limitGib}</label>
        <input id="limit" type="number" min={0} step="any" value={typed} aria-invalid={isBad} aria-describedby="limit-help" onInput={(event) => setTyped(event.currentTarget.value)} />
        <span class="help" id="limit-help">
          {w.noLimitHelp}
        </span>
      </div>
      {isBeaten ? (
        <div class="consequence warn" role="alert">
          <b>{fasterText(work.refusal?.text)}</b> {visible(sentence(work.refusal?.text ?? ''))}. {common.notApplied}
        </div>
      ) : (
        <RefusalText of={work} />
      )}
      {!isBad && !isBeaten && (
        <div class={`consequence ${limit !== null && used >= limit ? 'warn' : ''}`} aria-live="polite">
          {limit === null ? parts(w.setNone, { name: <b>{name}</b>, each }) : parts(w.setConsequence, { name: <b>{name}</b>, limit: <b>{setVolume(limit)}</b>, each, used: text(volume(used)) })}
          {limit !== null && used >= limit && say(w.setOver, { action: ACTION[department.facts.value.onExceeded as keyof typeof ACTION] })}
        </div>
      )}
    </Dialog>
  );
}
