/** The fields of what an order is about: an address, with what the appliance says of it, and for which department. */
import { visible } from '../live/formats';
import { holder, may } from '../live/session';
import { departments } from '../live/state';
import { common } from '../words/common';
import { Icon } from './icons';

interface AddressFieldProps {
  id: string;
  label: string;
  help: string;
  value: string;
  objection: string; // why the appliance does not take it; empty: it does, or has not said yet
  onInput: (value: string) => void;
}

export function AddressField({ id, label, help, value, objection, onInput }: AddressFieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} value={value} maxLength={255} autocomplete="off" spellcheck={false} autocapitalize="none" aria-invalid={objection !== ''} aria-describedby={`${id}-help ${id}-bad`} onInput={(event) => onInput(event.currentTarget.value.trim())} />
      <span class="help" id={`${id}-help`}>
        {help}
      </span>
      <span id={`${id}-bad`} role="alert">
        {objection && (
          <span class="bad">
            <Icon name="crit" />
            <span>{visible(objection)}</span>
          </span>
        )}
      </span>
    </div>
  );
}

/** The departments in which the person may order. */
export const ownDepartments = () => departments.value.filter((one) => may('operator', one.id));
/** Whether they may order for all at once. */
export const mayForAll = () => holder.value?.departments === null;

interface DepartmentFieldProps {
  id: string;
  label: string;
  value: string; // empty: all of them
  hasAll: boolean;
  onChange: (value: string) => void;
}

export function DepartmentField({ id, label, value, hasAll, onChange }: DepartmentFieldProps) {
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {hasAll && <option value="">{common.allDepartments}</option>}
        {ownDepartments().map((one) => (
          <option key={one.id} value={one.id}>
            {visible(one.facts.value.name)}
          </option>
        ))}
      </select>
    </div>
  );
}
