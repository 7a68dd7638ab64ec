/** All departments: the overview's table, whole, with filter and sort. */
import { useMemo } from 'preact/hooks';
import { useLocation } from 'preact-iso';

import { worstFirst } from '../../live/condition';
import { may } from '../../live/session';
import { areQuotasKnown } from '../../live/state';
import { Empty, Skeleton } from '../../parts/notices';
import { SearchField } from '../../parts/search_field';
import { CsvButton, Table } from '../../parts/table';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say, words } from '../../words/words';
import { columns, filed } from './columns';
import './departments.css';

const w = words({
  en: { filter: 'Name, interface, subnet', shown: { one: '{count} department', other: '{count} departments' }, legend: 'Bar: used today, hatched as forecast until midnight; ticks at the thresholds; the notch below is the time of day. Small charts: one scale for all rows, by square root.' },
  de: { filter: 'Name, Schnittstelle, Subnetz', shown: { one: '{count} Abteilung', other: '{count} Abteilungen' }, legend: 'Balken: heute verbraucht, schraffiert die Vorhersage bis Mitternacht; Striche an den Schwellen; die Kerbe darunter ist die Tageszeit. Kleine Kurven: ein Maßstab für alle Zeilen, nach Quadratwurzel.' },
});

export default function Departments() {
  useTitle({ text: names.departments });
  const { query, path, route } = useLocation();
  const asked = query.q ?? '';
  const all = worstFirst.value;
  const rows = useMemo(() => {
    const wanted = asked.toLowerCase();
    return all.filter(({ facts: { value: one } }) => [one.name, one.id, one.interface, ...one.subnets].some((text) => text.toLowerCase().includes(wanted)));
  }, [all, asked]);
  const narrow = (text: string) => {
    const { q: _q, ...others } = query;
    const next = new URLSearchParams(text ? { ...others, q: text } : others).toString();
    route(next ? `${path}?${next}` : path, true);
  };
  return (
    <>
      <header class="row wrap">
        <h1>{names.departments}</h1>
        <div class="row push">
          <SearchField value={asked} placeholder={w.filter} onChange={narrow} />
          <CsvButton name="departments" rows={rows} columns={filed} />
        </div>
      </header>
      <section class="sheet" aria-label={names.departments}>
        {!areQuotasKnown.value ? (
          <Skeleton rows={8} />
        ) : rows.length === 0 && asked ? (
          <Empty level={2} icon="search" title={say(common.nothingMatches, { text: asked })} act={<a href={path}>{common.removeFilter}</a>} />
        ) : (
          <>
            <Table name={names.departments} class="fixed rows" rows={rows} columns={columns} rowKey={(one) => one.id} sort="state" onOpen={(one) => route(`/departments/${encodeURIComponent(one.id)}`)} onKey={(key, one) => key === '+' && may('operator', one.id) && route(`/quotas/${encodeURIComponent(one.id)}/grant?period=day`)} />
            <footer>
              <span>
                {say(w.shown, { count: rows.length })}. {w.legend}
              </span>
            </footer>
          </>
        )}
      </section>
    </>
  );
}
