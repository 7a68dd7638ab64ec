/** Which view answers which address. Views other than the overview are loaded when they are opened. */
import { useEffect } from 'preact/hooks';
import { ErrorBoundary, lazy, LocationProvider, Router, Route, useLocation } from 'preact-iso';

import { connect } from './live/connection';
import { endedBecause, token } from './live/session';
import { appliance } from './live/state';
import { names } from './shell/navigation';
import { Shell, useTitle } from './shell/shell';
import { Icon } from './parts/icons';
import { Empty } from './parts/notices';
import { words } from './words/words';
import Overview from './views/overview/overview';

const w = words({
  en: { title: 'There is nothing at this address', ended: 'You were logged out', seen: 'What you see is from then. Log in again to go on where you were.', logIn: 'Log in' },
  de: { title: 'An dieser Adresse ist nichts', ended: 'Sie wurden abgemeldet', seen: 'Was Sie sehen, ist von da. Nach der Anmeldung geht es hier weiter.', logIn: 'Anmelden' },
});

const Departments = lazy(() => import('./views/departments/departments'));
const Department = lazy(() => import('./views/departments/department'));
const Devices = lazy(() => import('./views/devices/devices'));
const Websites = lazy(() => import('./views/websites/websites'));
const Incidents = lazy(() => import('./views/incidents/incidents'));
const OneIncident = lazy(() => import('./views/incidents/incident'));
const Blocks = lazy(() => import('./views/blocks/blocks'));
const Quotas = lazy(() => import('./views/quotas/quotas'));
const Reports = lazy(() => import('./views/reports/reports'));
const Maintenance = lazy(() => import('./views/maintenance/maintenance'));
const Appliance = lazy(() => import('./views/appliance/appliance'));
const People = lazy(() => import('./views/people/people'));
const Audit = lazy(() => import('./views/audit/audit'));
const Settings = lazy(() => import('./views/settings/settings'));
const More = lazy(() => import('./views/more/more'));
const Kiosk = lazy(() => import('./views/kiosk/kiosk'));
const Login = lazy(() => import('./views/login/login'));
const First = lazy(() => import('./views/login/first'));

function NotFound() {
  useTitle({ text: w.title });
  return <Empty level={1} icon="info" title={w.title} act={<a href="/">{names.overview}</a>} />;
}

function Views() {
  return (
    <Shell>
      <Router>
        <Route path="/" component={Overview} />
        <Route path="/departments" component={Departments} />
        <Route path="/departments/:id" component={Department} />
        <Route path="/devices" component={Devices} />
        <Route path="/websites" component={Websites} />
        <Route path="/incidents" component={Incidents} />
        <Route path="/incidents/:id" component={OneIncident} />
        <Route path="/blocks/:dialog?" component={Blocks} />
        <Route path="/quotas/:id?/:dialog?" component={Quotas} />
        <Route path="/reports/:id?/:span?" component={Reports} />
        <Route path="/maintenance" component={Maintenance} />
        <Route path="/appliance" component={Appliance} />
        <Route path="/people" component={People} />
        <Route path="/audit" component={Audit} />
        <Route path="/settings/:part?" component={Settings} />
        <Route path="/more" component={More} />
        <Route default component={NotFound} />
      </Router>
    </Shell>
  );
}

/** Who has no token logs in, and comes back to the same address. Whose session ended keeps what they saw, greyed. */
function Gate() {
  const { path, url, route } = useLocation();
  const isDoor = path === '/login' || path === '/first';
  const isIn = token.value !== null;
  const isEnded = !isIn && endedBecause.value !== '' && appliance.value !== null;
  const login = `/login?next=${encodeURIComponent(url)}`;
  useEffect(() => {
    if (isIn) connect();
    else if (!isDoor && !isEnded) route(login, true);
  }, [isIn, isDoor, isEnded]);
  if (isDoor) return path === '/login' ? <Login /> : <First />;
  if (!isIn && !isEnded) return null;
  return (
    <>
      <div inert={isEnded} class={isEnded ? 'ended' : undefined}>
        {path === '/kiosk' ? <Kiosk /> : <Views />}
      </div>
      {isEnded && (
        <div class="ending">
          <section class="dialog" role="alertdialog" aria-labelledby="ended" aria-describedby="because">
            <div class="empty">
              <Icon name="key" class="big" />
              <h2 id="ended">{w.ended}</h2>
              <p class="mid" id="because">
                {endedBecause} {w.seen}
              </p>
              <a class="btn main" href={login}>
                {w.logIn}
              </a>
            </div>
          </section>
        </div>
      )}
    </>
  );
}

export function App() {
  return (
    <LocationProvider>
      <ErrorBoundary>
        <Gate />
      </ErrorBoundary>
    </LocationProvider>
  );
}
