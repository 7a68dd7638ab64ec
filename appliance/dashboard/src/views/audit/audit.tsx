/** The audit trail: who changed what, newest first. Each entry vouches for the one before. */
import { useLocation } from 'preact-iso';

import { call } from '../../live/connection';
import { full, moment, visible, whole } from '../../live/formats';
import { isAdministrator } from '../../live/session';
import { nameOf } from '../../live/state';
import { Icon } from '../../parts/icons';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { SearchField } from '../../parts/search_field';
import { type Column, CsvButton, Table } from '../../parts/table';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say, words } from '../../words/words';

const w = words({
  en: {
    intact: 'Each entry vouches for the one before. Nothing was taken out.', broken: 'The chain is broken: an entry was changed or taken out. Run on the appliance: appliance audit --verify', number: 'No.', when: 'When', who: 'Who', from: 'From', what: 'What', before: 'Before', after: 'After',
    placeholder: 'Who, what, address', everything: 'Everything', blocks: 'Blocks', quotas: 'Quotas', people: 'People', logins: 'Logins', maintenance: 'Maintenance', configuration: 'Configuration', older: 'Older', newest: 'Newest',
    forbidden: 'The audit trail is read by administrators', empty: 'Nothing was changed yet', itself: 'the appliance', refused: 'refused: {code}',
  },
  de: {
    intact: 'Jeder Eintrag bürgt für den davor. Es fehlt keiner.', broken: 'Die Kette ist gebrochen: Ein Eintrag wurde geändert oder fehlt. Auf dem Gerät prüft: appliance audit --verify', number: 'Nr.', when: 'Wann', who: 'Wer', from: 'Von', what: 'Was', before: 'Vorher', after: 'Nachher',
    placeholder: 'Wer, was, Adresse', everything: 'Alles', blocks: 'Sperren', quotas: 'Kontingente', people: 'Benutzer', logins: 'Anmeldungen', maintenance: 'Wartung', configuration: 'Konfiguration', older: 'Ältere', newest: 'Neueste',
    forbidden: 'Das Protokoll lesen Verwalter', empty: 'Noch wurde nichts geändert', itself: 'das Gerät', refused: 'abgelehnt: {code}',
  },
});

interface Entry {
  number: number;
  at: string;
  who: string;
  role: string;
  address: string | null;
  action: string;
  what: unknown;
  before: unknown;
  after: unknown;
  outcome: string;
}

const KINDS: readonly [keyof typeof w, string][] = [
  ['blocks', 'ip:'],
  ['quotas', 'quota:'],
  ['people', 'user:'],
  ['logins', 'login'],
  ['maintenance', 'maintenance'],
  ['configuration', 'config'],
];
const PAGE = 100; // rows
const SHORT = 90; // characters of a value in its cell; the whole is in its title

/** A recorded value in a line; keys of one level, as a person would say them. */
function short(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value)) return value.map(short).join('; ');
  if (typeof value !== 'object') return visible(String(value));
  return Object.entries(value as Record<string, unknown>)
    .filter(([, one]) => one !== null && one !== '')
    .map(([key, one]) => `${key} ${key === 'departmentId' ? visible(nameOf(String(one))) : typeof one === 'object' ? `(${short(one)})` : visible(String(one))}`)
    .join(', ');
}

function Value({ of: value }: { of: unknown }) {
  const text = short(value);
  return <span title={text.length > SHORT ? text : undefined}>{text.length > SHORT ? `${text.slice(0, SHORT)}…` : text}</span>;
}

