/** What the overview shows below the fold. */
import { isActivityKnown, topSites } from '../../live/analytics';
import { TopSites } from '../../parts/top_sites';
import { Gauges } from './gauges';
import { Latest } from './latest';

export function Below() {
  return (
    <>
      <div class="cols">
        <TopSites sites={topSites.value} isKnown={isActivityKnown.value} isAll href="/websites" most={6} />
        <Latest />
      </div>
      <Gauges />
    </>
  );
}
