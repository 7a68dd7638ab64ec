/** The most visited sites of the last hour, as a small sheet. */
import type { Site } from '../live/analytics';
import { visible, whole } from '../live/formats';
import { Meter } from './quota_bar';
import { CsvButton, type Column } from './table';
import { common } from '../words/common';
import { words } from '../words/words';

const w = words({
  en: { title: 'Websites', all: 'last hour, all departments', one: 'last hour', site: 'Site', visits: 'Visits', share: 'Share', none: 'No website was visited in the last hour.', waiting: 'The first count comes within a minute.' },
  de: { title: 'Webseiten', all: 'letzte Stunde, alle Abteilungen', one: 'letzte Stunde', site: 'Seite', visits: 'Besuche', share: 'Anteil', none: 'In der letzten Stunde wurde keine Webseite aufgerufen.', waiting: 'Die erste Zählung kommt binnen einer Minute.' },
});

const filed: readonly Column<Site>[] = [
  { key: 'site', head: w.site, cell: () => null, csv: (one) => one.domain },
  { key: 'visits', head: w.visits, cell: () => null, csv: (one) => one.visits },
];

export function TopSites({ sites, isKnown, isAll, href, most }: { sites: readonly Site[]; isKnown: boolean; isAll: boolean; href: string; most: number }) {
  const top = sites[0]?.visits ?? 1;
  return (
    <section class="sheet" aria-labelledby="sites">
      <header>
        <h2 id="sites">{w.title}</h2>
        <span class="period">{isAll ? w.all : w.one}</span>
        <div class="row push">
          <CsvButton name="websites" rows={sites} columns={filed} />
          <a href={href}>{common.all}</a>
        </div>
      </header>
      {sites.length === 0 ? (
        <p class="pad dim">{isKnown ? w.none : w.waiting}</p>
      ) : (
        <table class="fixed">
          <thead>
            <tr>
              <th scope="col">{w.site}</th>
              <th scope="col" class="num visits">
                {w.visits}
              </th>
              <th scope="col" class="share-head">
                <span class="sr">{w.share}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {sites.slice(0, most).map((site) => (
              <tr key={site.domain}>
                <td>
                  <span class="cut block" title={visible(site.domain)} dir="auto">
                    {visible(site.domain)}
                  </span>
                </td>
                <td class="num">{whole(site.visits)}</td>
                <td>
                  <Meter share={site.visits / top} tone="var(--in)" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
