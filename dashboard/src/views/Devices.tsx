/* The operator's table: which devices are silent, lose, are refused, or have a wrong clock; in any order, paged. */
import { useEffect, useState } from 'preact/compat';
import { useQuery } from '../api';
import { useNow } from '../clock';
import type { DeviceEntry, Devices as DevicesAnswer } from '../contract';
import { formatAge, formatCount, formatNear } from '../format';
import { isolate, visible } from '../ids';
import { useTick } from '../live';
import { compareHref, deviceHref, deviceStates, devicesQuery, formatRoute, MOST_COMPARED, navigate, rejectedHref, withDevices, type DeviceSort, type DevicesRoute, type DeviceState } from '../router';
import { Age } from '../parts/Age';
import { Choice } from '../parts/Choice';
import { Called, DeviceId } from '../parts/DeviceId';
import { GroupChoice } from '../parts/GroupChoice';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { Search } from '../parts/Search';

const PER_PAGE = 50;
const LOOK_AGAIN_S = 2;
const CLOCK_IS_RIGHT_MS = 2000;

const states: Record<DeviceState, { label: string; none: string }> = {
  silent: { label: 'Silent', none: 'No device has been silent for 5 minutes' },
  losing: { label: 'Losing', none: 'No device has lost a reading' },
  refused: { label: 'Refused', none: 'No message was rejected in the past hour' },
};
const chips = [{ value: '', label: 'All' }, ...deviceStates.map((value) => ({ value, label: states[value].label }))];

/* A cursor leads forward only: where a page was come to from is remembered here. */
const cameFrom = new Map<string, string>();

export function Devices({ route }: { route: DevicesRoute }) {
  const { q, after, state } = route;
  const params = new URLSearchParams({ limit: String(PER_PAGE), ...devicesQuery(route) });
  const query = useQuery<DevicesAnswer>(`devices?${params}`, useTick(LOOK_AGAIN_S));
  const page = query.data;
  const here = formatRoute(route);
  const before = cameFrom.get(here);
  const [ticked, setTicked] = useState<readonly string[]>([]); /* on other pages, too */
  const pageHref = (to: string): string => formatRoute({ ...route, after: to });

  const files = page && exportOf(route, page);

  useEffect(() => {
    if (page?.next) cameFrom.set(formatRoute({ ...route, after: page.next }), after);
  }, [page, route, after]);

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>Devices</h1>
          <p className="source">{page ? `${formatCount(page.total)} ${q || state || route.group ? 'found' : 'in all'}` : <>&nbsp;</>}</p>
        </div>
        <div className="choices">
          <Choice
            label="Which devices"
            options={chips}
            value={state ?? ''}
            onChoose={(value) => navigate({ ...route, after: '', state: (value || null) as DeviceState | null })}
          />
          <GroupChoice group={route.group} onChoose={(group) => navigate({ ...route, after: '', group })} />
          <Search q={q} onSearch={(text) => navigate({ ...route, q: text, after: '' }, 'replace')} />
        </div>
      </div>
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={page !== null} /> : null}
      {!page && !query.problem ? <Loading what="devices" /> : null}
      {page && page.devices.length === 0 ? <None route={route} /> : null}
      {page && page.devices.length > 0 ? (
        <section className="card" aria-label="Devices">
          <div className="tools of-devices">
            {ticked.length ? (
              <>
                <a className="button" href={compareHref(ticked)}>
                  Compare {ticked.length}
                </a>
                <button type="button" className="link" onClick={() => setTicked([])}>
                  Untick all
                </button>
              </>
            ) : (
              <p className="source">Tick up to {MOST_COMPARED} to compare them.</p>
            )}
            {files ? (
              <a className="button" href={files} download title="Every reading of the devices found">
                Readings as CSV
              </a>
            ) : null}
          </div>
          <Table
            devices={page.devices}
            route={route}
            ticked={ticked}
            onTick={(id) => setTicked(ticked.includes(id) ? ticked.filter((one) => one !== id) : [...ticked, id])}
          />
          <nav className="pager" aria-label="Pages">
            {after && before !== '' ? (
              <a className="button" href={pageHref('')}>
                First page
              </a>
            ) : null}
            {before !== undefined ? (
              <a className="button" href={pageHref(before)}>
                Previous {PER_PAGE}
              </a>
            ) : null}
            <p className="source">
              {after || page.next !== null ? (
                <>
                  <DeviceId id={page.devices[0]!.deviceId} /> to <DeviceId id={page.devices.at(-1)!.deviceId} />
                  {page.next === null ? ', the last' : null}
                </>
              ) : (
                `${formatCount(page.devices.length)} ${q || state || route.group ? 'found' : 'in all'}`
              )}
            </p>
            {page.next !== null ? (
              <a className="button" href={pageHref(page.next)}>
                Next {PER_PAGE}
              </a>
            ) : null}
          </nav>
        </section>
      ) : null}
    </>
  );
}

