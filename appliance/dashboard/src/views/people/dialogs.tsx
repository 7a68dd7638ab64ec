/** The dialogs about people and tokens. What cannot be undone asks for the name to be typed. */
import { useState } from 'preact/hooks';

import { visible } from '../../live/formats';
import { holder, type Role } from '../../live/session';
import { departments } from '../../live/state';
import { ActionButton, change, RefusalText, useWork } from '../../parts/actions';
import { Dialog } from '../../parts/dialog';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { departmentsText, type Person, type Token } from './people';
import { w } from './words';

interface Ends {
  onClose: () => void;
  onDone: (text: string) => void;
}

const SHORTEST = 12;

export function AddDialog({ onClose, onDone }: Ends) {
  const work = useWork();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [chosen, choose] = useState<string[]>([]);
  const submit = async () => {
    const argument = { name, password, role, ...(chosen.length ? { departments: chosen } : {}) };
    if (await work.run((wait) => change('user:add', argument, wait))) onDone(say(w.added, { name }));
  };
  const toggle = (id: string) => choose(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return (
    <Dialog
      title={w.addTitle}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main" disabled={work.isBusy || !name || password.length < SHORTEST}>
          {name ? say(w.addAct, { name: visible(name) }) : w.addActPlain}
        </ActionButton>
      }
    >
      <div class="field">
        <label for="new-name">{w.name}</label>
        <input id="new-name" value={name} autocomplete="off" maxLength={64} aria-describedby="name-help" onInput={(event) => setName(event.currentTarget.value.trim())} />
        <span class="help" id="name-help">
          {w.nameHelp}
        </span>
      </div>
      <div class="field">
        <span class="label" id="role-label">
          {w.role}
        </span>
        <div class="seg" role="group" aria-labelledby="role-label">
          {(['viewer', 'operator', 'admin'] as const).map((one) => (
            <button key={one} type="button" aria-pressed={one === role} onClick={() => setRole(one)}>
              {w[one]}
            </button>
          ))}
        </div>
      </div>
      <div class="field">
        <span class="label" id="departments-label">
          {w.departments}
        </span>
        <div class="filters" role="group" aria-labelledby="departments-label">
          <button type="button" class="chip" aria-pressed={chosen.length === 0} onClick={() => choose([])}>
            {common.allDepartments}
          </button>
          {departments.value.map((one) => (
            <button key={one.id} type="button" class="chip" aria-pressed={chosen.includes(one.id)} onClick={() => toggle(one.id)}>
              {visible(one.facts.value.name)}
            </button>
          ))}
        </div>
      </div>
      <PasswordField label={w.password} help={w.passwordHelp} value={password} onInput={setPassword} autocomplete="new-password" />
      <RefusalText of={work} />
      <div class="consequence">
        {say(w.addConsequence, { name: visible(name) || '…', role: w[role], departments: departmentsText(chosen.length ? chosen : '*') })}
      </div>
    </Dialog>
  );
}

function PasswordField({ label, help, value, onInput, autocomplete }: { label: string; help?: string; value: string; onInput: (text: string) => void; autocomplete: string }) {
  const id = autocomplete;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input id={id} type="password" autocomplete={autocomplete} maxLength={1024} value={value} aria-describedby={help ? `${id}-help` : undefined} onInput={(event) => onInput(event.currentTarget.value)} />
      {help && (
        <span class="help" id={`${id}-help`}>
          {help}
        </span>
      )}
    </div>
  );
}

export function PasswordDialog({ person, onClose, onDone }: Ends & { person: Person }) {
  const work = useWork();
  const [password, setPassword] = useState('');
  const [current, setCurrent] = useState('');
  const isOwn = person.name === holder.value?.subject;
  const name = visible(person.name);
  const submit = async () => {
    const argument = isOwn ? { password, current } : { name: person.name, password, seen: { role: person.role, departments: person.departments } };
    if (await work.run((wait) => change('user:password', argument, wait))) onDone(say(w.passwordSet, { name }));
  };
  return (
    <Dialog
      title={say(w.passwordTitle, { name })}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main" disabled={work.isBusy || password.length < SHORTEST || (isOwn && !current)}>
          {w.passwordAct}
        </ActionButton>
      }
    >
      {isOwn && <PasswordField label={w.currentPassword} value={current} onInput={setCurrent} autocomplete="current-password" />}
      <PasswordField label={w.newPassword} help={w.passwordHelp} value={password} onInput={setPassword} autocomplete="new-password" />
      <RefusalText of={work} />
      <div class="consequence warn">{say(w.passwordConsequence, { name })}</div>
    </Dialog>
  );
}

export function RemoveDialog({ person, onClose, onDone }: Ends & { person: Person }) {
  const work = useWork();
  const [typed, setTyped] = useState('');
  const name = visible(person.name);
  const submit = async () => {
    if (typed !== person.name) return;
    const argument = { name: person.name, seen: { role: person.role, departments: person.departments } };
    if (await work.run((wait) => change('user:remove', argument, wait))) onDone(say(w.removed, { name }));
  };
  return (
    <Dialog
      title={say(w.removeTitle, { name })}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main danger" disabled={work.isBusy || typed !== person.name}>
          {say(w.removeName, { name })}
        </ActionButton>
      }
    >
      <div class="field">
        <label for="typed">{say(w.typeName, { name: person.name })}</label>
        <input id="typed" autocomplete="off" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      <div class="consequence crit">{say(w.removeConsequence, { name })}</div>
    </Dialog>
  );
}

export function RevokeDialog({ token, onClose, onDone }: Ends & { token: Token }) {
  const work = useWork();
  const [typed, setTyped] = useState('');
  const name = visible(token.subject);
  const submit = async () => {
    if (typed !== token.subject) return;
    if (await work.run((wait) => change('token:revoke', { id: token.id }, wait))) onDone(say(w.revoked, { name }));
  };
  return (
    <Dialog
      title={w.revokeTitle}
      note={name}
      onClose={onClose}
      onSubmit={submit}
      acts={
        <ActionButton type="submit" class="main danger" disabled={work.isBusy || typed !== token.subject}>
          {w.takeBack}
        </ActionButton>
      }
    >
      <div class="field">
        <label for="typed">{say(w.typeName, { name: token.subject })}</label>
        <input id="typed" autocomplete="off" value={typed} onInput={(event) => setTyped(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      <div class="consequence crit">{say(w.revokeConsequence, { name })}</div>
    </Dialog>
  );
}
