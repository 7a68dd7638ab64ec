/** The configuration: the file, or the same text as a form; what will change; and the trial of it. */
import { useEffect, useRef, useState } from 'preact/hooks';

import { sentence } from '../../live/condition_words';
import { call, Refusal } from '../../live/connection';
import { visible } from '../../live/formats';
import { trial } from '../../live/state';
import { ActionButton, change, fasterText, RefusalText, toast, useWork } from '../../parts/actions';
import { Icon } from '../../parts/icons';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { differences, type Field, fields, quoted, unquoted, withValue } from './lines';
import { w } from './words';

const CHECKED_AFTER_MS = 400; // since the last key: one check for a word, not for each letter
const LONGEST = 1 << 20; // characters, as the appliance takes

interface Check {
  faults: { line: number | null; message: string }[];
  changes: string[];
}

export function Configuration() {
  const read = useAsked(() => call('config:read'), []);
  if (read.reply === null) return read.error ? <Failed error={read.error} again={read.again} /> : <Skeleton rows={8} />;
  const { text, digest, path } = read.reply as { text: string; digest: string; path: string };
  return <Editor key={digest} running={text} digest={digest} path={path} again={read.again} />;
}

function Editor({ running, digest, path, again }: { running: string; digest: string; path: string; again: () => void }) {
  const [text, setText] = useState(running);
  const [isForm, showForm] = useState(false);
  const [check, setCheck] = useState<Check | null>(null);
  const [isBeaten, setBeaten] = useState(false);
  const work = useWork();
  const timer = useRef(0);
  const changed = differences(running, text);
  useEffect(() => {
    clearTimeout(timer.current);
    if (text === running) {
      setCheck(null);
      return;
    }
    timer.current = window.setTimeout(() => void call('config:check', { text }).then((reply) => setCheck(reply as Check), () => setCheck(null)), CHECKED_AFTER_MS);
    return () => clearTimeout(timer.current);
  }, [text]);
  const apply = async (over: boolean) => {
    const isDone = await work.run(async (wait) => {
      try {
        await change('config:apply', { text, ...(over ? {} : { digest }) }, wait);
      } catch (error) {
        if (error instanceof Refusal && error.code === 'E_CONFLICT') setBeaten(true);
        throw error;
      }
    });
    if (isDone) toast(w.tried);
  };
  if (isBeaten)
    return (
      <section class="sheet">
        <Empty
          level={2}
          icon="people"
          title={fasterText(work.refusal?.text)}
          act={
            <div class="row wrap">
              <button type="button" class="btn main" onClick={again}>
                {common.keepTheirs}
              </button>
              <ActionButton onClick={() => (setBeaten(false), apply(true))}>{common.applyMine}</ActionButton>
            </div>
          }
        >
          {visible(sentence(work.refusal?.text ?? ''))}. {common.notApplied}
        </Empty>
      </section>
    );
  const count = changed.length;
  return (
    <div class="cols wide-left">
      <section class="sheet" aria-labelledby="file">
        <header>
          <h2 id="file">{path.split('/').pop()}</h2>
          <span class="period" title={path}>
            {count > 0 && say(w.differ, { count })}
          </span>
          <button type="button" class="btn s push" onClick={() => showForm(!isForm)}>
            {isForm ? w.asFile : w.asForm}
          </button>
        </header>
        {isForm ? (
          <Form text={text} onChange={setText} />
        ) : (
          <div class="pad">
            <textarea class="mono file" spellcheck={false} aria-label={w.text} maxLength={LONGEST} value={text} wrap="off" rows={28} onInput={(event) => setText(event.currentTarget.value)} />
          </div>
        )}
        <footer aria-live="polite">
          <Verdict check={check} isSame={text === running} />
        </footer>
      </section>
      <div class="stack">
        <section class="sheet" aria-labelledby="change">
          <header>
            <h2 id="change">{w.willChange}</h2>
          </header>
          <div class="pad stack">
            {count === 0 && <p class="dim">{w.nothing}</p>}
            {check !== null && check.changes.length > 0 && (
              <ul class="stack small">
                {check.changes.map((one) => (
                  <li key={one}>{visible(one)}</li>
                ))}
              </ul>
            )}
            {count > 0 && <div class="consequence">{w.consequence}</div>}
            {trial.value !== null && <p class="dim">{w.onTrial}</p>}
            <RefusalText of={work} />
            {count > 0 && (
              <div class="row">
                <ActionButton class="main" disabled={work.isBusy || check === null || check.faults.length > 0 || trial.value !== null} onClick={() => apply(false)}>
                  {w.tryIt}
                </ActionButton>
                <button type="button" class="btn bare" onClick={() => setText(running)}>
                  {w.discard}
                </button>
              </div>
            )}
          </div>
        </section>
        {count > 0 && (
          <div class="sheet">
            <header>
              <h2 id="differing">{w.differing}</h2>
            </header>
            <div class="scroll mono differing" role="region" tabIndex={0} aria-label={w.text}>
              {changed.slice(0, 200).map((one) => (
                <div key={`${one.mark}${one.line}`} class={one.mark === '+' ? 'come' : 'gone'}>
                  <span class="dim">{one.line}</span>
                  <span>{one.mark}</span>
                  <span>{one.text}</span>
                </div>
              ))}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}

function Verdict({ check, isSame }: { check: Check | null; isSame: boolean }) {
  if (isSame || check === null) return <span>{w.checking}</span>;
  if (check.faults.length === 0)
    return (
      <span class="state">
        <Icon name="ok" class="mark-ok" /> {w.noFault}
      </span>
    );
  return (
    <ul class="stack small">
      <li class="crit-ink">{say(w.faults, { count: check.faults.length })}</li>
      {check.faults.map((one) => (
        <li key={one.message}>{visible(one.line === null ? one.message : say(w.line, { line: one.line, text: one.message }))}</li>
      ))}
    </ul>
  );
}

/** The same text, one field a value. */
function Form({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const found = fields(text);
  const sections = [...new Set(found.map((one) => one.section))];
  return (
    <div class="pad stack">
      {sections.map((section) => (
        <fieldset key={section} class="group">
          <legend>{section || w.sectionTop}</legend>
          {found
            .filter((one) => one.section === section)
            .map((one) => (
              <Value key={one.at} field={one} onChange={(value) => onChange(withValue(text, one, value))} />
            ))}
        </fieldset>
      ))}
    </div>
  );
}

function Value({ field, onChange }: { field: Field; onChange: (value: string) => void }) {
  const id = `value-${field.at}`;
  if (field.kind === 'boolean')
    return (
      <label class="row">
        <input type="checkbox" checked={field.value === 'true'} onChange={(event) => onChange(String(event.currentTarget.checked))} /> <code>{field.key}</code>
      </label>
    );
  return (
    <div class="field">
      <label for={id}>
        <code>{field.key}</code>
      </label>
      {field.kind === 'other' ? (
        <>
          <input id={id} value={field.value} disabled aria-describedby={`${id}-help`} />
          <span class="help" id={`${id}-help`}>
            {w.inFile}
          </span>
        </>
      ) : (
        <input
          id={id}
          inputMode={field.kind === 'number' ? 'numeric' : undefined}
          value={field.kind === 'text' ? unquoted(field.value) : field.value}
          onInput={(event) => onChange(field.kind === 'text' ? quoted(event.currentTarget.value) : event.currentTarget.value.replace(/[^\d._+-]/g, '') || '0')}
        />
      )}
    </div>
  );
}