/** /readings takes a group, or a few devices by their ids; null of what is found otherwise, and more than those. */
function exportOf({ q, state, group }: DevicesRoute, { devices, total }: DevicesAnswer): string | null {
  if (!q && !state) return `readings?${new URLSearchParams({ ...(group ? { group } : {}), format: 'csv' })}`;
  return total <= MOST_COMPARED && devices.length === total
    ? `${withDevices('readings', 'deviceId', devices.map(({ deviceId }) => deviceId))}&format=csv`
    : null;
}

interface ColumnProps {
  sort: DeviceSort;
  /** What the first click shows on top: the longest silent, the most missing. */
  first: 'asc' | 'desc';
  className?: string;
  children: string;
  route: DevicesRoute;
}

/** A head that orders the table; another click turns it round. */
function Column({ sort, first, className, children, route }: ColumnProps) {
  const isHere = route.sort === sort;
  const order = isHere ? (route.order === 'asc' ? 'desc' : 'asc') : first;

  return (
    <th scope="col" className={className} aria-sort={isHere ? (route.order === 'asc' ? 'ascending' : 'descending') : undefined}>
      <button type="button" className="sort" onClick={() => navigate({ ...route, after: '', sort, order })}>
        {children}
        <span aria-hidden="true">{isHere ? (route.order === 'asc' ? ' ↑' : ' ↓') : ''}</span>
      </button>
    </th>
  );
}

/** "right", "2 h 5 min behind": late by its own clock, or by the way. */
function formatOffset(ms: number | null): string {
  if (ms === null) return '–';
  if (Math.abs(ms) < CLOCK_IS_RIGHT_MS) return 'right';
  return `${formatAge(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead'}`;
}

interface TableProps {
  devices: readonly DeviceEntry[];
  route: DevicesRoute;
  ticked: readonly string[];
  onTick: (id: string) => void;
}

function Table({ devices, route, ticked, onTick }: TableProps) {
  const now = useNow();

  return (
    <table className="plain devices">
      <thead>
        <tr>
          <th scope="col" className="tick">
            <span className="unseen">Compare</span>
          </th>
          <Column route={route} sort="deviceId" first="asc">
            Device
          </Column>
          <Column route={route} sort="lastHeardAt" first="asc" className="number">
            Last heard
          </Column>
          <th scope="col" className="number wide">
            Past hour
          </th>
          <Column route={route} sort="missing" first="desc" className="number">
            Missing
          </Column>
          <Column route={route} sort="rejectedPastHour" first="desc" className="number">
            Rejected
          </Column>
          <Column route={route} sort="clockOffsetMs" first="asc" className="number wide">
            Clock
          </Column>
          <th scope="col" className="number wide">
            First reading
          </th>
        </tr>
      </thead>
      <tbody>
        {devices.map((device) => (
          <tr key={device.deviceId}>
            <td className="tick">
              <input
                type="checkbox"
                aria-label={`Compare ${visible(device.deviceId)}`}
                checked={ticked.includes(device.deviceId)}
                disabled={ticked.length >= MOST_COMPARED && !ticked.includes(device.deviceId)}
                onChange={() => onTick(device.deviceId)}
              />
            </td>
            <th scope="row">
              <a href={deviceHref(device.deviceId)}>
                <DeviceId id={device.deviceId} />
              </a>
              <Called label={device.about?.label} />
            </th>
            <td className="number">
              <Age at={device.lastHeardAt} />
              <span className="wide"> ago</span>
            </td>
            <td className="number wide">{formatCount(device.readingsPastHour)}</td>
            <td className={device.sequence?.missing ? 'number bad' : 'number'}>
              {device.sequence ? formatCount(device.sequence.missing) : '–'}
            </td>
            <td className="number">
              {device.rejectedPastHour ? (
                <a className="bad" href={rejectedHref('', device.deviceId)}>
                  {formatCount(device.rejectedPastHour)}
                </a>
              ) : (
                '0'
              )}
            </td>
            <td className="number wide">{formatOffset(device.clockOffsetMs)}</td>
            <td className="number wide">
              {device.firstReadingAt ? formatNear(Date.parse(device.firstReadingAt), now) : 'none'}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function None({ route }: { route: DevicesRoute }) {
  const { q, after, state } = route;

  if (q)
    return (
      <Notice
        title={`No device has “${isolate(q)}” in its id or label${state ? `, of those that are ${states[state].label.toLowerCase()}` : ''}`}
        action={
          <a className="button" href="#/devices">
            All devices
          </a>
        }
      >
        Any part of an id will do, in upper or lower case.
      </Notice>
    );
  if (after)
    return (
      <Notice
        title="No more devices"
        action={
          <a className="button" href={formatRoute({ ...route, after: '' })}>
            First page
          </a>
        }
      />
    );
  if (state)
    return (
      <Notice
        title={states[state].none}
        action={
          <a className="button" href="#/devices">
            All devices
          </a>
        }
      />
    );
  return (
    <Notice title="No device yet">
      A device is listed from its first message on. To try it out: <code>build/devicesim --num-devices 15</code>
    </Notice>
  );
}
