/** What an administrator sees in five seconds: the sentence, what needs them, and the figures that explain it. */
import { useComputed } from '@preact/signals';
import { useLocation } from 'preact-iso';

import { minute, nowMs, zone } from '../../live/clock';
import { worstFirst } from '../../live/condition';
import { longDay } from '../../live/formats';
import { may } from '../../live/session';
import { appliance, areQuotasKnown, departments, total } from '../../live/state';
import { Empty, Late } from '../../parts/notices';
import { Sentence } from '../../parts/sentence';
import { Table, CsvButton } from '../../parts/table';
import { deferred } from '../../parts/deferred';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { say, words } from '../../words/words';
import { columns, filed } from '../departments/columns';
import { NeedsList } from './needs_list';
import { Tiles } from './tiles';
import '../departments/departments.css';

const w = words({
  en: {
    day: '{day} in {zone}', departments: 'Departments', worst: 'worst first', all: 'All {count}',
    legend: 'Bar: used today, hatched as forecast until midnight; ticks at the thresholds; the notch below is the time of day. Small charts: one scale for all rows, by square root.',
    none: 'No department is configured', noneWhy: 'Traffic is metered by department. The configuration names each with its interface and subnets.', settings: 'Open the configuration',
  },
  de: {
    day: '{day} in {zone}', departments: 'Abteilungen', worst: 'schlechteste zuerst', all: 'Alle {count}',
    legend: 'Balken: heute verbraucht, schraffiert die Vorhersage bis Mitternacht; Striche an den Schwellen; die Kerbe darunter ist die Tageszeit. Kleine Kurven: ein Maßstab für alle Zeilen, nach Quadratwurzel.',
    none: 'Es ist keine Abteilung eingerichtet', noneWhy: 'Verkehr wird je Abteilung gemessen. Die Konfiguration nennt jede mit Schnittstelle und Subnetzen.', settings: 'Konfiguration öffnen',
  },
});

const Traffic = deferred(() => import('../../parts/traffic').then((found) => found.Traffic));
const Below = deferred(() => import('./below').then((found) => found.Below));

const MOST_ROWS = 8;
/** Columns are not sorted here: the order is the worst first. */
const plain = columns.map(({ sort: _sort, ...column }) => column);

/** The first load, in the shape of what comes. */
function Waiting() {
  return (
    <>
      <section class="sentence frame-sentence" aria-busy="true">
        <Late />
      </section>
      <div class="tiles frame-tiles" />
      <div class="sheet frame-chart" />
    </>
  );
}

function Departments() {
  const { route } = useLocation();
  const rows = useComputed(() => worstFirst.value.slice(0, MOST_ROWS));
  return (
    <section class="sheet" aria-labelledby="departments">
      <header>
        <h2 id="departments">{w.departments}</h2>
        <span class="period">{w.worst}</span>
        <div class="row push">
          <CsvButton name="departments" rows={worstFirst.peek()} columns={filed} />
          <a href="/departments">{say(w.all, { count: departments.value.length })}</a>
        </div>
      </header>
      <Table name={w.departments} class="fixed rows" rows={rows.value} columns={plain} rowKey={(one) => one.id} onOpen={(one) => route(`/departments/${encodeURIComponent(one.id)}`)} onKey={(key, one) => key === '+' && may('operator', one.id) && route(`/quotas/${encodeURIComponent(one.id)}/grant?period=day`)} />
      <footer>
        <span>{w.legend}</span>
      </footer>
    </section>
  );
}

function Today() {
  return <div class="at">{say(w.day, { day: longDay((minute.value, nowMs())), zone: zone.value })}</div>;
}

function Known() {
  if (departments.value.length === 0)
    return (
      <Empty level={2} icon="department" title={w.none} act={<a href="/settings/configuration">{w.settings}</a>}>
        {w.noneWhy}
      </Empty>
    );
  return (
    <>
      <Sentence>
        <Today />
      </Sentence>
      <NeedsList />
      <Tiles />
      <Traffic departmentId={null} recent={total} first="live" height={260} fileName="traffic">
        <div class="sheet frame-chart" />
      </Traffic>
      <Departments />
      <Below />
    </>
  );
}

export default function Overview() {
  useTitle({ text: names.overview });
  return (
    <>
      <h1 class="sr">{names.overview}</h1>
      {appliance.value === null || !areQuotasKnown.value ? <Waiting /> : <Known />}
    </>
  );
}
