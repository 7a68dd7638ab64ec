/** Single keys. They are off in fields, and can be turned off for this browser. */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

const KEY = 'singleKeys';
const WAITS_MS = 1500; // for the second key of `g d`

export const areKeysOn = signal(read());

export function turnKeys(on: boolean): void {
  areKeysOn.value = on;
  try {
    localStorage.setItem(KEY, on ? 'on' : 'off');
  } catch {
    // storage is forbidden: until the tab is closed
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(KEY) !== 'off';
  } catch {
    return true;
  }
}

type Keys = Record<string, () => void>;
interface Layer {
  keys: Keys;
}
const layers: Layer[] = []; // the newest first: a view's before the frame's
let prefix = '';
let timer = 0;

/** Let these keys do this while the component is there. A key of two is written `g d`. `isFrame`: any view's own keys come first. */
export function useKeys(keys: Keys, isFrame = false): void {
  const layer = useRef<Layer>({ keys });
  layer.current.keys = keys;
  useEffect(() => {
    if (isFrame) layers.push(layer.current);
    else layers.unshift(layer.current);
    return () => void layers.splice(layers.indexOf(layer.current), 1);
  }, []);
}

function isField(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return element?.isContentEditable === true || ['INPUT', 'TEXTAREA', 'SELECT'].includes(element?.tagName ?? '');
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !areKeysOn.value) return;
  if (isField(event.target) || document.querySelector('dialog[open]')) return;
  const pressed = prefix ? `${prefix} ${event.key}` : event.key;
  prefix = '';
  clearTimeout(timer);
  const layer = layers.find(({ keys }) => pressed in keys);
  if (layer !== undefined) {
    event.preventDefault();
    layer.keys[pressed]!();
  } else if (layers.some(({ keys }) => Object.keys(keys).some((one) => one.startsWith(`${pressed} `)))) {
    prefix = pressed;
    timer = window.setTimeout(() => (prefix = ''), WAITS_MS);
  }
});

/** Go to the row of the view's first table that has its tab stop. */
export function focusRow(): void {
  document.querySelector<HTMLElement>('main tr[data-at][tabindex="0"]')?.focus();
}
