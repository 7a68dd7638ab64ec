/** A table: sorted by its heads, filtered above, drawn in windows, folded on a phone, one tab stop with arrows inside. */
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { areKeysOn } from '../shell/keyboard';
import { common } from '../words/common';
import { say } from '../words/words';
import { csv, download } from './csv';
import { Icon } from './icons';
import { sentenceOf, toast } from './actions';
import { Unchanged } from './unchanged';

export interface Column<Row> {
  key: string; // of the URL, `?sort=key` or `?sort=-key`
  head: string;
  cell: (row: Row) => ComponentChildren;
  sort?: (row: Row) => number | string | null; // without it the column does not sort
  csv?: (row: Row) => string | number | null | undefined; // without it the column is not in the file
  isNumber?: boolean;
  isHeadHidden?: boolean; // for readers only
  width?: string;
  fold?: string; // classes of the folded form: top, low, full, gone
}

export interface TableProps<Row> {
  name: string; // for readers
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string;
  sort?: string; // the first order, such as `-used`
  onOpen?: (row: Row) => void;
  isChosen?: (row: Row) => boolean;
  onKey?: (key: string, row: Row) => unknown; // a key pressed on a row, such as `u`; true: it was for the row
  caption?: ComponentChildren;
  class?: string; // `fixed`: the columns have the widths that they name, whatever is in them
}

const DRAWN_WHOLE = 100; // rows; more are drawn as they come into sight
const ROW_PX = 37; // a row with its line
const AROUND = 20; // rows drawn beyond both edges
const inSight = () => Math.ceil(window.innerHeight / ROW_PX);
const STEP = 10; // rows that scroll by until others are drawn
const CONTROLS = 'a[href], button, select, input';
const FIELDS = ['INPUT', 'SELECT', 'TEXTAREA'];

/** Rows in the order of the URL's `sort`. They keep their places while a pointer or the focus is in the table. */
function useOrder<Row>({ rows, columns, rowKey, sort = '' }: TableProps<Row>, isHeld: boolean) {
  const { query, path, route } = useLocation();
  const wanted = query.sort ?? sort;
  const isDown = wanted.startsWith('-');
  const column = columns.find((one) => one.key === wanted.replace(/^-/, '') && one.sort);
  const held = useRef<string[]>([]);
  const sorted = useMemo(() => {
    if (isHeld && held.current.length > 0) {
      const place = new Map(held.current.map((key, at) => [key, at]));
      return [...rows].sort((one, other) => (place.get(rowKey(one)) ?? 1e9) - (place.get(rowKey(other)) ?? 1e9));
    }
    if (column?.sort === undefined) return rows;
    const worth = column.sort;
    return [...rows].sort((one, other) => compare(worth(one), worth(other)) * (isDown ? -1 : 1));
  }, [rows, column, isDown, isHeld]);
  held.current = sorted.map(rowKey);
  const toggle = (key: string) => {
    held.current = [];
    const next = new URLSearchParams({ ...query, sort: wanted === `-${key}` ? key : `-${key}` });
    route(`${path}?${next}`, true);
  };
  return { sorted, toggle, by: column?.key, isDown };
}

function compare(one: number | string | null, other: number | string | null): number {
  if (one === null || other === null) return (one === null ? 0 : 1) - (other === null ? 0 : 1);
  return typeof one === 'number' && typeof other === 'number' ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true });
}

/** Whether a pointer or the focus is inside. */
function useHeld() {
  const [isHeld, hold] = useState(false);
  const inside = useRef({ pointer: false, focus: false }).current;
  const set = (what: 'pointer' | 'focus', is: boolean) => {
    inside[what] = is;
    hold(inside.pointer || inside.focus);
  };
  return {
    isHeld,
    handlers: {
      onPointerEnter: () => set('pointer', true),
      onPointerLeave: () => set('pointer', false),
      onFocusIn: () => set('focus', true),
      onFocusOut: (event: FocusEvent) => set('focus', (event.currentTarget as HTMLElement).contains(event.relatedTarget as Node | null)),
    },
  };
}

