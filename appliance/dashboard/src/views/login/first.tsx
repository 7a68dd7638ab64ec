/** The first start: who brings the pairing code, or has pressed the button, becomes the administrator. */
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { words } from '../../words/words';
import { ask, Door, RefusedText, useDoor } from './door';

const SHORTEST = 12; // characters, as the appliance asks for

const w = words({
  en: {
    title: 'Make it yours', note: 'Nobody can log in yet. You become the administrator.', code: 'Pairing code',
    codeHelp: 'On the console and in the log ({log}), good for 15 minutes. Or press the button on the appliance now: then no code is needed for 2 minutes.',
    name: 'Your name', password: 'Password', enough: 'Long enough.', passwordHelp: '12 characters or more; a sentence is best.', act: 'Become administrator',
    after: 'After this: 1. say which port faces which department, 2. set quotas if you like, 3. add people. Each can wait; it meters already.', log: 'journalctl -u appliance', login: 'Somebody can log in already? Log in',
  },
  de: {
    title: 'In Besitz nehmen', note: 'Noch kann sich niemand anmelden. Sie werden Verwalter.', code: 'Kopplungscode',
    codeHelp: 'Auf der Konsole und im Protokoll ({log}), 15 Minuten gültig. Oder jetzt den Knopf am Gerät drücken: Dann braucht es 2 Minuten lang keinen Code.',
    name: 'Ihr Name', password: 'Passwort', enough: 'Lang genug.', passwordHelp: '12 Zeichen oder mehr; am besten ein Satz.', act: 'Verwalter werden',
    after: 'Danach: 1. sagen, welcher Anschluss zu welcher Abteilung gehört, 2. nach Wunsch Kontingente setzen, 3. Benutzer hinzufügen. Alles kann warten; gemessen wird schon.', log: 'journalctl -u appliance', login: 'Es kann sich schon jemand anmelden? Anmelden',
  },
});

export default function First() {
  const { route } = useLocation();
  const [password, setPassword] = useState('');
  const enter = (text: (name: string) => string) => {
    const code = text('code').trim();
    return ask('/pair', { name: text('name').trim(), password: text('password'), ...(code ? { code } : {}) });
  };
  const { refused, leftS, isOff, onSubmit } = useDoor(w.title, enter, () => route('/', true));
  const [before, after] = w.codeHelp.split('{log}');
  return (
    <Door>
      <div>
        <h1>{w.title}</h1>
        <p class="mid">{w.note}</p>
      </div>
      <form class="stack" onSubmit={onSubmit}>
        <div class="field">
          <label for="code">{w.code}</label>
          <input id="code" name="code" class="mono code" autocomplete="one-time-code" autocapitalize="characters" spellcheck={false} maxLength={32} aria-describedby="code-help why" aria-invalid={refused !== null} />
          <span class="help" id="code-help">
            {before}
            <code>{w.log}</code>
            {after}
          </span>
          <RefusedText refused={refused} leftS={leftS} id="why" />
        </div>
        <div class="field">
          <label for="name">{w.name}</label>
          <input id="name" name="name" autocomplete="username" required maxLength={64} autocapitalize="none" />
        </div>
        <div class="field">
          <label for="password">{w.password}</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="new-password"
            required
            minLength={SHORTEST}
            maxLength={1024}
            aria-describedby="password-help"
            onInput={(event) => setPassword(event.currentTarget.value)}
          />
          <span class="help" id="password-help">
            {password.length >= SHORTEST && <span class="ok-ink">{w.enough} </span>}
            {w.passwordHelp}
          </span>
        </div>
        <button class="btn main" aria-disabled={isOff}>
          {w.act}
        </button>
      </form>
      <div class="dim">{w.after}</div>
      <div class="dim ruled">
        <a href="/login">{w.login}</a>
      </div>
    </Door>
  );
}
