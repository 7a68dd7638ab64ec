/** Websites: the most visited of the last hour, of all departments or one. */
import { useLocation } from 'preact-iso';

import { activityOf, isActivityKnown, topSites, type Site } from '../../live/analytics';
import { clock, text, rate, visible, whole } from '../../live/formats';
import { may } from '../../live/session';
import { departments, nameOf } from '../../live/state';
import { Icon, type IconName } from '../../parts/icons';
import { Empty, Skeleton } from '../../parts/notices';
import { Meter } from '../../parts/quota_bar';
import { SearchField } from '../../parts/search_field';
import { type Column, CsvButton, Table } from '../../parts/table';
import { names } from '../../shell/navigation';
import { useTitle } from '../../shell/shell';
import { common } from '../../words/common';
import { say, words } from '../../words/words';

const w = words({
  en: {
    mostVisited: 'Most visited', lastHour: 'last hour, by registrable domain', site: 'Site', visits: 'Visits', share: 'Share', block: 'Block', blockName: 'Block {site}', figures: 'Figures', active: 'Active devices', inFive: 'in 5 min', sites: 'Sites', ofTop: 'of the ten most visited of each department', bandwidth: 'Bandwidth', increasing: 'increasing', decreasing: 'decreasing', stable: 'stable',
    footer: 'A visit is a look-up of a name that is seen in the clear. Encrypted look-ups have no name; they count in every volume.', none: 'No look-up seen in the last hour', noneText: 'The devices may use encrypted DNS, or their name server sits where the appliance does not see it.', check: 'Check the position', privacy: 'Privacy', privacyText: 'Site and department are counted, not who visited it. The counts are of the last hour and in memory alone.', asOf: 'as of {time}',
  },
  de: {
    mostVisited: 'Meistbesucht', lastHour: 'letzte Stunde, je registrierbarer Domain', site: 'Seite', visits: 'Besuche', share: 'Anteil', block: 'Sperren', blockName: '{site} sperren', figures: 'Zahlen', active: 'Aktive Geräte', inFive: 'in 5 Min.', sites: 'Seiten', ofTop: 'der zehn meistbesuchten je Abteilung', bandwidth: 'Bandbreite', increasing: 'steigend', decreasing: 'fallend', stable: 'gleichbleibend',
    footer: 'Ein Besuch ist eine Namensabfrage, die offen zu sehen ist. Verschlüsselte Abfragen haben keinen Namen; sie zählen in jedem Volumen.', none: 'Keine Namensabfrage in der letzten Stunde', noneText: 'Die Geräte nutzen vielleicht verschlüsseltes DNS, oder ihr Namensserver steht, wo das Gerät ihn nicht sieht.', check: 'Position prüfen', privacy: 'Datenschutz', privacyText: 'Gezählt werden Seite und Abteilung, nicht wer sie besuchte. Die Zahlen sind von der letzten Stunde und nur im Arbeitsspeicher.', asOf: 'Stand {time}',
  },
});

const TRENDS: Record<string, IconName> = { increasing: 'rising', decreasing: 'falling', stable: 'level' };

