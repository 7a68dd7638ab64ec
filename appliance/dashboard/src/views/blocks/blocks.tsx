/** Blocks: whether what is wanted is in force, the list in pages, and the dialog that blocks. */
import { useEffect, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { BLOCKS_SETTLE_MS, blockCounts } from '../../live/block_counts';
import { call } from '../../live/connection';
import { full, soonOr, visible, whole } from '../../live/formats';
import { holder, may } from '../../live/session';
import { appliance, blockEvents, departments, isOpen, nameOf } from '../../live/state';
import { ActionButton, change, sentenceOf, toast, whyNot } from '../../parts/actions';
import { Icon, StateMark } from '../../parts/icons';
import { asOf } from '../../parts/sentence';
import { Empty, Failed, Skeleton, useAsked } from '../../parts/notices';
import { type Column, CsvButton, Table } from '../../parts/table';
import { useKeys } from '../../shell/keyboard';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { parts, say } from '../../words/words';
import { BlockDialog } from './block_dialog';
import { ScheduleDialog } from './schedule_dialog';
import { allow, Schedules } from './schedules';
import { SearchField } from '../../parts/search_field';
import { w } from './words';

export interface Block {
  address: string;
  reason: string;
  actor: string;
  origin: string;
  departmentId: string | null;
  startedAt: string;
  expiresAt: string | null;
  duration: number;
  enforced?: boolean;
  refused?: number;
  resolved?: { blocked: number; spared: number };
}

const PAGE = 100; // rows: a screen or three
const FILED = 1000; // rows of one answer, for the file
const SOON_S = 3600; // what ends within it can be listed apart

function kindOf(address: string): string {
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(address)) return w.mac;
  if (address.includes('/')) return w.prefix;
  return /[a-z]/i.test(address) && !address.includes(':') ? w.name : w.address;
}

function originText(block: Block): string {
  if (block.origin === 'detection') return w.byIncident;
  if (block.origin === 'schedule') return say(w.bySchedule, { who: visible(block.actor) });
  if (block.origin.startsWith('list:')) return say(w.byList, { name: block.origin.slice(5) });
  return visible(block.actor);
}

const scopeOf = (block: Block) => (block.departmentId === null ? holder.value?.departments === null && may('operator') : may('operator', block.departmentId));

/** What a schedule blocks is not lifted: it is allowed for a while, or its schedule is removed. */
const canLift = (block: Block) => scopeOf(block) && block.origin !== 'schedule';

function endText(block: Block): string {
  if (block.expiresAt !== null) return soonOr(block.expiresAt);
  return block.origin.startsWith('list:') ? w.whileListed : w.untilLifted;
}

async function unblock(block: Block, done: () => void): Promise<void> {
  const at = { address: block.address, ...(block.departmentId === null ? {} : { departmentId: block.departmentId }) };
  try {
    await change('ip:unblock', { ...at, origin: block.origin });
    toast(say(w.unblocked, { address: visible(block.address) }), () => change('ip:block', { ...at, reason: block.reason, duration: block.duration }).then(done));
  } catch (error) {
    toast(sentenceOf(error));
  }
  done();
}

/** Unblock several; one order for all that have the same scope and origin. */
async function unblockAll(blocks: readonly Block[], done: () => void): Promise<void> {
  const orders = new Map<string, Block[]>();
  for (const one of blocks) orders.set(`${one.departmentId} ${one.origin}`, [...(orders.get(`${one.departmentId} ${one.origin}`) ?? []), one]);
  const lifted: Block[] = [];
  try {
    for (const [first, ...rest] of orders.values()) {
      const addresses: [string, ...string[]] = [first!.address, ...rest.map((one) => one.address)];
      await change('ip:unblock', { addresses, origin: first!.origin, ...(first!.departmentId === null ? {} : { departmentId: first!.departmentId }) });
      lifted.push(first!, ...rest);
    }
  } catch (error) {
    toast(sentenceOf(error));
  }
  const again = async () => {
    for (const one of lifted) await change('ip:block', { address: one.address, reason: one.reason, duration: one.duration, ...(one.departmentId === null ? {} : { departmentId: one.departmentId }) });
    done();
  };
  if (lifted.length > 0) toast(say(w.unblockedAll, { count: lifted.length }), again);
  done();
}

