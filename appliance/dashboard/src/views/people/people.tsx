/** People who log in with a password, tokens for programs, and what a role may do. */
import { useState } from 'preact/hooks';

import { sentence } from '../../live/condition_words';
import { call } from '../../live/connection';
import { full, moment, soonOr, visible } from '../../live/formats';
import { holder, isAdministrator, type Role } from '../../live/session';
import { ActionButton, toast } from '../../parts/actions';
import { Icon } from '../../parts/icons';
import { Failed, Forbidden, Skeleton, useAsked } from '../../parts/notices';
import { type Column, CsvButton, Table } from '../../parts/table';
import { useKeys } from '../../shell/keyboard';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say } from '../../words/words';
import { AddDialog, PasswordDialog, RemoveDialog, RevokeDialog } from './dialogs';
import { w } from './words';

export interface Person {
  name: string;
  role: Role;
  departments: string;
  connected?: number;
  seenAt?: string | null;
}

export interface Token {
  id: string;
  subject: string;
  role: Role;
  departments: string;
  origin: string;
  issuedAt: string;
  expiresAt: string;
  revokedAt: string | null;
  connected?: number;
  seenAt?: string | null;
}

type Open = { kind: 'add' } | { kind: 'password' | 'remove'; person: Person } | { kind: 'revoke'; token: Token } | null;

export function departmentsText(found: string | string[]): string {
  if (found === '*') return common.forAll;
  return (typeof found === 'string' ? found.split(',') : found).join(', ');
}

function presence(one: { connected?: number; seenAt?: string | null }): string {
  if (one.connected) return say(w.here, { count: one.connected });
  return one.seenAt ? moment(one.seenAt) : w.notNow;
}

export default function People() {
  useTitle({ text: w.title });
  const [open, setOpen] = useState<Open>(null);
  useKeys({ n: () => isAdministrator.value && setOpen({ kind: 'add' }) });
  if (!isAdministrator.value) return <Forbidden view={w.title} title={w.forbidden} />;
  return <Lists open={open} setOpen={setOpen} />;
}

function Lists({ open, setOpen }: { open: Open; setOpen: (next: Open) => void }) {
  const people = useAsked(() => call('user:list'), []);
  const tokens = useAsked(() => call('token:list'), []);
  const known = (people.reply?.users ?? []) as Person[];
  const admins = known.filter((one) => one.role === 'admin' && one.departments === '*');
  const close = () => setOpen(null);
  const done = (text: string) => {
    close();
    people.again();
    tokens.again();
    toast(text);
  };
  const columns = personColumns(admins, setOpen);
  const held = ((tokens.reply?.tokens ?? []) as Token[]).filter((one) => one.revokedAt === null);
  return (
    <>
      <header class="row wrap">
        <h1>{w.title}</h1>
        <ActionButton class="main push" onClick={() => setOpen({ kind: 'add' })}>
          <Icon name="plus" />
          {w.add}
        </ActionButton>
      </header>
      <section class="sheet" aria-labelledby="people">
        <header>
          <h2 id="people">{w.people}</h2>
          <span class="period">{w.peopleNote}</span>
          <span class="push" />
          <CsvButton name="people" rows={known} columns={columns} />
        </header>
        {people.reply && known.length === 0 ? <p class="pad dim">{w.nobody}</p> : people.reply ? <Table name={w.people} rows={known} columns={columns} rowKey={(one) => one.name} sort="name" /> : people.error ? <Failed error={people.error} again={people.again} /> : <Skeleton />}
      </section>
      <section class="sheet" aria-labelledby="tokens">
        <header>
          <h2 id="tokens">{w.tokens}</h2>
          <span class="period">{w.tokensNote}</span>
          <span class="push" />
          <CsvButton name="tokens" rows={held} columns={tokenColumns(setOpen)} />
        </header>
        {tokens.reply ? <Table name={w.tokens} rows={held} columns={tokenColumns(setOpen)} rowKey={(one) => one.id} /> : tokens.error ? <Failed error={tokens.error} again={tokens.again} /> : <Skeleton />}
        <footer>
          <span>
            {w.tokenHow} <code>appliance token --role viewer --departments '*'</code>
          </span>
        </footer>
      </section>
      <Roles />
      {open?.kind === 'add' && <AddDialog onClose={close} onDone={done} />}
      {open?.kind === 'password' && <PasswordDialog person={open.person} onClose={close} onDone={done} />}
      {open?.kind === 'remove' && <RemoveDialog person={open.person} onClose={close} onDone={done} />}
      {open?.kind === 'revoke' && <RevokeDialog token={open.token} onClose={close} onDone={done} />}
    </>
  );
}

