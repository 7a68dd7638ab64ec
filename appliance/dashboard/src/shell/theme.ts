/** Light or dark: this browser's choice, else the system's. */
import { signal } from '@preact/signals';

export type Theme = 'light' | 'dark';

const KEY = 'theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function read(): Theme | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : null;
  } catch {
    return null;
  }
}

function asked(): Theme | null {
  const found = new URLSearchParams(location.search).get('theme');
  return found === 'light' || found === 'dark' ? found : null;
}

export const theme = signal<Theme>(asked() ?? read() ?? (system.matches ? 'dark' : 'light'));
theme.subscribe((now) => (document.documentElement.dataset.theme = now));
system.addEventListener('change', () => {
  if (read() === null && asked() === null) theme.value = system.matches ? 'dark' : 'light';
});

// Paper is white, whatever the screen is.
addEventListener('beforeprint', () => (document.documentElement.dataset.theme = 'light'));
addEventListener('afterprint', () => (document.documentElement.dataset.theme = theme.peek()));

/** `null`: as the system has it. */
export function chooseTheme(next: Theme | null): void {
  theme.value = next ?? (system.matches ? 'dark' : 'light');
  try {
    if (next === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // storage is forbidden: until the tab is closed
  }
}