const keyOf = (one: Block) => `${one.origin} ${one.departmentId} ${one.address}`;

function columnsFor(again: () => void): Column<Block>[] {
  return [
    {
      key: 'what',
      head: w.what,
      cell: (one) => (
        <>
          <b class="cut" title={visible(one.address)}>
            <code>{visible(one.address)}</code>
          </b>
          <span class="sub">
            {kindOf(one.address)}
            {one.resolved && `, ${say(w.resolves, { count: one.resolved.blocked })}`}
          </span>
        </>
      ),
      sort: (one) => one.address,
      csv: (one) => one.address,
      fold: 'top',
    },
    { key: 'for', head: w.for, cell: (one) => <span class="cut" dir="auto" title={visible(nameOf(one.departmentId))}>{one.departmentId === null ? common.forAll : visible(nameOf(one.departmentId))}</span>, sort: (one) => one.departmentId ?? '', csv: (one) => one.departmentId ?? '*', fold: 'gone', width: '15%' },
    { key: 'reason', head: w.reason, cell: (one) => <span class="cut" dir="auto" title={visible(one.reason)}>{visible(one.reason)}</span>, csv: (one) => one.reason, fold: 'low full', width: '24%' },
    { key: 'from', head: w.from, cell: (one) => <span class="cut" dir="auto" title={originText(one)}>{originText(one)}</span>, sort: (one) => one.origin, csv: (one) => `${one.origin} ${one.actor}`, fold: 'gone', width: '13%' },
    {
      key: 'ends',
      head: w.ends,
      cell: (one) => (
        <span class="nowrap" title={one.expiresAt ? full(one.expiresAt) : undefined}>
          {endText(one)}
          {one.enforced === false && <span class="tag warn">{w.notEnforced}</span>}
        </span>
      ),
      sort: (one) => one.expiresAt,
      csv: (one) => one.expiresAt,
      fold: 'top',
      width: '12%',
    },
    { key: 'refused', head: w.refused, cell: (one) => (one.refused === undefined ? <span class="dim">–</span> : one.refused === 0 ? <span class="dim">0</span> : whole(one.refused)), sort: (one) => one.refused ?? -1, csv: (one) => one.refused, isNumber: true, fold: 'gone', width: '110px' },
    {
      key: 'actions',
      head: common.actions,
      isHeadHidden: true,
      isNumber: true,
      fold: 'low full',
      width: '110px',
      cell: (one) =>
        scopeOf(one) && one.origin === 'schedule' ? (
          <ActionButton class="s" label={say(w.allowName, { address: one.address })} onClick={() => allow(one.address, one.departmentId, again)}>
            {w.allow}
          </ActionButton>
        ) : scopeOf(one) && (
          <ActionButton class="s" label={say(w.unblockName, { address: one.address })} onClick={() => unblock(one, again)}>
            {w.unblock}
          </ActionButton>
        ),
    },
  ];
}

