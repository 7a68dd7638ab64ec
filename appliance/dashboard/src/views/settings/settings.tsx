/** Settings: the configuration, as a file and as a form of the same text, notifications, and what is of this browser alone. */
import { useLocation } from 'preact-iso';

import { isAdministrator } from '../../live/session';
import { Forbidden } from '../../parts/notices';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { Browser } from './browser';
import { Configuration } from './configuration';
import { Notifications } from './notifications';
import { w } from './words';

const PARTS = ['configuration', 'notifications', 'browser'] as const;

export default function Settings({ part = '' }: { part?: string }) {
  const { route } = useLocation();
  const shown = PARTS.find((one) => one === part) ?? (isAdministrator.value ? 'configuration' : 'browser');
  useTitle({ text: names.settings });
  return (
    <>
      <header class="row wrap">
        <div>
          <h1>{names.settings}</h1>
          {shown === 'configuration' && isAdministrator.value && <p class="mid">{w.sameFile}</p>}
        </div>
        <div class="slide push">
          <div class="seg" role="group" aria-label={w.section}>
            {PARTS.map((one) => (
              <button key={one} type="button" aria-pressed={one === shown} onClick={() => route(`/settings/${one}`)}>
                {w[one]}
              </button>
            ))}
          </div>
        </div>
      </header>
      {shown === 'browser' ? <Browser /> : !isAdministrator.value ? <Forbidden title={w.forbidden} /> : shown === 'notifications' ? <Notifications /> : <Configuration />}
    </>
  );
}
