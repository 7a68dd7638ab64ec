/** A backup of all that the appliance knows: made and saved here, or given, looked at, and restored. */
import { useState } from 'preact/hooks';

import { call, Refusal } from '../../live/connection';
import type { Calls } from '../../live/contract';
import { moment, text, visible, volume, whole } from '../../live/formats';
import { appliance } from '../../live/state';
import { ActionButton, change, RefusalText, toast, useWork, type Work } from '../../parts/actions';
import { saveAs } from '../../parts/csv';
import { Meter } from '../../parts/quota_bar';
import { say, words } from '../../words/words';

const w = words({
  en: {
    title: 'Backup', about: 'All that this appliance knows, in one encrypted file: configuration, books, blocks, people, history, secrets.', passphrase: 'Passphrase', passphraseHelp: 'At least 12 characters. Without it nobody can read the file; keep it elsewhere.', make: 'Make a backup', making: 'Makes it', fetching: 'Fetches it', saved: 'The backup is saved: {size}.',
    file: 'File of a backup', its: 'Its passphrase', check: 'Check it', sending: 'Sends it', checking: 'Checks it', of: 'Of {host}, made {time} by version {version}.', replaces: 'Restoring replaces the configuration, books, blocks, schedules, people and their passwords, tokens, history and audit trail of this appliance by those of the backup. What is here now is kept in a folder of its state. The service starts again, and the network goes on meanwhile; then log in with a name and a password of the backup.', configuration: 'The configuration would change:', more: { one: 'and {count} more', other: 'and {count} more' }, name: 'Type {name} to go on', restore: 'Restore', cancel: 'Leave it', restoring: 'The appliance starts with what the backup has.', failed: 'Nothing has changed: {fault}',
  },
  de: {
    title: 'Sicherung', about: 'Alles, was dieses Gerät weiß, in einer verschlüsselten Datei: Konfiguration, Bücher, Sperren, Personen, Verlauf, Geheimnisse.', passphrase: 'Kennwort der Sicherung', passphraseHelp: 'Mindestens 12 Zeichen. Ohne es kann niemand die Datei lesen; bewahren Sie es anderswo auf.', make: 'Sicherung anlegen', making: 'Legt sie an', fetching: 'Holt sie', saved: 'Die Sicherung ist gespeichert: {size}.',
    file: 'Datei einer Sicherung', its: 'Ihr Kennwort', check: 'Prüfen', sending: 'Sendet sie', checking: 'Prüft sie', of: 'Von {host}, angelegt {time} von Version {version}.', replaces: 'Das Zurückspielen ersetzt Konfiguration, Bücher, Sperren, Zeitpläne, Personen und ihre Passwörter, Token, Verlauf und Protokoll dieses Geräts durch die der Sicherung. Was jetzt da ist, bleibt in einem Ordner seines Zustands. Der Dienst startet neu, das Netz läuft derweil weiter; danach melden Sie sich mit Namen und Passwort aus der Sicherung an.', configuration: 'Die Konfiguration würde sich ändern:', more: { one: 'und {count} weitere', other: 'und {count} weitere' }, name: 'Tippen Sie {name} zur Bestätigung', restore: 'Zurückspielen', cancel: 'Lassen', restoring: 'Das Gerät startet mit dem, was die Sicherung enthält.', failed: 'Nichts hat sich geändert: {fault}',
  },
});

const PIECE_BYTES = 65_536; // as long as the appliance takes in a call
const LOOK_MS = 1000; // until it is made or checked: seconds
const PATIENCE_MS = 2000; // for a call that comes too soon
const SHORTEST = 12;
const MOST_CHANGES = 8; // sentences that a person reads before they decide

type State = Calls['backup:get']['reply'];
type Share = (name: string, share: number) => void;

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** A call of many: one that comes too soon is made again until it is answered. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'E_RATE_LIMITED') throw error;
      await pause(PATIENCE_MS);
    }
  }
}

/** How it has ended; a fault is thrown. */
async function ended(): Promise<State> {
  for (;;) {
    const state = await patiently(() => call('backup:get'));
    if (state.stage === 'failed') throw new Refusal('', say(w.failed, { fault: visible(state.fault ?? '') }));
    if (state.stage !== 'making' && state.stage !== 'judging') return state;
    await pause(LOOK_MS);
  }
}

async function fetched(bytes: number, show: Share): Promise<Uint8Array<ArrayBuffer>[]> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let offset = 0; offset < bytes; ) {
    const { data } = await patiently(() => call('backup:read', { offset }));
    const piece = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
    if (piece.length === 0) break;
    pieces.push(piece);
    offset += piece.length;
    show(w.fetching, offset / bytes);
  }
  return pieces;
}

async function send(file: File, show: Share): Promise<void> {
  for (let offset = 0; offset < file.size || offset === 0; offset += PIECE_BYTES) {
    const piece = new Uint8Array(await file.slice(offset, offset + PIECE_BYTES).arrayBuffer());
    const data = btoa(Array.from(piece, (one) => String.fromCharCode(one)).join(''));
    await patiently(() => call('backup:upload', { offset, data }));
    show(w.sending, Math.min(1, (offset + PIECE_BYTES) / file.size));
  }
}