export default function Blocks({ dialog = '' }: { dialog?: string }) {
  useTitle({ text: names.blocks });
  const { query, route } = useLocation();
  const { origin = '', q = '', department = '', expiring = '' } = query;
  const page = Math.max(1, Number(query.page) || 1);
  const asked = {
    ...(origin ? { origin } : {}),
    ...(q ? { contains: q } : {}),
    ...(department ? { departmentId: department } : {}),
    ...(expiring ? { expiring: Number(expiring) || SOON_S } : {}),
  };
  const settled = useSettled();
  const found = useAsked(() => call('ip:list', { ...asked, page, limit: PAGE }), [origin, q, department, expiring, page, settled]);
  const soon = useAsked(() => call('ip:list', { limit: 1, expiring: SOON_S, ...(department ? { departmentId: department } : {}) }), [department, settled]);
  const blocks = (found.reply?.blocks ?? []) as Block[];
  const total = (found.reply?.total ?? 0) as number;
  const columns = columnsFor(found.again);
  const go = (next: Record<string, string>, path = '/blocks') => {
    const all = Object.entries({ origin, q, department, expiring, ...next }).filter(([, value]) => value);
    route(`${path}${all.length ? `?${new URLSearchParams(all)}` : ''}`, path === '/blocks');
  };
  const canBlock = may('operator');
  const open = () => canBlock && go({ page: page > 1 ? String(page) : '' }, '/blocks/new');
  const turn = (by: number) => go({ page: String(page + by) });
  const hasNext = found.reply?.next != null;
  useKeys({ n: open, b: open, '[': () => page > 1 && turn(-1), ']': () => hasNext && turn(1) });
  const [isScheduling, setScheduling] = useState(false);
  const [added, countAdded] = useState(0);
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const picked = blocks.filter((one) => chosen.has(keyOf(one)));
  const liftPicked = () => {
    choose(new Set());
    return unblockAll(picked, found.again);
  };
  const onKey = (key: string, one: Block) => {
    if (!canLift(one) || (key !== 'x' && key !== 'u')) return false;
    const next = new Set(chosen);
    if (key === 'x') choose(next.delete(keyOf(one)) ? next : next.add(keyOf(one)));
    else if (whyNot.value !== '') toast(whyNot.value);
    else void (picked.length > 0 ? liftPicked() : unblock(one, found.again));
    return true;
  };
  const everything = async () => {
    const all: Block[] = [];
    for (let at: number | null = 1; at !== null; ) {
      const reply: { blocks: Block[]; next: number | null } = await call('ip:list', { ...asked, page: at, limit: FILED });
      all.push(...reply.blocks);
      at = reply.next;
    }
    return all;
  };
  const isFiltered = Object.keys(asked).length > 0;
  return (
    <>
      <header class="row wrap">
        <div>
          <h1>{names.blocks}</h1>
          <InForce blocks={blocks} />
        </div>
        {canBlock && (
          <div class="row push">
            <ActionButton onClick={() => setScheduling(true)}>
              <Icon name="clock" />
              {w.addSchedule}
            </ActionButton>
            <ActionButton class="main" onClick={open}>
              <Icon name="plus" />
              {w.block}
            </ActionButton>
          </div>
        )}
      </header>
      <div class="filters">
        <SearchField value={q} placeholder={w.placeholder} onChange={(text) => go({ q: text, page: '' })} />
        <Origins counts={found.reply?.origins as Record<string, number> | undefined} chosen={origin} onChoose={(next) => go({ origin: next, page: '' })} />
        <button type="button" class="chip" aria-pressed={expiring !== ''} onClick={() => go({ expiring: expiring ? '' : String(SOON_S), page: '' })}>
          {soon.reply === null ? w.expiring : say(w.expiringCount, { count: whole(soon.reply.total) })}
        </button>
        <span class="push" />
        {picked.length > 0 && (
          <ActionButton class="s" onClick={liftPicked}>
            {say(w.unblockChosen, { count: picked.length })}
          </ActionButton>
        )}
        <CsvButton name="blocks" rows={everything} columns={columns} />
      </div>
      <section class="sheet" aria-label={names.blocks}>
        {found.reply === null ? (
          found.error ? <Failed level={2} error={found.error} again={found.again} /> : <Skeleton rows={6} />
        ) : blocks.length === 0 ? (
          isFiltered ? (
            <Empty level={2} icon="search" title={say(common.nothingMatches, { text: q || origin || department || w.expiring })} act={<a href="/blocks">{common.removeFilter}</a>} />
          ) : (
            <Empty level={2} icon="ok" title={w.empty}>
              {w.emptyText}
            </Empty>
          )
        ) : (
          <Table name={names.blocks} rows={blocks} columns={columns} class="fixed" rowKey={keyOf} sort={expiring ? 'ends' : undefined} isChosen={(one) => chosen.has(keyOf(one))} onKey={onKey} />
        )}
        {blocks.length > 0 && (
          <footer>
            <span>{say(common.rows, { first: whole((page - 1) * PAGE + 1), last: whole((page - 1) * PAGE + blocks.length), all: whole(total) })}</span>
            <span class="push">{canBlock && parts(w.keys, { n: <kbd>N</kbd>, x: <kbd>X</kbd>, u: <kbd>U</kbd> })}</span>
            {page > 1 && (
              <button type="button" class="btn s" onClick={() => turn(-1)}>
                {w.newer}
              </button>
            )}
            {hasNext && (
              <button type="button" class="btn s" onClick={() => turn(1)}>
                {w.older}
              </button>
            )}
          </footer>
        )}
      </section>
      <Schedules settled={settled + added} again={found.again} />
      {isScheduling && <ScheduleDialog onClose={() => setScheduling(false)} onDone={() => (countAdded((before) => before + 1), found.again())} />}
      {dialog === 'new' && canBlock && <BlockDialog wanted={query} onClose={() => go({ page: page > 1 ? String(page) : '', department: query.address ? '' : department })} onDone={found.again} />}
    </>
  );
}

