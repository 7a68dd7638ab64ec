/** Log in with name and password. */
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { endedBecause, logIn } from '../../live/session';
import { Mark } from '../../parts/icons';
import { words } from '../../words/words';

const w = words({
  en: { title: 'Log in', name: 'Name', password: 'Password', act: 'Log in', ended: 'You were logged out.' },
  de: { title: 'Anmelden', name: 'Name', password: 'Passwort', act: 'Anmelden', ended: 'Sie wurden abgemeldet.' },
});

export default function Login() {
  const { query, route } = useLocation();
  const [refusal, setRefusal] = useState('');
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const response = await fetch('/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: fields.get('name'), password: fields.get('password') }),
    });
    const answer = (await response.json()) as { success: boolean; token?: string; error?: string };
    if (!answer.success || !answer.token) {
      setRefusal(answer.error ?? response.statusText);
      return;
    }
    logIn(answer.token);
    const next = query.next ?? '/';
    route(next.startsWith('/') && !next.startsWith('//') ? next : '/', true);
  };
  return (
    <main class="door">
      <form class="box" onSubmit={(event) => void submit(event as unknown as SubmitEvent)}>
        <Mark />
        <h1>{w.title}</h1>
        {endedBecause.value && (
          <p role="alert">
            {w.ended} {endedBecause}
          </p>
        )}
        <div class="field">
          <label for="name">{w.name}</label>
          <input id="name" name="name" autocomplete="username" required maxLength={64} />
        </div>
        <div class="field">
          <label for="password">{w.password}</label>
          <input id="password" name="password" type="password" autocomplete="current-password" required maxLength={1024} />
          {refusal && (
            <span class="bad" role="alert">
              {refusal}
            </span>
          )}
        </div>
        <button class="btn main">{w.act}</button>
      </form>
    </main>
  );
}