/** For people with the admin role of all departments. */
export function Backup() {
  return (
    <section class="sheet" aria-labelledby="backup">
      <header>
        <h2 id="backup">{w.title}</h2>
      </header>
      <div class="pad stack">
        <p class="mid">{w.about}</p>
        <div class="cols">
          <Make />
          <Restore />
        </div>
      </div>
    </section>
  );
}

function Progress({ of }: { of: { name: string; share: number } | null }) {
  if (of === null) return null;
  return (
    <div role="status">
      <span class="mid">
        {of.name} {of.share > 0 && <span class="dim">{whole(of.share * 100)} %</span>}
      </span>
      {of.share > 0 && <Meter share={of.share} />}
    </div>
  );
}

function useProgress(work: Work) {
  const [shown, set] = useState<{ name: string; share: number } | null>(null);
  const show: Share = (name, share) => set({ name, share });
  const run = async (doing: (show: Share) => Promise<void>) => {
    await work.run(() => doing(show));
    set(null);
  };
  return { shown, run };
}

function Make() {
  const work = useWork();
  const [passphrase, setPassphrase] = useState('');
  const { shown, run } = useProgress(work);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async (show) => {
      show(w.making, 0);
      await change('backup:create', { passphrase });
      const { bytes } = await ended();
      const pieces = await fetched(bytes, show);
      const day = new Date().toISOString().slice(0, 10);
      saveAs(`appliance-${appliance.peek()?.name ?? ''}-${day}.backup`, new Blob(pieces, { type: 'application/octet-stream' }));
      await call('backup:discard');
      setPassphrase('');
      toast(say(w.saved, { size: text(volume(bytes)) }));
    });
  };
  return (
    <form class="stack" onSubmit={submit}>
      <div class="field">
        <label for="passphrase">{w.passphrase}</label>
        <input id="passphrase" type="password" autocomplete="new-password" value={passphrase} maxLength={256} aria-describedby="passphrase-help" onInput={(event) => setPassphrase(event.currentTarget.value)} />
        <span class="help" id="passphrase-help">
          {w.passphraseHelp}
        </span>
      </div>
      <Progress of={shown} />
      <RefusalText of={work} />
      <div class="row">
        <ActionButton type="submit" disabled={work.isBusy || passphrase.length < SHORTEST}>
          {w.make}
        </ActionButton>
      </div>
    </form>
  );
}

function Restore() {
  const work = useWork();
  const [file, setFile] = useState<File | null>(null);
  const [passphrase, setPassphrase] = useState('');
  const [found, setFound] = useState<State['backup']>(null);
  const { shown, run } = useProgress(work);
  const check = (event: Event) => {
    event.preventDefault();
    void run(async (show) => {
      await send(file!, show);
      show(w.checking, 0);
      await change('backup:check', { passphrase });
      setFound((await ended()).backup);
    });
  };
  if (found !== null) return <Decision found={found} onLeave={() => setFound(null)} />;
  return (
    <form class="stack" onSubmit={check}>
      <div class="field">
        <label for="backup-file">{w.file}</label>
        <input id="backup-file" type="file" onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)} />
      </div>
      <div class="field">
        <label for="backup-passphrase">{w.its}</label>
        <input id="backup-passphrase" type="password" autocomplete="off" value={passphrase} maxLength={256} onInput={(event) => setPassphrase(event.currentTarget.value)} />
      </div>
      <Progress of={shown} />
      <RefusalText of={work} />
      <div class="row">
        <ActionButton type="submit" disabled={work.isBusy || file === null || passphrase === ''}>
          {w.check}
        </ActionButton>
      </div>
    </form>
  );
}

/** What the backup is, what it would replace, and the last word. */
function Decision({ found, onLeave }: { found: NonNullable<State['backup']>; onLeave: () => void }) {
  const work = useWork();
  const [typed, setTyped] = useState('');
  const name = appliance.value?.name ?? '';
  const leave = () => {
    void call('backup:discard').catch(() => undefined); // the next one takes its place anyway
    onLeave();
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!(await work.run((wait) => change('backup:restore', { name: typed }, wait)))) return;
    toast(w.restoring);
    onLeave();
  };
  return (
    <form class="stack" onSubmit={(event) => void submit(event)}>
      <p>
        <b>{say(w.of, { host: visible(found.host), time: moment(found.madeAt), version: visible(found.version) })}</b>
      </p>
      <div class="consequence">{w.replaces}</div>
      {found.changes.length > 0 && (
        <div>
          {w.configuration}
          <ul>
            {found.changes.slice(0, MOST_CHANGES).map((one) => (
              <li key={one}>{visible(one)}</li>
            ))}
            {found.changes.length > MOST_CHANGES && <li>{say(w.more, { count: found.changes.length - MOST_CHANGES })}</li>}
          </ul>
        </div>
      )}
      <div class="field">
        <label for="backup-name">{say(w.name, { name })}</label>
        <input id="backup-name" value={typed} maxLength={255} autocomplete="off" spellcheck={false} onInput={(event) => setTyped(event.currentTarget.value)} />
      </div>
      <RefusalText of={work} />
      <div class="row">
        <button type="button" class="btn" onClick={leave}>
          {w.cancel}
        </button>
        <ActionButton type="submit" class="main danger" disabled={work.isBusy || typed !== name}>
          {w.restore}
        </ActionButton>
      </div>
    </form>
  );
}
