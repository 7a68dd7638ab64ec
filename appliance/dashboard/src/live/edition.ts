/** Whether this page is still the one that the appliance serves: an old tab outlives an update. */
import { computed, signal } from '@preact/signals';

import { connections, onConnect } from './connection';
import { appliance } from './state';

/** The script of the page that the appliance serves now, where that is another page than this one. */
const servedScript = signal('');
/** A part of this page could not be loaded: after an update it is gone, or the line failed. */
export const isIncomplete = signal(false);
/** The appliance serves another page than this one. */
export const isOutdated = computed(() => servedScript.value !== '');

const OWN = new URL(document.querySelector<HTMLScriptElement>('script[type=module]')?.src ?? location.href).pathname; // its name has a digest of its content

async function compare(): Promise<void> {
  try {
    const served = await fetch('/', { cache: 'no-store' });
    const text = served.ok ? await served.text() : OWN;
    if (!text.includes(OWN)) servedScript.value = /src="([^"]+)"/.exec(text)?.[1] ?? 'another';
  } catch {
    // the next connection asks again
  }
}

onConnect(() => {
  if (connections.peek() > 1) void compare(); // the first one is of the page's own opening
});

addEventListener('vite:preloadError', () => {
  isIncomplete.value = true;
  void compare();
});

const versions = signal<{ then: string; now: string } | null>(null);
appliance.subscribe((found) => {
  if (found !== null) versions.value = { then: versions.peek()?.then ?? found.version, now: found.version };
});
/** The version that this page came from and the one that runs, where they differ. */
export const updated = computed(() => (versions.value === null || versions.value.then === versions.value.now ? null : versions.value));

const KEY = 'reloadedFor';

/** Load the page again where the appliance was updated; once for each version, so that a cache between them is no endless loop. */
export function reloadOnce(): void {
  const version = `${updated.value?.now ?? ''} ${servedScript.value}`;
  if (version === ' ') return;
  try {
    if (sessionStorage.getItem(KEY) === version) return;
    sessionStorage.setItem(KEY, version);
  } catch {
    return; // storage is forbidden: the token would be lost, and what was loaded for
  }
  location.reload();
}