export default function Websites() {
  useTitle({ text: names.websites });
  const { query, route } = useLocation();
  const { department = '', q = '' } = query;
  const activity = department ? activityOf(department).value : null;
  const all = department ? (activity?.sites ?? []) : topSites.value;
  const sites = all.filter((one) => !q || one.domain.toLowerCase().includes(q.toLowerCase()));
  const go = (next: Record<string, string>) => {
    const kept = Object.entries({ q, department, ...(query.sort ? { sort: query.sort } : {}), ...next }).filter(([, value]) => value);
    route(`/websites${kept.length ? `?${new URLSearchParams(kept)}` : ''}`, true);
  };
  const isKnown = department ? activity !== null : isActivityKnown.value;
  const columns = columnsOf(all[0]?.visits ?? 1, department);
  return (
    <>
      <header class="row wrap">
        <h1>{names.websites}</h1>
        <span class="push" />
        <SearchField value={q} placeholder={w.site} onChange={(next) => go({ q: next })} />
        <label>
          <span class="sr">{common.department}</span>
          <select value={department} onChange={(event) => go({ department: event.currentTarget.value })}>
            <option value="">{common.allDepartments}</option>
            {departments.value.map((one) => (
              <option key={one.id} value={one.id}>
                {visible(one.facts.value.name)}
              </option>
            ))}
          </select>
        </label>
        <CsvButton name="websites" rows={sites} columns={columns} />
      </header>
      <Tiles department={department} />
      <div class="cols wide-left">
        <section class="sheet" aria-labelledby="most">
          <header>
            <h2 id="most">{w.mostVisited}</h2>
            <span class="period">
              {w.lastHour}
              {activity && `, ${say(w.asOf, { time: clock(activity.at) })}`}
            </span>
          </header>
          {!isKnown ? (
            <Skeleton rows={6} />
          ) : sites.length === 0 && q ? (
            <Empty icon="search" title={say(common.nothingMatches, { text: q })} act={<a href="/websites">{common.removeFilter}</a>} />
          ) : sites.length === 0 ? (
            <Empty icon="cable" title={department ? `${w.none}: ${visible(nameOf(department))}` : w.none} act={<a href="/appliance">{w.check}</a>}>
              {w.noneText}
            </Empty>
          ) : (
            <Table class="fixed" name={w.mostVisited} rows={sites} columns={columns} rowKey={(one) => one.domain} sort="-visits" />
          )}
          <footer>
            <span>{w.footer}</span>
          </footer>
        </section>
        <section class="sheet" aria-labelledby="privacy">
          <header>
            <h2 id="privacy">{w.privacy}</h2>
          </header>
          <div class="pad mid">{w.privacyText}</div>
        </section>
      </div>
    </>
  );
}

function Tiles({ department }: { department: string }) {
  const of = departments.value.filter((one) => !department || one.id === department).map((one) => activityOf(one.id).value);
  const known = of.filter((one) => one !== null);
  if (known.length === 0) return null;
  const sum = (figure: 'activeUsers' | 'current') => known.reduce((all, one) => all + one[figure], 0);
  const trend = known.length === 1 ? known[0]!.trend : null;
  const names = new Set(known.flatMap((one) => one.sites.map((site) => site.domain)));
  const [value, unit] = rate(sum('current'));
  return (
    <section class="tiles three" aria-label={w.figures}>
      <div class="tile">
        <span class="name">{w.active}</span>
        <span class="value">
          {whole(sum('activeUsers'))} <span class="unit">{w.inFive}</span>
        </span>
      </div>
      <div class="tile">
        <span class="name">{w.sites}</span>
        <span class="value">{whole(names.size)}</span>
        <span class="more">{w.ofTop}</span>
      </div>
      <div class="tile">
        <span class="name">{w.bandwidth}</span>
        <span class="value" title={text([value, unit])}>
          {value} <span class="unit">{unit}</span>
        </span>
        {trend && (
          <span class="more">
            <Icon name={TRENDS[trend]!} />
            {w[trend]}
          </span>
        )}
      </div>
    </section>
  );
}

function columnsOf(most: number, department: string): Column<Site>[] {
  const mayBlock = may('operator', department || null);
  return [
    { key: 'site', head: w.site, cell: (one) => <b class="cut" dir="auto" title={visible(one.domain)}>{visible(one.domain)}</b>, sort: (one) => one.domain, csv: (one) => one.domain, fold: 'top' },
    { key: 'visits', head: w.visits, cell: (one) => whole(one.visits), sort: (one) => one.visits, csv: (one) => one.visits, isNumber: true, fold: 'top', width: '110px' },
    { key: 'share', head: w.share, isHeadHidden: true, cell: (one) => <Meter share={one.visits / most} tone="var(--in)" />, fold: 'full', width: '34%' },
    {
      key: 'actions',
      head: common.actions,
      isHeadHidden: true,
      isNumber: true,
      fold: 'gone',
      width: '100px',
      cell: (one) =>
        mayBlock && (
          <a class="btn s bare" aria-label={say(w.blockName, { site: visible(one.domain) })} href={`/blocks/new?${new URLSearchParams({ address: one.domain, ...(department ? { department } : {}) })}`}>
            {w.block}
          </a>
        ),
    },
  ];
}
