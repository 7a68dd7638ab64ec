/** A dialog: the browser's own, with the verb as its title and the consequence above its buttons. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

import { common } from '../words/common';
import { Icon } from './icons';

export interface DialogProps {
  title: string;
  note?: ComponentChildren;
  onClose: () => void;
  onSubmit: () => unknown;
  acts: ComponentChildren; // the buttons beside "Cancel"; the one that does it is of type submit
  children: ComponentChildren;
}

let numbered = 0;

/** Enter does it, Escape leaves, and the focus goes back to where it was. */
export function Dialog({ title, note, onClose, onSubmit, acts, children }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useRef(`dialog-${++numbered}`).current;
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    box.current?.showModal();
    box.current?.querySelector<HTMLElement>('.pad input, .pad select, .pad textarea, .pad button')?.focus(); // not "Close": Enter does it
    return () => before?.focus?.();
  }, []);
  return (
    <dialog class="dialog" ref={box} aria-labelledby={id} onClose={onClose} onCancel={(event) => (event.preventDefault(), onClose())}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          void onSubmit();
        }}
      >
        <div class="title">
          <div>
            <h2 id={id}>{title}</h2>
            {note && <p class="mid">{note}</p>}
          </div>
          <button type="button" class="btn bare push" aria-label={common.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
        <div class="pad">{children}</div>
        <div class="acts">
          <button type="button" class="btn" onClick={onClose}>
            {common.cancel}
          </button>
          {acts}
        </div>
      </form>
    </dialog>
  );
}
