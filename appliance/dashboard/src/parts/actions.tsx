/** What changes something: who may, whether it can be done now, what came of it, and the way back. */
import { computed, signal, type Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

import { call, link, Refusal } from '../live/connection';
import type { Calls } from '../live/contract';
import { clock, clockSeconds, visible } from '../live/formats';
import { nowMs } from '../live/clock';
import { freshness, isReadOnly, maintenance } from '../live/state';
import { common } from '../words/common';
import { say } from '../words/words';
import { Icon } from './icons';

const RETRY_S = 3; // the server's rate limit gives room again within this
const UNDO_MS = 10_000;

/** Why nothing can be changed now; empty: it can. */
export const whyNot = computed(() => {
  if (link.value !== 'live' || freshness.value === 'stale') return common.notWhileLost;
  const running = maintenance.value;
  if (running !== null && isReadOnly.value) return say(common.notInMaintenance, { time: clock(Date.parse(running.startTime) + running.duration * 1000) });
  return '';
});

export interface ActionButtonProps {
  onClick?: () => unknown;
  class?: string;
  label?: string; // for readers, where the words do not name the row
  inMaintenance?: boolean; // works in maintenance too
  type?: 'button' | 'submit';
  disabled?: boolean;
  children: ComponentChildren;
}

/** A button that changes something. It is there, greyed, with the reason, while that cannot be done. */
export function ActionButton({ onClick, class: more = '', label, inMaintenance, type = 'button', disabled, children }: ActionButtonProps) {
  const because = inMaintenance && isReadOnly.value ? '' : whyNot.value;
  const isOff = because !== '' || disabled === true;
  return (
    <button
      type={type}
      class={`btn ${more}`}
      aria-label={label}
      aria-disabled={isOff ? 'true' : undefined}
      title={because || undefined}
      onClick={(event) => {
        if (isOff) event.preventDefault();
        else onClick?.();
      }}
    >
      {children}
    </button>
  );
}

/** The server's own sentence, or the page's where the server said nothing. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Refusal)) return String(error);
  if (error.code === 'E_TIMEOUT') return common.noAnswer;
  if (error.code === 'E_OFFLINE') return common.offline;
  return error.message;
}

const FASTER = [/; (.+) (?:set it to|granted|took back) /, /\bby (.+?)(?:,| at) \d{4}-/]; // of limits; of the file and of people

/** Who changed it meanwhile, as far as the server's sentence names them. */
export function fasterText(sentence = ''): string {
  const name = FASTER.map((one) => one.exec(sentence)?.[1]).find((one) => one !== undefined);
  return name === undefined ? common.somebodyFaster : say(common.faster, { name: visible(name) });
}

/** Ask for a change. One that comes too soon is sent again by itself, once. A key makes a repetition harmless. */
export async function change<Name extends keyof Calls>(name: Name, argument: Calls[Name]['argument'], wait: (text: string) => void = toast): Promise<Calls[Name]['reply']> {
  const keyed = { ...(argument as object), idempotencyKey: crypto.randomUUID?.() ?? String(Math.random()).slice(2) };
  const send = call as (event: Name, argument: unknown) => Promise<Calls[Name]['reply']>;
  try {
    return await send(name, keyed);
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'E_RATE_LIMITED') throw error;
    wait(say(common.tooMany, { n: RETRY_S }));
    await new Promise((done) => setTimeout(done, RETRY_S * 1000));
    return await send(name, keyed);
  }
}

export interface Work {
  isBusy: boolean;
  refusal: { text: string; code: string; at: string } | null;
  note: string;
  /** Do it; true: it was done. */
  run: (work: (wait: (text: string) => void) => Promise<unknown>) => Promise<boolean>;
  clear: () => void;
}

/** The state of one thing that is being done: busy, refused, or done. */
export function useWork(): Work {
  const [isBusy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Work['refusal']>(null);
  const [note, setNote] = useState('');
  return {
    isBusy,
    refusal,
    note,
    clear: () => setRefusal(null),
    run: async (work) => {
      if (isBusy) return false;
      setBusy(true);
      setRefusal(null);
      try {
        await work(setNote);
        return true;
      } catch (error) {
        setRefusal({ text: sentenceOf(error), code: error instanceof Refusal ? error.code : '', at: clockSeconds(nowMs()) });
        return false;
      } finally {
        setBusy(false);
        setNote('');
      }
    },
  };
}

/** The words of a refusal, with its code and time; before that, what is waited for. */
export function RefusalText({ of: { refusal, note } }: { of: Work }) {
  if (refusal === null) return note === '' ? null : <span class="mid" role="status">{note}</span>;
  return (
    <span class="bad" role="alert">
      <Icon name="crit" />
      <span>
        {refusal.text} {refusal.code && <span class="dim">{say(common.code, { code: refusal.code, time: refusal.at })}</span>}
      </span>
    </span>
  );
}

// ---- toasts ----

interface Toast {
  id: number;
  text: ComponentChildren;
  undo?: () => Promise<unknown>;
}

const toasts: Signal<Toast[]> = signal([]);
let count = 0;

/** Say what was done; for ten seconds it can be undone. */
export function toast(text: ComponentChildren, undo?: () => Promise<unknown>): void {
  toasts.value = [...toasts.peek().slice(-2), { id: ++count, text, ...(undo ? { undo } : {}) }];
}

function ToastRow({ toast: shown }: { toast: Toast }) {
  const box = useRef<HTMLDivElement>(null);
  const timer = useRef(0);
  const leave = () => (toasts.value = toasts.peek().filter((one) => one.id !== shown.id));
  /** Ten seconds, counted while neither the focus nor a pointer is in it. */
  const start = () => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => (box.current?.matches(':hover, :focus-within') ? start() : leave()), UNDO_MS);
  };
  useEffect(() => (start(), () => clearTimeout(timer.current)), []);
  return (
    <div class="toast" ref={box} onFocusOut={start} onPointerLeave={start}>
      <span>{shown.text}</span>
      {shown.undo && (
        <button
          class="btn"
          onClick={() => {
            leave();
            void shown.undo!().catch((error: unknown) => toast(sentenceOf(error)));
          }}
        >
          {common.undo}
        </button>
      )}
      <button class="btn bare" aria-label={common.dismiss} onClick={leave}>
        <Icon name="close" />
      </button>
    </div>
  );
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map((one) => (
        <ToastRow key={one.id} toast={one} />
      ))}
    </div>
  );
}
