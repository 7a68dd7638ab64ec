/** What stands where there is nothing to show: loading, empty, refused. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import { connections, Refusal } from '../live/connection';
import { clockSeconds, visible } from '../live/formats';
import { nowMs } from '../live/clock';
import { holder } from '../live/session';
import { nameOf } from '../live/state';
import { common } from '../words/common';
import { say, words } from '../words/words';
import { sentenceOf } from './actions';
import { Icon, type IconName } from './icons';

const SHOWN_AFTER_MS = 300;

/** The shape of what comes, after 300 ms: what is faster than that needs no announcement. */
export function Skeleton({ rows = 3 }: { rows?: number }) {
  const [isShown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), SHOWN_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!isShown) return null;
  return (
    <div class="pad stack waiting" aria-busy="true">
      {Array.from({ length: rows }, () => (
        <div class="skel" />
      ))}
      <span class="sr">{common.loading}</span>
    </div>
  );
}

const LATE_MS = 5000;
const late = words({ en: { text: 'The appliance does not answer yet. Trying again.' }, de: { text: 'Das Gerät antwortet noch nicht. Neuer Versuch läuft.' } });

/** Where the first answer is waited for: after five seconds it says why there is nothing. */
export function Late({ class: more }: { class?: string }) {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), LATE_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p class={more} role="status">
      {isLate && late.text}
    </p>
  );
}

/** Nothing is here: why, and what to do, with one link. */
export function Empty({ icon, title, children, act, level = 2 }: { icon: IconName; title: string; children?: ComponentChildren; act?: ComponentChildren; level?: 1 | 2 | 3 }) {
  const Heading: 'h1' | 'h2' | 'h3' = `h${level}`; // 1 where it is all that the view has, 3 below a heading of its own
  return (
    <div class="empty">
      <Icon name={icon} class="big" />
      <Heading>{title}</Heading>
      {children && <p class="mid">{children}</p>}
      {act}
    </div>
  );
}

export interface Asked<T> {
  reply: T | null;
  error: unknown;
  again: () => void;
}

/** Ask when the view opens, when `keys` change and after a reconnection; the former answer stays until the next is there. */
export function useAsked<T>(ask: () => Promise<T>, keys: readonly unknown[]): Asked<T> {
  const [count, setCount] = useState(0);
  const [found, set] = useState<{ reply: T | null; error: unknown }>({ reply: null, error: null });
  const connection = connections.value;
  useEffect(() => {
    if (connection === 0) return; // the first connection asks
    let isCurrent = true;
    ask().then(
      (reply) => isCurrent && set({ reply, error: null }),
      (error: unknown) => isCurrent && set((before) => ({ reply: before.reply, error })),
    );
    return () => {
      isCurrent = false;
    };
  }, [...keys, count, connection]);
  return { ...found, again: () => setCount((before) => before + 1) };
}

/** What could not be read, in the server's words, with a button that tries again. */
export function Failed({ error, again, level }: { error: unknown; again?: () => void; level?: 2 | 3 }) {
  const code = error instanceof Refusal ? error.code : '';
  return (
    <Empty level={level} icon={code === 'E_FORBIDDEN' ? 'lock' : 'crit'} title={sentenceOf(error)} act={again && <button class="btn" onClick={again}>{common.retry}</button>}>
      {code && say(common.code, { code, time: clockSeconds(nowMs()) })}
    </Empty>
  );
}

const roles = words({
  en: { viewer: 'viewer', operator: 'operator', admin: 'admin', youAre: 'You are {name}, {role} of {departments}. An administrator of all departments can change that.' },
  de: { viewer: 'Betrachter', operator: 'Bediener', admin: 'Verwalter', youAre: 'Sie sind {name}, {role} von {departments}. Ein Verwalter aller Abteilungen kann das ändern.' },
});

/** A view that the person may not see: why, who they are, and who can change that. */
export function Forbidden({ view, title }: { view?: string; title: string }) {
  const who = holder.value;
  return (
    <>
      {view && <h1>{view}</h1>}
      <Empty level={2} icon="lock" title={title}>
        {who && say(roles.youAre, { name: visible(who.subject), role: roles[who.role], departments: who.departments?.map(nameOf).map(visible).join(', ') ?? common.forAll })}
      </Empty>
    </>
  );
}
