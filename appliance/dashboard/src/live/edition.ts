/** Whether this page is still the one that the appliance serves: an old tab outlives an update. */
import { signal } from '@preact/signals';

import { connections, onConnect } from './connection';

/** The appliance serves another page than this one. */
export const isOutdated = signal(false);
/** A part of this page could not be loaded: after an update it is gone, or the line failed. */
export const isIncomplete = signal(false);

const OWN = new URL(document.querySelector<HTMLScriptElement>('script[type=module]')?.src ?? location.href).pathname; // its name has a digest of its content

async function compare(): Promise<void> {
  try {
    const served = await fetch('/', { cache: 'no-store' });
    if (served.ok && !(await served.text()).includes(OWN)) isOutdated.value = true;
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
