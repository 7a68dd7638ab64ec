/** All keys: as a list of the settings, and as a dialog over any view. */
import { isAdministrator } from '../live/session';
import { Dialog } from '../parts/dialog';
import { words } from '../words/words';
import { areKeysOn } from './keyboard';
import { names, VIEWS } from './navigation';

const w = words({
  en: {
    title: 'All keys', off: 'Single keys are turned off in this browser.', search: 'search', theme: 'light or dark', help: 'this list', rows: 'next and previous row', controls: 'what a row has to press', open: 'open', back: 'back',
    choose: 'choose a row', block: 'block', unblock: 'unblock', new: 'new', grant: 'grant more', range: 'range of a chart, period of quotas', earlier: 'earlier and later',
  },
  de: {
    title: 'Alle Tasten', off: 'Einzelne Tasten sind in diesem Browser aus.', search: 'Suche', theme: 'hell oder dunkel', help: 'diese Liste', rows: 'nächste und vorige Zeile', controls: 'Knöpfe einer Zeile', open: 'öffnen', back: 'zurück',
    choose: 'Zeile wählen', block: 'sperren', unblock: 'freigeben', new: 'neu', grant: 'mehr gewähren', range: 'Bereich eines Diagramms, Zeitraum der Kontingente', earlier: 'früher und später',
  },
});

const KEYS: readonly [string, string][] = [
  ['/', w.search],
  ['j k', w.rows],
  ['← →', w.controls],
  ['Enter', w.open],
  ['Esc', w.back],
  ['x', w.choose],
  ['b', w.block],
  ['u', w.unblock],
  ['n', w.new],
  ['+', w.grant],
  ['1 2 3', w.range],
  ['[ ]', w.earlier],
  ['t', w.theme],
  ['?', w.help],
];

export const keysTitle = w.title;

export function KeysList() {
  const views = VIEWS.filter((view) => !view.isForAdministrators || isAdministrator.value).map((view) => [`g ${view.key}`, names[view.name]] as const);
  return (
    <>
      {!areKeysOn.value && <p class="mid">{w.off}</p>}
      <dl class="facts keys">
        {[...KEYS, ...views].map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

export default function KeysDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={w.title} onClose={onClose} onSubmit={onClose}>
      <KeysList />
    </Dialog>
  );
}
