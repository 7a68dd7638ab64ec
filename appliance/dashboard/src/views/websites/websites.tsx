/** Websites: the most visited of the last hour, of all departments or one. */
import { useLocation } from 'preact-iso';

import { activityOf } from '../../live/analytics';
import type { VisitedSite } from '../../live/contract';
import { percent, rate, text, visible, volume, whole } from '../../live/formats';
import { may } from '../../live/session';
import { useSites, type Visited } from '../../live/sites';
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
    devices: 'Devices', traffic: 'Traffic', trafficUnknown: 'not known', programs: 'What programs do by themselves', unnamedTitle: 'Without a name', unnamedShare: '{share} of {count} connections', unnamed: 'No name seen', hidden: 'Name encrypted (ECH)', encryptedDns: 'Look-ups over TLS, QUIC or HTTPS', privacyDevice: 'The configuration records which devices visited a site.', privacyOff: 'The configuration has this off: no site is counted.',
    mostVisited: 'Most visited', lastHour: 'last hour, by registrable domain', site: 'Site', visits: 'Visits', share: 'Share', block: 'Block', blockName: 'Block {site}', figures: 'Figures', active: 'Active devices', inFive: 'in 5 min', sites: 'Sites', ofTop: 'in the last hour', bandwidth: 'Bandwidth', increasing: 'increasing', decreasing: 'decreasing', stable: 'stable',
    footer: 'A visit is one device at one site within half an hour, once a server has answered. Traffic is of connections over TCP that ended.', none: 'No visit seen in the last hour', noneText: 'Names are read from DNS, TLS and QUIC where the appliance sees both directions.', check: 'Check the position', privacy: 'Privacy', privacyText: 'Site and department are counted, not who visited it. The counts are of the last hour and in memory alone.',
  },
  de: {
    devices: 'Geräte', traffic: 'Verkehr', trafficUnknown: 'nicht bekannt', programs: 'Was Programme von selbst tun', unnamedTitle: 'Ohne Namen', unnamedShare: '{share} von {count} Verbindungen', unnamed: 'Kein Name gesehen', hidden: 'Name verschlüsselt (ECH)', encryptedDns: 'Namensabfragen über TLS, QUIC oder HTTPS', privacyDevice: 'Laut Konfiguration wird festgehalten, welche Geräte eine Seite besuchten.', privacyOff: 'In der Konfiguration ausgeschaltet: Keine Seite wird gezählt.',
    mostVisited: 'Meistbesucht', lastHour: 'letzte Stunde, je registrierbarer Domain', site: 'Seite', visits: 'Besuche', share: 'Anteil', block: 'Sperren', blockName: '{site} sperren', figures: 'Zahlen', active: 'Aktive Geräte', inFive: 'in 5 Min.', sites: 'Seiten', ofTop: 'in der letzten Stunde', bandwidth: 'Bandbreite', increasing: 'steigend', decreasing: 'fallend', stable: 'gleichbleibend',
    footer: 'Ein Besuch ist ein Gerät auf einer Seite binnen einer halben Stunde, sobald ein Server geantwortet hat. Der Verkehr ist der beendeter TCP-Verbindungen.', none: 'Kein Besuch in der letzten Stunde', noneText: 'Namen werden aus DNS, TLS und QUIC gelesen, wo beide Richtungen zu sehen sind.', check: 'Position prüfen', privacy: 'Datenschutz', privacyText: 'Gezählt werden Seite und Abteilung, nicht wer sie besuchte. Die Zahlen sind von der letzten Stunde und nur im Arbeitsspeicher.',
  },
});

const TRENDS: Record<string, IconName> = { increasing: 'rising', decreasing: 'falling', stable: 'level' };