/** Which rows are drawn: at first those in sight, so that their figures do not wait for the rows below; then all, or from 100 on those around. */
function useWindow(count: number, body: { current: HTMLTableSectionElement | null }) {
  const [first, setFirst] = useState(0);
  const rowPx = useRef(ROW_PX);
  const isWindowed = count > DRAWN_WHOLE;
  const [isBegun, begin] = useState(false);
  useEffect(() => begin(true), []); // after the first frame
  const shown = isWindowed ? inSight() + 2 * AROUND : isBegun ? count : Math.min(count, inSight());
  useEffect(() => {
    if (!isWindowed) return;
    const look = () => {
      rowPx.current = body.current?.querySelector<HTMLElement>('[data-at]')?.offsetHeight || ROW_PX; // a folded one is higher
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const wanted = Math.floor(-top / rowPx.current / STEP) * STEP - AROUND;
      setFirst(Math.max(0, Math.min(count - shown, wanted)));
    };
    look();
    document.addEventListener('scroll', look, { passive: true, capture: true });
    return () => document.removeEventListener('scroll', look, { capture: true });
  }, [isWindowed, count, shown]);
  const from = isWindowed ? first : 0;
  /** Bring a row into sight that is not drawn yet. */
  const bring = (at: number) => {
    if (at >= from && at < from + shown) return;
    const top = (body.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    window.scrollTo({ top: top + at * rowPx.current - window.innerHeight / 2 });
  };
  return { from, shown, rowPx: rowPx.current, bring };
}

/** The keys inside a table. It is one tab stop: arrows go from row to row, into a row's controls, and up to the heads. */
function usePressed<Row>(sorted: readonly Row[], { onOpen, onKey }: TableProps<Row>, bring: (row: number) => void) {
  const box = useRef<HTMLTableElement>(null);
  const [current, setCurrent] = useState(0);
  const wanted = useRef(-1);
  const at = Math.min(current, Math.max(0, sorted.length - 1));
  const leaveOut = () => box.current?.querySelectorAll<HTMLElement>(CONTROLS).forEach((one) => (one.tabIndex = -1)); // also those that a cell has made since
  useEffect(() => {
    leaveOut();
    const row = wanted.current < 0 ? null : box.current?.querySelector<HTMLElement>(`[data-at="${wanted.current}"]`);
    if (!row) return;
    wanted.current = -1;
    row.focus();
  });
  const move = (to: number) => {
    const next = Math.max(0, Math.min(sorted.length - 1, to));
    wanted.current = next;
    bring(next);
    setCurrent(next);
    const drawn = box.current?.querySelector<HTMLElement>(`[data-at="${next}"]`);
    if (drawn) (wanted.current = -1), drawn.focus();
  };
  /** The next control in the same row or in the heads; before the first one is the row itself. */
  const across = (target: HTMLElement, by: 1 | -1): boolean => {
    const line = target.closest('tr')!;
    const stops = [...(line.dataset.at === undefined ? [] : [line]), ...line.querySelectorAll<HTMLElement>(CONTROLS)];
    const next = stops[stops.indexOf(target) + by];
    next?.focus();
    return next !== undefined;
  };
  const handled = (event: KeyboardEvent): boolean => {
    const target = event.target as HTMLElement;
    const { key } = event;
    if (key === 'ArrowRight' || key === 'ArrowLeft') return across(target, key === 'ArrowRight' ? 1 : -1);
    if (target.closest('thead')) return key === 'ArrowDown' && (move(at), true);
    const row = sorted[at];
    const isRow = target.tagName === 'TR';
    const head = key === 'ArrowUp' && at === 0 ? box.current?.querySelector<HTMLElement>('thead [aria-sort] button, thead button') : null;
    if (head) return head.focus(), true;
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: sorted.length - 1, ...(areKeysOn.peek() ? { j: at + 1, k: at - 1 } : {}) };
    const to = steps[key];
    if (to !== undefined) return move(to), true;
    if (key === 'Escape' && !isRow) return move(at), true;
    if (row === undefined) return false;
    if (key === 'Enter' && isRow && onOpen) return onOpen(row), true;
    return key.length === 1 && areKeysOn.peek() && onKey?.(key, row) === true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || FIELDS.includes((event.target as HTMLElement).tagName)) return;
    if (handled(event)) event.preventDefault();
  };
  const focused = useCallback((row: number) => {
    leaveOut();
    setCurrent(row);
  }, []);
  return { box, current: at, focused, onKeyDown };
}

