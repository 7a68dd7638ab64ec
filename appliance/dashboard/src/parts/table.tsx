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

export function Table<Row>(props: TableProps<Row>) {
  const { name, columns, rowKey, onOpen, isChosen, onKey } = props;
  const [isHeld, hold] = useState(false);
  const { sorted, toggle, by, isDown } = useOrder(props, isHeld);
  const body = useRef<HTMLTableSectionElement>(null);
  const [first, setFirst] = useState(0);
  const [current, setCurrent] = useState(0);
  const isWindowed = sorted.length > DRAWN_WHOLE;
  const shown = isWindowed ? Math.ceil(window.innerHeight / ROW_PX) + 2 * AROUND : sorted.length;
  useEffect(() => {
    if (!isWindowed) return;
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      setFirst(Math.max(0, Math.min(sorted.length - shown, Math.floor(-top / ROW_PX) - AROUND)));
    };
    look();
    document.addEventListener('scroll', look, { passive: true, capture: true });
    return () => document.removeEventListener('scroll', look, { capture: true });
  }, [isWindowed, sorted.length, shown]);
  const from = isWindowed ? first : 0;
  const drawn = sorted.slice(from, from + shown);
  const move = (to: number) => {
    const next = Math.max(0, Math.min(sorted.length - 1, to));
    setCurrent(next);
    body.current?.querySelector<HTMLElement>(`[data-at="${next}"]`)?.focus();
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
          {from > 0 && <Gap rows={from} columns={columns.length} />}
          {drawn.map((row, at) => (
            <tr
              key={rowKey(row)}
              data-at={from + at}
              tabIndex={from + at === current ? 0 : -1}
              aria-selected={isChosen?.(row) ? 'true' : undefined}
              onFocus={() => setCurrent(from + at)}
            >
              {columns.map((column) => (
                <td key={column.key} class={[column.isNumber ? 'num' : '', column.fold ?? ''].join(' ').trim() || undefined}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {from + drawn.length < sorted.length && <Gap rows={sorted.length - from - drawn.length} columns={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

function Gap({ rows, columns }: { rows: number; columns: number }) {
  return (
    <tr aria-hidden="true">
      <td colSpan={columns} class="gap" style={{ height: `${rows * ROW_PX}px` }} />
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
