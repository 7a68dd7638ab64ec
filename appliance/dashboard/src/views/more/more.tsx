/** On a phone: the views that have no tab. */
import { disconnect } from '../../live/connection';
import { visible } from '../../live/formats';
import { holder, isAdministrator } from '../../live/session';
import { Icon } from '../../parts/icons';
import { names, VIEWS } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { words } from '../../words/words';

const w = words({ en: { logOut: 'Log out' }, de: { logOut: 'Abmelden' } });

const TABBED = ['overview', 'departments', 'incidents', 'blocks'];

export default function More() {
  useTitle({ text: names.more });
  return (
    <>
      <h1>{names.more}</h1>
      <nav class="sheet" aria-label={names.more}>
        <ul class="needs bare">
          {VIEWS.filter((view) => !TABBED.includes(view.name) && (!view.isForAdministrators || isAdministrator.value)).map((view) => (
            <li key={view.name}>
              <Icon name={view.icon} />
              <a href={view.path}>{names[view.name]}</a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="row wrap">
        <span class="dim" dir="auto">
          {visible(holder.value?.subject ?? '')}
        </span>
        <button type="button" class="btn push" onClick={() => void disconnect(true)}>
          {w.logOut}
        </button>
      </div>
    </>
  );
}