export default function Websites() {
  useTitle({ text: names.websites });
  const { query, route } = useLocation();
  const { department = '', q = '' } = query;
  const found = useSites(department ? [department] : departments.value.map((one) => one.id));
  const all = found?.sites ?? [];
  const sites = all.filter((one) => !q || one.domain.toLowerCase().includes(q.toLowerCase()));
  const go = (next: Record<string, string>) => {
    const kept = Object.entries({ q, department, ...(query.sort ? { sort: query.sort } : {}), ...next }).filter(([, value]) => value);
    route(`/websites${kept.length ? `?${new URLSearchParams(kept)}` : ''}`, true);
  };
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
      <Tiles department={department} sites={all.length} />
      <div class="cols wide-left">
        <section class="sheet" aria-labelledby="most">
          <header>
            <h2 id="most">{w.mostVisited}</h2>
            <span class="period">{w.lastHour}</span>
          </header>
          {found === null ? (
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
        <div class="stack">
          {found !== null && <Unnamed found={found} />}
          {found !== null && found.background.length > 0 && <Programs found={found} />}
          <section class="sheet" aria-labelledby="privacy">
            <header>
              <h2 id="privacy">{w.privacy}</h2>
            </header>
            <div class="pad mid">{found?.records.has('off') ? w.privacyOff : found?.records.has('device') ? w.privacyDevice : w.privacyText}</div>
          </section>
        </div>
      </div>
    </>
  );
}

function Unnamed({ found: { named } }: { found: Visited }) {
  const without = named.unnamed + named.hidden + named.encryptedDns;
  return (
    <section class="sheet" aria-labelledby="unnamed">
      <header>
        <h2 id="unnamed">{w.unnamedTitle}</h2>
        {named.connections > 0 && <span class="period">{say(w.unnamedShare, { share: percent(without / named.connections), count: whole(named.connections) })}</span>}
      </header>
      <table>
        <tbody>
          {(['unnamed', 'hidden', 'encryptedDns'] as const).map((key) => (
            <tr key={key}>
              <th scope="row">{w[key]}</th>
              <td class="num">{whole(named[key])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Programs({ found: { background } }: { found: Visited }) {
  return (
    <section class="sheet" aria-labelledby="programs">
      <header>
        <h2 id="programs">{w.programs}</h2>
      </header>
      <table>
        <tbody>
          {background.slice(0, 10).map((one) => (
            <tr key={one.domain}>
              <th scope="row" dir="auto">
                {visible(one.domain)}
              </th>
              <td class="num">{whole(one.visits)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Tiles({ department, sites }: { department: string; sites: number }) {
  const of = departments.value.filter((one) => !department || one.id === department).map((one) => activityOf(one.id).value);
  const known = of.filter((one) => one !== null);
  if (known.length === 0) return null;
  const sum = (figure: 'activeUsers' | 'current') => known.reduce((all, one) => all + one[figure], 0);
  const trend = known.length === 1 ? known[0]!.trend : null;
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
        <span class="value">{whole(sites)}</span>
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

function columnsOf(most: number, department: string): Column<VisitedSite>[] {
  const mayBlock = may('operator', department || null);
  return [
    { key: 'site', head: w.site, cell: (one) => <b class="cut" dir="auto" title={visible(one.domain)}>{visible(one.domain)}</b>, sort: (one) => one.domain, csv: (one) => one.domain, fold: 'top' },
    { key: 'visits', head: w.visits, cell: (one) => whole(one.visits), sort: (one) => one.visits, csv: (one) => one.visits, isNumber: true, fold: 'top', width: '110px' },
    { key: 'devices', head: w.devices, cell: (one) => whole(one.devices), sort: (one) => one.devices, csv: (one) => one.devices, isNumber: true, fold: 'gone', width: '90px' },
    { key: 'traffic', head: w.traffic, cell: (one) => (one.bytes === undefined ? <span class="dim">{w.trafficUnknown}</span> : text(volume(one.bytes))), sort: (one) => one.bytes ?? null, csv: (one) => one.bytes, isNumber: true, fold: 'low', width: '110px' },
    { key: 'share', head: w.share, isHeadHidden: true, cell: (one) => <Meter share={one.visits / most} tone="var(--in)" />, fold: 'full', width: '14%' },
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
