/** The search of the head: what the page knows by this name, in a list below the field; Enter opens the first. */
import { useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { Icon } from '../parts/icons';
import { words } from '../words/words';
import type { Found } from './find';
import { useKeys } from './keyboard';

const w = words({
  en: { search: 'Search', placeholder: 'Device, address, site', found: 'Found', nothing: 'Nothing is known by this name.' },
  de: { search: 'Suche', placeholder: 'Gerät, Adresse, Seite', found: 'Gefunden', nothing: 'Unter diesem Namen ist nichts bekannt.' },
});

const TYPED_MS = 150; // since the last key

export function Search() {
  const { route } = useLocation();
  const field = useRef<HTMLInputElement>(null);
  const typing = useRef(0);
  const [found, setFound] = useState<{ text: string; all: Found[] } | null>(null);
  const [at, setAt] = useState(0);
  useKeys({ '/': () => field.current?.focus() }, true);
  const close = () => {
    clearTimeout(typing.current);
    typing.current++;
    setFound(null);
  };
  const look = async (text: string) => {
    const { find } = await import('./find');
    const all = await find(text);
    if (field.current?.value.trim() !== text || document.activeElement !== field.current) return; // typed on, or left
    setFound({ text, all });
    setAt(0);
  };
  const open = (one: Found | undefined) => {
    if (one === undefined) return;
    close();
    field.current!.value = '';
    field.current!.blur();
    route(one.href);
  };
  const typed = () => {
    clearTimeout(typing.current);
    const text = field.current?.value.trim() ?? '';
    if (text === '') setFound(null);
    else typing.current = window.setTimeout(() => void look(text), TYPED_MS);
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim() ?? '';
    if (text === '') return;
    if (found?.text === text) return open(found.all[at]);
    const { find } = await import('./find');
    open((await find(text))[0]);
  };
  const pressed = (event: KeyboardEvent) => {
    const last = (found?.all.length ?? 0) - 1;
    if (event.key === 'Escape') {
      if (found === null) field.current?.blur();
      close();
    } else if (last >= 0 && (event.key === 'ArrowDown' || event.key === 'ArrowUp')) setAt(Math.max(0, Math.min(last, at + (event.key === 'ArrowDown' ? 1 : -1))));
    else return;
    event.preventDefault();
  };
  const all = found?.all ?? [];
  return (
    <form class="search push" role="search" onSubmit={(event) => void submit(event)}>
      <Icon name="search" />
      <input
        ref={field}
        role="combobox"
        aria-label={w.search}
        aria-expanded={all.length > 0}
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={all.length > 0 ? `found-${at}` : undefined}
        placeholder={w.placeholder}
        autocomplete="off"
        maxLength={255}
        onInput={typed}
        onKeyDown={pressed}
        onBlur={close}
      />
      <kbd>/</kbd>
      <div class={`found ${found === null ? 'none' : ''}`}>
        <ul id="found" role="listbox" aria-label={w.found}>
          {all.map((one, index) => (
            <li key={one.href} id={`found-${index}`} role="option" aria-selected={index === at} onPointerDown={(event) => (event.preventDefault(), open(one))}>
              <Icon name={one.icon} />
              <span class="cut" dir="auto" title={one.name}>
                {one.name}
              </span>
              <span class="dim">{one.note}</span>
            </li>
          ))}
        </ul>
        <span role="status">{found !== null && all.length === 0 && w.nothing}</span>
      </div>
    </form>
  );
}