interface RowProps {
  row: unknown;
  columns: readonly Column<never>[];
  at: number;
  isCurrent: boolean;
  isChosen: boolean;
  focused: (at: number) => void;
}

/** One row. It is drawn again when it is another one, and not with each row that scrolls by; a cell follows its own signals. */
class TableRow extends Unchanged<RowProps> {
  render({ row, columns, at, isCurrent, isChosen, focused }: RowProps) {
    return (
      <tr data-at={at} tabIndex={isCurrent ? 0 : -1} aria-selected={isChosen ? 'true' : undefined} onFocusIn={() => focused(at)}>
        {columns.map((column) => (
          <td key={column.key} class={[column.isNumber ? 'num' : '', column.fold ?? ''].join(' ').trim() || undefined}>
            <Cell column={column} row={row} />
          </td>
        ))}
      </tr>
    );
  }
}

function Cell({ column, row }: { column: Column<never>; row: unknown }) {
  return <>{column.cell(row as never)}</>;
}

export function Table<Row>(props: TableProps<Row>) {
  const { name, columns, rowKey, isChosen } = props;
  const { isHeld, handlers } = useHeld();
  const { sorted, toggle, by, isDown } = useOrder(props, isHeld);
  const body = useRef<HTMLTableSectionElement>(null);
  const { from, shown, rowPx, bring } = useWindow(sorted.length, body);
  const { box, current, focused, onKeyDown } = usePressed(sorted, props, bring);
  const drawn = sorted.slice(from, from + shown);
  const stop = current >= from && current < from + drawn.length ? current : from; // the row with the tab stop is a drawn one
  return (
    <div class="scroll" role="region" aria-label={say(common.table, { name })} tabIndex={sorted.length === 0 ? 0 : undefined}>
      <table class={`fold ${props.class ?? ''}`} ref={box} onKeyDown={onKeyDown} {...handlers}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.key}
                class={column.isNumber ? 'num' : undefined}
                style={column.width ? { width: column.width } : undefined}
                aria-sort={column.key === by ? (isDown ? 'descending' : 'ascending') : undefined}
                scope="col"
              >
                {column.sort ? (
                  <button type="button" onClick={() => toggle(column.key)}>
                    {column.head}
                    {column.key === by && <Icon name={isDown ? 'down' : 'up'} />}
                  </button>
                ) : (
                  <span class={column.isHeadHidden ? 'sr' : undefined}>{column.head}</span>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          {from > 0 && <Gap px={from * rowPx} columns={columns.length} />}
          {drawn.map((row, at) => (
            <TableRow key={rowKey(row)} row={row} columns={columns as readonly Column<never>[]} at={from + at} isCurrent={from + at === stop} isChosen={isChosen?.(row) === true} focused={focused} />
          ))}
          {from + drawn.length < sorted.length && <Gap px={(sorted.length - from - drawn.length) * rowPx} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

function Gap({ px, columns }: { px: number; columns: number }) {
  return (
    <tr aria-hidden="true">
      <td colSpan={columns} class="gap" style={{ height: `${px}px` }} />
    </tr>
  );
}

/** The button that gives the table as a file. */
export function CsvButton<Row>({ name, rows, columns }: { name: string; rows: readonly Row[] | (() => Promise<readonly Row[]>); columns: readonly Column<Row>[] }) {
  const give = async () => {
    const filed = columns.filter((column) => column.csv);
    const all = typeof rows === 'function' ? await rows() : rows;
    download(`${name}.csv`, csv(filed.map((one) => one.head), all.map((row) => filed.map((one) => one.csv!(row)))));
  };
  return (
    <button type="button" class="btn s" onClick={() => void give().catch((error: unknown) => toast(sentenceOf(error)))}>
      <Icon name="download" />
      {common.csv}
    </button>
  );
}
