/** What the pages before the login share: their frame, and the request that logs in. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import { logIn } from '../../live/session';
import { Icon, Mark } from '../../parts/icons';
import { parts, words } from '../../words/words';
import { span } from '../../live/formats';

const w = words({
  en: { wait: 'Try again in {span}; the wait doubles with each try.', unreachable: 'The appliance does not answer. Try again.' },
  de: { wait: 'Noch ein Versuch in {span}; die Wartezeit verdoppelt sich jedes Mal.', unreachable: 'Das Gerät antwortet nicht. Noch einmal versuchen.' },
});

export interface Refused {
  text: string;
  untilMs: number; // by `performance.now()`; 0: at once
}

/** Log in, or become the administrator: both answer with a token. Returns why not; `null`: in. */
export async function ask(path: '/login' | '/pair', body: Record<string, string>): Promise<Refused | null> {
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const answer = (await response.json()) as { success: boolean; token?: string; error?: string };
    if (answer.success && answer.token) {
      logIn(answer.token);
      return null;
    }
    const waitS = Number(response.headers.get('Retry-After') ?? 0);
    return { text: answer.error ?? response.statusText, untilMs: waitS > 0 ? performance.now() + waitS * 1000 : 0 };
  } catch {
    return { text: w.unreachable, untilMs: 0 };
  }
}

/** The address to go to after the login: one of this page's own, never another site's. */
export function nextOf(asked: string | undefined): string {
  return asked?.startsWith('/') && !asked.startsWith('//') && !asked.startsWith('/\\') ? asked : '/';
}

export interface Asking {
  refused: Refused | null;
  leftS: number; // to wait before the next try
  isOff: boolean; // while it is asked, or while one has to wait
  refuse: (why: Refused | null) => void;
  onSubmit: (event: Event) => void;
}

/** The form of a door: `enter` gets its fields and says why not; `then`: who is in goes on. */
export function useDoor(title: string, enter: (text: (name: string) => string) => Promise<Refused | null>, then: () => void): Asking {
  const [refused, refuse] = useState<Refused | null>(null);
  const [isBusy, setBusy] = useState(false);
  const leftS = useWait(refused);
  useEffect(() => void (document.title = `${title} - Appliance`), [title]);
  const isOff = leftS > 0 || isBusy;
  const submit = async (form: HTMLFormElement) => {
    const fields = new FormData(form);
    setBusy(true);
    const why = await enter((name) => String(fields.get(name) ?? ''));
    setBusy(false);
    refuse(why);
    if (why === null) then();
  };
  const onSubmit = (event: Event) => {
    event.preventDefault();
    if (!isOff) void submit(event.currentTarget as HTMLFormElement);
  };
  return { refused, leftS, isOff, refuse, onSubmit };
}

/** Seconds that are still to wait; counts down. */
function useWait(refused: Refused | null): number {
  const [leftS, set] = useState(0);
  useEffect(() => {
    const look = () => set(refused === null ? 0 : Math.max(0, Math.ceil((refused.untilMs - performance.now()) / 1000)));
    look();
    if (refused === null || refused.untilMs === 0) return;
    const timer = setInterval(look, 500);
    return () => clearInterval(timer);
  }, [refused]);
  return leftS;
}

export function RefusedText({ refused, leftS, id }: { refused: Refused | null; leftS: number; id: string }) {
  if (refused === null) return null;
  return (
    <span class="bad" id={id} role="alert">
      <Icon name="crit" />
      <span>
        {refused.text} {leftS > 0 && parts(w.wait, { span: <b>{span(leftS)}</b> })}
      </span>
    </span>
  );
}

/** One column in the middle, without the rail. */
export function Door({ note, children }: { note?: string; children: ComponentChildren }) {
  return (
    <main class="door">
      <div class="box">
        <div class="brand">
          <Mark />
          <span>
            <b>Appliance</b>
            <small>{note ?? location.hostname}</small>
          </span>
        </div>
        {children}
      </div>
    </main>
  );
}