/** One sentence: wanted = in force. */
function InForce({ blocks }: { blocks: Block[] }) {
  const all = departments.value;
  const counts = blockCounts.value;
  if (counts === null || !all.some((one) => one.wanted.value !== null)) return null; // nothing is known yet
  const [wanted, enforced] = [whole(counts.all), whole(counts.inForce)];
  const isBehind = counts.inForce < counts.all;
  if (appliance.value?.position === 'mirror') return <p class="mid">{w.mirror}</p>;
  const refused = blocks.reduce((sum, one) => sum + (one.refused ?? 0), 0);
  return (
    <p class="mid state">
      <StateMark state={isBehind ? 'crit' : 'ok'} />
      <span>
        {asOf()}
        {isBehind ? say(isOpen.value ? w.open : w.gap, { enforced, wanted }) : counts.all === 0 ? w.none : say(w.allInForce, { count: counts.all, all: wanted })}{' '}
        {refused > 0 && say(w.refusedPackets, { count: whole(refused) })}
      </span>
    </p>
  );
}

function Origins({ counts, chosen, onChoose }: { counts: Record<string, number> | undefined; chosen: string; onChoose: (next: string) => void }) {
  if (counts === undefined) return null;
  const all = Object.values(counts).reduce((sum, one) => sum + one, 0);
  const text = (origin: string, count: string) => {
    if (origin === 'manual') return say(w.manual, { count });
    if (origin === 'detection') return say(w.detection, { count });
    if (origin === 'schedule') return say(w.schedule, { count });
    return say(w.list, { name: origin.replace(/^list:/, ''), count });
  };
  return (
    <>
      <button type="button" class="chip" aria-pressed={chosen === ''} onClick={() => onChoose('')}>
        {say(w.all, { count: whole(all) })}
      </button>
      {Object.entries(counts).map(([origin, count]) => (
        <button key={origin} type="button" class="chip" aria-pressed={chosen === origin} onClick={() => onChoose(chosen === origin ? '' : origin)}>
          {text(origin, whole(count))}
        </button>
      ))}
    </>
  );
}

/** Changes when blocks have begun or ended and no more do for a moment. */
function useSettled(): number {
  const [count, set] = useState(0);
  const latest = blockEvents.value[0];
  useEffect(() => {
    if (latest === undefined) return;
    const timer = setTimeout(() => set((before) => before + 1), BLOCKS_SETTLE_MS);
    return () => clearTimeout(timer);
  }, [latest]);
  return count;
}
