/** A field that narrows a list while one types. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { common } from '../words/common';
import { Icon } from './icons';

const TYPED_MS = 300; // since the last key

export function SearchField({ value, placeholder, onChange }: { value: string; placeholder: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(value);
  const timer = useRef(0);
  useEffect(() => setTyped(value), [value]);
  return (
    <label class="search">
      <span class="sr">{common.filter}</span>
      <Icon name="search" />
      <input
        type="search"
        value={typed}
        placeholder={placeholder}
        maxLength={200}
        onInput={(event) => {
          const next = event.currentTarget.value;
          setTyped(next);
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => onChange(next.trim()), TYPED_MS);
        }}
      />
    </label>
  );
}
