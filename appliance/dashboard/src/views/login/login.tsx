/** Log in with name and password, or with a token that one already has. */
import { useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { endedBecause, logIn, looksLikeToken } from '../../live/session';
import { words } from '../../words/words';
import { ask, Door, nextOf, type Refused, RefusedText, useDoor } from './door';

const w = words({
  en: {
    title: 'Log in', name: 'Name', password: 'Password', ended: 'You were logged out.', stays: 'You stay logged in on this computer for 12 hours, in this tab.',
    haveToken: 'I have a token', havePassword: 'I have a password', token: 'Token', tokenHelp: 'On the appliance, this prints one:', notToken: 'This is no token: it has three parts with dots between them.',
    first: 'Nobody can log in yet? First start', own: 'This page comes from the appliance itself, and needs nothing else.',
  },
  de: {
    title: 'Anmelden', name: 'Name', password: 'Passwort', ended: 'Sie wurden abgemeldet.', stays: 'Die Anmeldung gilt in diesem Tab 12 Stunden.',
    haveToken: 'Ich habe ein Token', havePassword: 'Ich habe ein Passwort', token: 'Token', tokenHelp: 'Auf dem Gerät gibt dies eines aus:', notToken: 'Das ist kein Token: Es hat drei Teile mit Punkten dazwischen.',
    first: 'Noch kann sich niemand anmelden? Erster Start', own: 'Diese Seite kommt vom Gerät selbst und braucht nichts von außerhalb.',
  },
});

export default function Login() {
  const { query, route } = useLocation();
  const [withToken, useToken] = useState(false);
  const enter = async (text: (name: string) => string): Promise<Refused | null> => {
    if (!withToken) return ask('/login', { name: text('name').trim(), password: text('password') });
    if (!looksLikeToken(text('token'))) return { text: w.notToken, untilMs: 0 };
    logIn(text('token'));
    return null;
  };
  const { refused, leftS, isOff, refuse, onSubmit } = useDoor(w.title, enter, () => route(nextOf(query.next), true));
  return (
    <Door>
      <h1>{w.title}</h1>
      {endedBecause.value && (
        <p role="alert" class="consequence warn">
          <b>{w.ended}</b> {endedBecause}
        </p>
      )}
      <form class="stack" onSubmit={onSubmit}>
        {withToken ? (
          <div class="field">
            <label for="token">{w.token}</label>
            <textarea id="token" name="token" class="mono" rows={4} required maxLength={40_000} spellcheck={false} aria-invalid={refused !== null} aria-describedby="why token-help" />
            <span class="help" id="token-help">
              {w.tokenHelp} <code>appliance token --role viewer --departments '*'</code>
            </span>
            <RefusedText refused={refused} leftS={leftS} id="why" />
          </div>
        ) : (
          <>
            <div class="field">
              <label for="name">{w.name}</label>
              <input id="name" name="name" autocomplete="username" required maxLength={64} autocapitalize="none" />
            </div>
            <div class="field">
              <label for="password">{w.password}</label>
              <input id="password" name="password" type="password" autocomplete="current-password" required maxLength={1024} aria-invalid={refused !== null} aria-describedby="why" />
              <RefusedText refused={refused} leftS={leftS} id="why" />
            </div>
          </>
        )}
        <button class="btn main" aria-disabled={isOff}>
          {w.title}
        </button>
      </form>
      <div class="dim">
        {w.stays}{' '}
        <button type="button" class="plain" onClick={() => (refuse(null), useToken(!withToken))}>
          {withToken ? w.havePassword : w.haveToken}
        </button>
      </div>
      <div class="dim ruled">
        {w.own} <a href="/first">{w.first}</a>
      </div>
    </Door>
  );
}
