/** What is of this browser alone: colours, language, keys; and the way out. */
import { disconnect } from '../../live/connection';
import { visible } from '../../live/formats';
import { holder } from '../../live/session';
import { areKeysOn, turnKeys } from '../../shell/keyboard';
import { KeysList, keysTitle } from '../../shell/keys';
import { chosenTheme, chooseTheme } from '../../shell/theme';
import { choose, language, say } from '../../words/words';
import { w } from './words';

function Choice<T extends string>({ label, value, options, onChoose }: { label: string; value: T; options: readonly (readonly [T, string])[]; onChoose: (next: T) => void }) {
  return (
    <div class="field">
      <span class="label">{label}</span>
      <div class="seg" role="group" aria-label={label}>
        {options.map(([one, text]) => (
          <button key={one} type="button" aria-pressed={one === value} onClick={() => onChoose(one)}>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}

export function Browser() {
  return (
    <div class="cols">
      <section class="sheet" aria-labelledby="browser">
        <header>
          <h2 id="browser">{w.browser}</h2>
          <span class="period">{w.thisBrowser}</span>
        </header>
        <div class="pad stack">
          <Choice label={w.theme} value={chosenTheme.value ?? 'system'} options={[['system', w.system], ['light', w.light], ['dark', w.dark]]} onChoose={(next) => chooseTheme(next === 'system' ? null : next)} />
          <Choice label={w.language} value={language} options={[['en', 'English'], ['de', 'Deutsch']]} onChoose={choose} />
          <Choice label={w.keys} value={areKeysOn.value ? 'on' : 'off'} options={[['on', w.on], ['off', w.off]]} onChoose={(next) => turnKeys(next === 'on')} />
          <p class="dim">{w.keysHelp}</p>
        </div>
        <footer>
          <span>{say(w.loggedInAs, { name: visible(holder.value?.subject ?? '') })}</span>
          <button type="button" class="btn s push" onClick={() => void disconnect(true)}>
            {w.logOut}
          </button>
        </footer>
      </section>
      <section class="sheet" aria-labelledby="keys">
        <header>
          <h2 id="keys">{keysTitle}</h2>
        </header>
        <div class="pad">
          <KeysList />
        </div>
      </section>
    </div>
  );
}
