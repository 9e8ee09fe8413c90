/* The frame around the views: where one is, and whether the page hears the server. */
import { useEffect, useRef, type ReactNode } from 'preact/compat';
import { isolate } from './ids';
import { live } from './live';
import { useRoute, type Route } from './router';
import { Boundary } from './parts/Boundary';
import { BeyondMark } from './parts/Beyond';
import { DeviceId } from './parts/DeviceId';
import { HealthMark, HealthNotice } from './parts/Health';
import { Notice } from './parts/Notice';
import { ThemeSwitch } from './parts/ThemeSwitch';
import { ZoneSwitch } from './parts/ZoneSwitch';
import { Beyond } from './views/Beyond';
import { Boards } from './views/Boards';
import { Compare } from './views/Compare';
import { Device } from './views/Device';
import { Devices } from './views/Devices';
import { GroupBoards } from './views/GroupBoards';
import { SpanBoards } from './views/SpanBoards';
import { Rejected } from './views/Rejected';
import { System } from './views/System';
import { useZone } from './zone';

export function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const place = placeOf(route);
  const shown = useRef(place);

  useZone(); /* and so does whatever is in it */

  useEffect(() => {
    document.title = `${titleOf(route)} · Highwater`;
  }, [route]);

  /* Whoever does not see the page hears where they are now. */
  useEffect(() => {
    if (shown.current === place) return;
    shown.current = place;
    window.scrollTo(0, 0);
    main.current?.querySelector('h1')?.focus({ preventScroll: true });
  }, [place]);

  /* Views without boards of the stream listen, too: for the state of things, and to be up to date at once later. */
  const hasStream = route.view === 'boards' && !route.group;
  useEffect(() => {
    if (!hasStream) live.watch(live.get().interval, live.get().order);
  }, [hasStream]);

  return (
    <>
      <header className="top">
        <button type="button" className="skip" onClick={() => main.current?.querySelector('h1')?.focus()}>
          Skip to content
        </button>
        <a className="brand" href="#/" aria-label="Highwater: boards">
          <Mark />
          <span>Highwater</span>
        </a>
        <nav aria-label="Views">
          <Tab href="#/" isHere={route.view === 'boards' || route.view === 'span'}>
            Boards
          </Tab>
          <Tab href="#/devices" isHere={route.view === 'devices' || route.view === 'device' || route.view === 'compare'}>
            Devices
          </Tab>
          <Tab href="#/system" isHere={route.view === 'system' || route.view === 'rejected' || route.view === 'thresholds'}>
            System
          </Tab>
        </nav>
        <HealthMark />
        <BeyondMark />
        <ZoneSwitch />
        <ThemeSwitch />
      </header>
      <main ref={main} className={route.view === 'boards' || route.view === 'span' ? 'wide' : undefined}>
        <HealthNotice />
        <Boundary key={place}>
          <View route={route} />
        </Boundary>
      </main>
    </>
  );
}

const Tab = ({ href, isHere, children }: { href: string; isHere: boolean; children: ReactNode }) => (
  <a href={href} aria-current={isHere ? 'page' : undefined}>
    {children}
  </a>
);

function View({ route }: { route: Route }) {
  switch (route.view) {
    case 'boards':
      return route.group ? <GroupBoards route={route} /> : <Boards interval={route.interval} order={route.order} />;
    case 'span':
      return <SpanBoards route={route} />;
    case 'device':
      return <Device key={route.deviceId} route={route} />;
    case 'compare':
      return <Compare route={route} />;
    case 'devices':
      return <Devices route={route} />;
    case 'system':
      return <System />;
    case 'rejected':
      return <Rejected route={route} />;
    case 'thresholds':
      return <Beyond route={route} />;
    case 'unknown':
      return (
        <>
          <div className="heading">
            <h1 tabIndex={-1}>No such page</h1>
          </div>
          <Notice
            title="There is nothing here"
            action={
              <a className="button" href="#/">
                Boards
              </a>
            }
          >
            “<DeviceId id={route.path} />” is no view of this page.
          </Notice>
        </>
      );
  }
}

/** Changes when one comes to another view, rather than to another state of it. */
const placeOf = (route: Route): string =>
  route.view === 'device'
    ? `device ${route.deviceId}`
    : route.view === 'span'
      ? 'boards'
      : route.view;

function titleOf(route: Route): string {
  const titles = { boards: 'Boards', span: 'Boards', devices: 'Devices', compare: 'Compare', system: 'System', rejected: 'Rejected', thresholds: 'Beyond a threshold', unknown: 'No such page' };
  return route.view === 'device' ? isolate(route.deviceId) : titles[route.view];
}

const Mark = () => (
  <svg viewBox="0 0 32 32" aria-hidden="true">
    <path className="line" d="M3 7h26" />
    <path d="M3 25c5 0 5-13.5 9.5-13.5s5 8.5 9 8.5 4.5-4 7.5-4" />
  </svg>
);