function personColumns(admins: Person[], setOpen: (next: Open) => void): Column<Person>[] {
  const isLast = (one: Person) => admins.length === 1 && admins[0]!.name === one.name;
  return [
    { key: 'name', head: w.name, cell: (one) => <b class="cut" dir="auto" title={visible(one.name)}>{visible(one.name)}</b>, sort: (one) => one.name, csv: (one) => one.name, fold: 'top' },
    { key: 'role', head: w.role, cell: (one) => w[one.role], sort: (one) => one.role, csv: (one) => one.role, fold: 'top' },
    { key: 'departments', head: w.departments, cell: (one) => departmentsText(one.departments), csv: (one) => departmentsText(one.departments), fold: 'low' },
    { key: 'here', head: w.hereNow, cell: (one) => (one.name === holder.value?.subject ? w.hereYou : presence(one)), csv: (one) => one.connected ?? null, fold: 'low' },
    {
      key: 'actions',
      head: common.actions,
      isHeadHidden: true,
      isNumber: true,
      fold: 'low full',
      cell: (one) => (
        <span class="row end">
          <ActionButton class="s bare" label={say(w.passwordOf, { name: one.name })} onClick={() => setOpen({ kind: 'password', person: one })}>
            {w.password}
          </ActionButton>
          {isLast(one) ? (
            <span class="dim">{w.lastStays}</span>
          ) : (
            <ActionButton class="s danger" label={say(w.removeName, { name: one.name })} onClick={() => setOpen({ kind: 'remove', person: one })}>
              {w.remove}
            </ActionButton>
          )}
        </span>
      ),
    },
  ];
}

function tokenColumns(setOpen: (next: Open) => void): Column<Token>[] {
  return [
    { key: 'subject', head: w.for, cell: (one) => <b class="cut" dir="auto" title={visible(one.subject)}>{visible(one.subject)}</b>, sort: (one) => one.subject, csv: (one) => one.subject, fold: 'top' },
    { key: 'tokenRole', head: w.role, cell: (one) => w[one.role], sort: (one) => one.role, csv: (one) => one.role, fold: 'top' },
    { key: 'tokenDepartments', head: w.departments, cell: (one) => departmentsText(one.departments), csv: (one) => departmentsText(one.departments), fold: 'gone' },
    { key: 'seen', head: w.seen, cell: (one) => (one.connected ? w.now : one.seenAt ? moment(one.seenAt) : w.notNow), csv: (one) => one.seenAt ?? null, fold: 'gone' },
    { key: 'ends', head: w.ends, cell: (one) => <span title={full(one.expiresAt)}>{soonOr(one.expiresAt)}</span>, sort: (one) => one.expiresAt, csv: (one) => one.expiresAt, fold: 'low' },
    {
      key: 'actions',
      head: common.actions,
      isHeadHidden: true,
      isNumber: true,
      fold: 'low',
      cell: (one) => (
        <ActionButton class="s danger" label={say(w.takeBackName, { name: one.subject })} onClick={() => setOpen({ kind: 'revoke', token: one })}>
          {w.takeBack}
        </ActionButton>
      ),
    },
  ];
}

const MAY: readonly [keyof typeof w, Role, boolean][] = [
  ['maySee', 'viewer', false],
  ['mayBlock', 'operator', false],
  ['maySet', 'admin', false],
  ['mayPeople', 'admin', true],
];
const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];

function Roles() {
  return (
    <section class="sheet" aria-labelledby="roles">
      <header>
        <h2 id="roles">{w.roles}</h2>
      </header>
      <div class="scroll" role="region" tabIndex={0} aria-label={say(common.table, { name: w.roles })}>
        <table class="roles">
          <thead>
            <tr>
              <th scope="col">{w.may}</th>
              {ROLES.map((role) => (
                <th key={role} scope="col">
                  {sentence(w[role])}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {MAY.map(([text, least, isOfAll]) => (
              <tr key={text}>
                <td>{w[text] as string}</td>
                {ROLES.map((role) => (
                  <td key={role}>
                    {ROLES.indexOf(role) >= ROLES.indexOf(least) ? (
                      <span class="row wrap">
                        <Icon name="ok" class="mark-ok" />
                        <span class={isOfAll ? 'dim' : 'sr'}>{isOfAll ? w.ofAll : w.yes}</span>
                      </span>
                    ) : (
                      <span class="dim">{w.no}</span>
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