const columns: Column<Entry>[] = [
  { key: 'number', head: w.number, cell: (one) => <span class="dim">{whole(one.number)}</span>, csv: (one) => one.number, isNumber: true, fold: 'gone' },
  { key: 'at', head: w.when, cell: (one) => <span title={full(one.at)}>{moment(one.at)}</span>, csv: (one) => one.at, fold: 'top nowrap' },
  {
    key: 'who',
    head: w.who,
    cell: (one) => (
      <>
        <b dir="auto">{visible(one.who)}</b> <span class="dim">{one.role}</span>
      </>
    ),
    csv: (one) => one.who,
    fold: 'low',
  },
  { key: 'from', head: w.from, cell: (one) => (one.address === null ? w.itself : <code>{one.address}</code>), csv: (one) => one.address, fold: 'gone' },
  {
    key: 'what',
    head: w.what,
    cell: (one) => (
      <>
        <b>{visible(one.action)}</b> <Value of={one.what} />
        {one.outcome !== 'done' && (
          <span class="state warn-ink">
            <Icon name="warn" />
            {say(w.refused, { code: one.outcome })}
          </span>
        )}
      </>
    ),
    csv: (one) => `${one.action} ${short(one.what)} ${one.outcome}`,
    fold: 'full',
  },
  { key: 'before', head: w.before, cell: (one) => <span class="mid"><Value of={one.before} /></span>, csv: (one) => short(one.before), fold: 'gone' },
  { key: 'after', head: w.after, cell: (one) => <Value of={one.after} />, csv: (one) => short(one.after), fold: 'low' },
];

export default function Audit() {
  useTitle({ text: names.audit });
  if (!isAdministrator.value) return <Empty level={1} icon="lock" title={w.forbidden} />;
  return <Trail />;
}

function Trail() {
  const { query, route } = useLocation();
  const text = query.q ?? '';
  const action = query.action ?? '';
  const before = Number(query.before) || undefined;
  const argument = { limit: PAGE, ...(before ? { before } : {}), ...(text || action ? { contains: text || action } : {}) };
  const found = useAsked(() => call('audit:get', argument), [text, action, before]);
  const entries = ((found.reply?.entries ?? []) as Entry[]).filter((one) => !action || one.action.startsWith(action));
  const go = (next: Record<string, string>) => route(`/audit?${new URLSearchParams(Object.entries({ ...(text ? { q: text } : {}), ...(action ? { action } : {}), ...next }).filter(([, one]) => one))}`, true);
  const isBroken = found.reply?.isIntact === false;
  const more = found.reply?.more as number | null | undefined;
  return (
    <>
      <header class="row wrap">
        <div>
          <h1>{names.audit}</h1>
          {found.reply?.isIntact !== undefined && (
            <p class={`state ${isBroken ? 'crit-ink' : 'mid'}`}>
              <Icon name={isBroken ? 'crit' : 'ok'} class={isBroken ? 'mark-crit' : 'mark-ok'} /> {isBroken ? w.broken : w.intact}
            </p>
          )}
        </div>
        <span class="push" />
        <CsvButton name="audit" rows={entries} columns={columns} />
      </header>
      <div class="filters">
        <SearchField value={text} placeholder={w.placeholder} onChange={(next) => go({ q: next })} />
        <button type="button" class="chip" aria-pressed={action === ''} onClick={() => go({ action: '' })}>
          {w.everything}
        </button>
        {KINDS.map(([name, start]) => (
          <button key={start} type="button" class="chip" aria-pressed={action === start} onClick={() => go({ action: start })}>
            {w[name] as string}
          </button>
        ))}
      </div>
      <section class="sheet" aria-label={names.audit}>
        {found.reply === null ? (
          found.error ? <Failed level={2} error={found.error} again={found.again} /> : <Skeleton rows={6} />
        ) : entries.length === 0 ? (
          <Empty level={2} icon="audit" title={text || action ? say(common.nothingMatches, { text: text || action }) : w.empty} act={(text || action) && <a href="/audit">{common.removeFilter}</a>} />
        ) : (
          <Table name={names.audit} rows={entries} columns={columns} rowKey={(one) => String(one.number)} />
        )}
        <footer>
          {before && <a href="/audit">{w.newest}</a>}
          {more && (
            <button type="button" class="btn s push" onClick={() => go({ before: String(more) })}>
              {w.older}
            </button>
          )}
        </footer>
      </section>
    </>
  );
}
