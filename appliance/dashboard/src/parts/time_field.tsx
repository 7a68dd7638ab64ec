/** A date and time that a person types, in the appliance's zone; it must lie ahead. */
import { zone } from '../live/clock';
import { say, words } from '../words/words';
import { Icon } from './icons';

const w = words({
  en: { label: 'Date and time ({zone})', past: 'The time must lie ahead.' },
  de: { label: 'Datum und Uhrzeit ({zone})', past: 'Die Zeit muss in der Zukunft liegen.' },
});

export function TimeField({ id, value, isPast, onInput }: { id: string; value: string; isPast: boolean; onInput: (text: string) => void }) {
  return (
    <div class="field">
      <label for={id}>{say(w.label, { zone: zone.value })}</label>
      <input id={id} type="datetime-local" value={value} aria-invalid={isPast} onInput={(event) => onInput(event.currentTarget.value)} />
      {isPast && (
        <span class="bad">
          <Icon name="crit" />
          {w.past}
        </span>
      )}
    </div>
  );
}
