/** A table: sorted by its heads, filtered above, drawn in windows, folded on a phone, one tab stop with arrows inside. */
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { common } from '../words/common';
import { say } from '../words/words';
import { csv, download } from './csv';
import { Icon } from './icons';

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
  onKey?: (key: string, row: Row) => void; // a key pressed on a row, such as `u`
  caption?: ComponentChildren;
  class?: string; // `fixed`: the columns have the widths that they name, whatever is in them
}

const DRAWN_WHOLE = 100; // rows; more are drawn as they come into sight
const ROW_PX = 37; // a row with its line
const AROUND = 20; // rows drawn beyond both edges
const inSight = () => Math.ceil(window.innerHeight / ROW_PX);
const STEP = 10; // rows that scroll by until others are drawn

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
  /** Bring a row that is not drawn into sight. */
  const show = (at: number) => {
    const top = (body.current?.getBoundingClientRect().top ?? 0) + window.scrollY;
    window.scrollTo({ top: top + at * rowPx.current - window.innerHeight / 2 });
  };
  return { from: isWindowed ? first : 0, shown, rowPx: rowPx.current, show };
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
function TableRow({ row, columns, at, isCurrent, isChosen, focused }: RowProps) {
  return useMemo(
    () => (
      <tr data-at={at} tabIndex={isCurrent ? 0 : -1} aria-selected={isChosen ? 'true' : undefined} onFocus={() => focused(at)}>
        {columns.map((column) => (
          <td key={column.key} class={[column.isNumber ? 'num' : '', column.fold ?? ''].join(' ').trim() || undefined}>
            <Cell column={column} row={row} />
          </td>
        ))}
      </tr>
    ),
    [row, columns, at, isCurrent, isChosen],
  );
}

function Cell({ column, row }: { column: Column<never>; row: unknown }) {
  return <>{column.cell(row as never)}</>;
}

export function Table<Row>(props: TableProps<Row>) {
  const { name, columns, rowKey, onOpen, isChosen, onKey } = props;
  const [isHeld, hold] = useState(false);
  const { sorted, toggle, by, isDown } = useOrder(props, isHeld);
  const body = useRef<HTMLTableSectionElement>(null);
  const [current, setCurrent] = useState(0);
  const { from, shown, rowPx, show } = useWindow(sorted.length, body);
  const drawn = sorted.slice(from, from + shown);
  const awaited = useRef(-1); // the row that gets the focus when it is drawn
  const focus = (at: number) => body.current?.querySelector<HTMLElement>(`[data-at="${at}"]`)?.focus();
  useEffect(() => {
    if (awaited.current < from || awaited.current >= from + shown) return;
    focus(awaited.current);
    awaited.current = -1;
  }, [from]);
  const move = (to: number) => {
    const next = Math.max(0, Math.min(sorted.length - 1, to));
    setCurrent(next);
    if (next >= from && next < from + drawn.length) focus(next);
    else {
      awaited.current = next;
      show(next);
    }
  };
  const pressed = (event: KeyboardEvent) => {
    if ((event.target as HTMLElement).tagName !== 'TR' && event.key !== 'Escape') return;
    const row = sorted[current];
    const steps: Record<string, number> = { ArrowDown: current + 1, j: current + 1, ArrowUp: current - 1, k: current - 1, Home: 0, End: sorted.length - 1 };
    const to = steps[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    } else if (event.key === 'Enter' && row !== undefined && onOpen) onOpen(row);
    else if (row !== undefined && onKey && !event.ctrlKey && !event.metaKey && !event.altKey) onKey(event.key, row);
  };
  return (
    <div class="scroll" role="region" aria-label={say(common.table, { name })} tabIndex={0}>
      <table class={`fold ${props.class ?? ''}`} onPointerEnter={() => hold(true)} onPointerLeave={() => hold(false)} onFocusIn={() => hold(true)} onFocusOut={() => hold(false)}>
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
        <tbody ref={body} onKeyDown={pressed}>
          {from > 0 && <Gap px={from * rowPx} columns={columns.length} />}
          {drawn.map((row, at) => (
            <TableRow key={rowKey(row)} row={row} columns={columns as readonly Column<never>[]} at={from + at} isCurrent={from + at === current} isChosen={isChosen?.(row) === true} focused={setCurrent} />
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
    <button type="button" class="btn s" onClick={() => void give()}>
      <Icon name="download" />
      {common.csv}
    </button>
  );
}
