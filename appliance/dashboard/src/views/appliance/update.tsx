/** The update of the whole appliance: what runs, how far a new version is, and what one may do about it. */
import { useState } from 'preact/hooks';

import { call } from '../../live/connection';
import { moment, visible, whole } from '../../live/formats';
import { isAdministrator } from '../../live/session';
import { update } from '../../live/state';
import { ActionButton, change, RefusalText, toast, useWork } from '../../parts/actions';
import { StateMark, type State } from '../../parts/icons';
import { useAsked } from '../../parts/notices';
import { Meter } from '../../parts/quota_bar';
import { parts, say, words } from '../../words/words';

const w = words({
  en: {
    title: 'Update', version: 'Version', runs: '{version}, root {root}', latest: 'Latest update', none: 'none yet', by: 'begun {time} by {who}', night: 'By itself', nightly: 'between {begin} and {end}, from {url}', never: 'not configured',
    fetching: 'Fetches the bundle', checking: 'Checks the bundle', installing: 'Installs {version}', failed: 'Nothing has changed: {reason}', installed: '{version} is installed and waits for a restart', trial: '{version} is on trial', confirmed: '{version} is confirmed', returned: '{version} did not prove itself, and the former version is back: {reason}',
    address: 'Address of a bundle', installText: 'Fetches the bundle and writes it to the other root, if it is signed for this appliance and not older than what runs. Nothing else changes until a restart.', install: 'Install', begun: 'The update has begun.',
    restartText: 'Starts the appliance again with {version}. Connections are cut for one to three minutes. If the new version does not prove itself, the former one comes back by itself.', restart: 'Restart now', restarting: 'The appliance starts again.',
  },
  de: {
    title: 'Aktualisierung', version: 'Version', runs: '{version}, System {root}', latest: 'Letzte Aktualisierung', none: 'noch keine', by: 'begonnen {time} von {who}', night: 'Von selbst', nightly: 'zwischen {begin} und {end}, von {url}', never: 'nicht eingerichtet',
    fetching: 'Holt das Paket', checking: 'Prüft das Paket', installing: 'Schreibt {version}', failed: 'Nichts hat sich geändert: {reason}', installed: '{version} ist geschrieben und wartet auf einen Neustart', trial: '{version} ist auf Probe', confirmed: '{version} hat sich bewährt', returned: '{version} hat sich nicht bewährt, die vorige Version ist wieder da: {reason}',
    address: 'Adresse eines Pakets', installText: 'Holt das Paket und schreibt es in das andere System, wenn es für dieses Gerät signiert und nicht älter ist als das laufende. Sonst ändert sich bis zu einem Neustart nichts.', install: 'Installieren', begun: 'Die Aktualisierung hat begonnen.',
    restartText: 'Startet das Gerät neu mit {version}. Verbindungen sind für ein bis drei Minuten unterbrochen. Bewährt sich die neue Version nicht, kommt die vorige von selbst zurück.', restart: 'Jetzt neu starten', restarting: 'Das Gerät startet neu.',
  },
});

const MARKS: Record<string, State> = { failed: 'warn', returned: 'warn' };
const UNDER_WAY = ['fetching', 'checking', 'installing', 'installed', 'trial'];

/** Nothing where the computer is not run by the image: its installer updates it. */
export function Update() {
  const found = update.value;
  if (found === null || found.root === null) return null;
  const latest = found.update;
  const isBusy = latest !== null && UNDER_WAY.includes(latest.state);
  return (
    <section class="sheet" aria-labelledby="update">
      <header>
        <h2 id="update">{w.title}</h2>
      </header>
      <div class="pad stack">
        <dl class="facts">
          <dt>{w.version}</dt>
          <dd>{say(w.runs, { version: found.version ?? '', root: found.root })}</dd>
          <dt>{w.latest}</dt>
          <dd>
            <span role="status">
              {latest === null ? (
                w.none
              ) : (
                <span class="state">
                  <StateMark state={MARKS[latest.state] ?? 'ok'} />
                  {say(w[latest.state], { version: latest.version, reason: visible(latest.reason ?? '') })}
                </span>
              )}
            </span>
            {latest !== null && latest.percent !== null && (
              <>
                <span class="dim"> {whole(latest.percent)} %</span>
                <Meter share={latest.percent / 100} />
              </>
            )}
            {latest !== null && <span class="dim"> {say(w.by, { time: moment(latest.startedAt), who: visible(latest.actor) })}</span>}
          </dd>
          {isAdministrator.value && <Schedule />}
        </dl>
        {isAdministrator.value && latest?.state === 'installed' && <Restart version={latest.version} />}
        {isAdministrator.value && !isBusy && <Install />}
      </div>
    </section>
  );
}

function Schedule() {
  const { reply } = useAsked(() => call('update:get'), []);
  const schedule = reply?.schedule;
  if (reply === null || schedule === undefined) return null;
  return (
    <>
      <dt>{w.night}</dt>
      <dd>{schedule === null ? w.never : say(w.nightly, { ...schedule, url: visible(schedule.url) })}</dd>
    </>
  );
}

function Install() {
  const work = useWork();
  const [url, setUrl] = useState('');
  const submit = async (event: Event) => {
    event.preventDefault();
    if (await work.run((wait) => change('update:start', { url: url.trim() }, wait))) toast(w.begun);
  };
  return (
    <form class="stack" onSubmit={(event) => void submit(event)}>
      <div class="field">
        <label for="bundle">{w.address}</label>
        <input id="bundle" type="url" value={url} maxLength={1300} placeholder="https://192.168.1.2/appliance.raucb" onInput={(event) => setUrl(event.currentTarget.value)} />
      </div>
      <div class="consequence">{w.installText}</div>
      <RefusalText of={work} />
      <div class="row">
        <ActionButton type="submit" inMaintenance disabled={work.isBusy || !/^https?:\/\/\S/.test(url.trim())}>
          {w.install}
        </ActionButton>
      </div>
    </form>
  );
}

function Restart({ version }: { version: string }) {
  const work = useWork();
  const restart = async () => {
    if (await work.run((wait) => change('update:restart', {}, wait))) toast(w.restarting);
  };
  return (
    <div class="stack">
      <div class="consequence">{parts(w.restartText, { version: <b>{version}</b> })}</div>
      <RefusalText of={work} />
      <div class="row">
        <ActionButton class="main" inMaintenance disabled={work.isBusy} onClick={() => void restart()}>
          {w.restart}
        </ActionButton>
      </div>
    </div>
  );
}
