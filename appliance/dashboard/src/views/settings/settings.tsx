/** Settings: the configuration, as a file and as a form of the same text, and what is of this browser alone. */
import { useLocation } from 'preact-iso';

import { isAdministrator } from '../../live/session';
import { Empty } from '../../parts/notices';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { Browser } from './browser';
import { Configuration } from './configuration';
import { w } from './words';

export default function Settings({ part = '' }: { part?: string }) {
  const { route } = useLocation();
  const shown = part === 'browser' || (part === '' && !isAdministrator.value) ? 'browser' : 'configuration';
  useTitle({ text: names.settings });
  return (
    <>
      <header class="row wrap">
        <div>
          <h1>{names.settings}</h1>
          {shown === 'configuration' && isAdministrator.value && <p class="mid">{w.sameFile}</p>}
        </div>
        <div class="seg push" role="group" aria-label={w.section}>
          {(['configuration', 'browser'] as const).map((one) => (
            <button key={one} type="button" aria-pressed={one === shown} onClick={() => route(`/settings/${one}`)}>
              {w[one]}
            </button>
          ))}
        </div>
      </header>
      {shown === 'browser' ? <Browser /> : isAdministrator.value ? <Configuration /> : <Empty level={2} icon="lock" title={w.forbidden} />}
    </>
  );
}
