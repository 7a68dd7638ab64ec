/** The dialog that grants more, with the bar as it will be. */
import { useState } from 'preact/hooks';

import { nowMs } from '../../live/clock';
import { isUsedUp, progress, toneOf } from '../../live/condition';
import { call } from '../../live/connection';
import { GIB, isMidnight, moment, setVolume, usedOf, visible } from '../../live/formats';
import { refreshQuotas, type Department } from '../../live/state';
import type { Events } from '../../live/contract';
import { ActionButton, change, RefusalText, toast, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { useAsked } from '../../parts/notices';
import { QuotaBar } from '../../parts/quota_bar';
import { common } from '../../words/common';
import { parts, say } from '../../words/words';
import { type Kind, quotaOf } from './books';
import { w } from './words';

const CHOICES = [1, 4, 10]; // GiB
const MOST_GIB = 1_000_000; // far below what the appliance takes; above every disk in a department
const IN_PERIOD = { daily: common.ofDay, weekly: common.ofWeek, monthly: common.ofMonth };

interface HostBooks {
  address: string;
  quotas: { type: Kind; used: number; limit: number | null }[];
}

export function GrantDialog({ department, kind, host: first = '', request, onClose }: { department: Department; kind: Kind; host?: string; request?: Events['quota:request']['request']; onClose: () => void }) {
  const work = useWork();
  const [gib, setGib] = useState(4);
  const [isOther, setOther] = useState(false);
  const [host, setHost] = useState(first);
  const [reason, setReason] = useState(request ? `${request.text}, ${say(w.reasonAsked, { name: request.name })}`.slice(0, 200) : '');
  const hosts = useAsked(() => call('quota:get', department.id), [department.id]);
  const limited = ((hosts.reply !== null && 'hosts' in hosts.reply ? hosts.reply.hosts : []) as HostBooks[]).filter((one) => one.quotas.some((quota) => quota.type === kind && quota.limit !== null));
  const quota = quotaOf(department, kind);
  const name = visible(department.facts.value.name);
  if (quota === undefined || quota.limit === null) return null;
  const bytes = Math.round(gib * GIB);
  const after = quota.limit + bytes;
  const isOver = isUsedUp(quota);
  const { onExceeded } = department.facts.value;
  const again = isOver && after > quota.used ? (onExceeded === 'block' ? w.connected : onExceeded === 'throttle' ? w.fullSpeed : '') : '';
  const untilMidnight = isMidnight(quota.resetsAt);
  const ends = moment(quota.resetsAt);
  const soFar = (limit: number) => say(w.usedSoFar, usedOf(quota.used, limit));
  const submit = async () => {
    const argument = { departmentId: department.id, type: kind, bytes, reason: reason.trim() || w.grant, ...(host ? { host } : {}) };
    if (!(await work.run((wait) => change('quota:extend', argument, wait)))) return;
    void refreshQuotas(department.id).catch(() => undefined);
    const undo = () => change('quota:extend', { ...argument, reason: w.undone, takeBack: true }).then(() => refreshQuotas(department.id));
    toast(say(w.grantDone, { name: host || name, amount: setVolume(bytes), period: IN_PERIOD[kind] }), undo);
    onClose();
  };
  return (
    <Dialog
      title={say(w.grantTitle, { name })}
      note={isOver && quota.exceededAt ? say(w.usedUpAt, { time: moment(quota.exceededAt), ...usedOf(quota.used, quota.limit) }) : soFar(quota.limit)}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main" disabled={work.isBusy || !(gib > 0) || gib > MOST_GIB}>
          {say(w.act, { amount: setVolume(bytes) })}
        </ActionButton>
      }
    >
      {!host && <QuotaBar big used={quota.used / after} tone={toneOf(quota.used / after, department.facts.value.thresholds)} gone={progress(quota, 0, nowMs())?.gone} thresholds={department.facts.value.thresholds} label={soFar(after)} />}
      <div class="field">
        <span class="label" id="how">
          {say(w.howMuch, { time: untilMidnight ? w.midnight : ends })}
        </span>
        <div class="filters" role="group" aria-labelledby="how">
          {CHOICES.map((one) => (
            <button key={one} type="button" class="chip" aria-pressed={!isOther && one === gib} onClick={() => (setOther(false), setGib(one))}>
              {one} GiB
            </button>
          ))}
          <button type="button" class="chip" aria-pressed={isOther} onClick={() => setOther(true)}>
            {w.other}
          </button>
        </div>
      </div>
      {isOther && (
        <div class="field">
          <label for="gib">{w.gib}</label>
          <input id="gib" type="number" min={0.001} max={MOST_GIB} step="any" value={gib} onInput={(event) => setGib(Number(event.currentTarget.value))} />
        </div>
      )}
      {limited.length > 0 && (
        <div class="field">
          <label for="whom">{w.for}</label>
          <select id="whom" value={host} onChange={(event) => setHost(event.currentTarget.value)}>
            <option value="">{w.theDepartment}</option>
            {limited.map((one) => (
              <option key={one.address} value={one.address}>
                {visible(one.address)}
              </option>
            ))}
          </select>
        </div>
      )}
      <div class="field">
        <label for="why">
          {common.reason} <span class="dim">{common.reasonKept}</span>
        </label>
        <input id="why" value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      <div class="consequence" aria-live="polite">
        {host
          ? parts(w.consequenceHost, { host: <b>{visible(host)}</b>, amount: <b>{setVolume(bytes)}</b>, period: IN_PERIOD[kind] })
          : parts(w.consequence, { name: <b>{name}</b>, amount: <b>{setVolume(bytes)}</b>, period: IN_PERIOD[kind], all: setVolume(after), again: <b>{again}</b>, limit: setVolume(quota.limit - quota.granted), time: untilMidnight ? w.atMidnight : ends })}
      </div>
    </Dialog>
  );
}
