/* The registry: searched by a part of the id, paged. */
import { useEffect, useState } from 'preact/compat';
import { useQuery } from '../api';
import { useNow } from '../clock';
import type { DeviceEntry, Devices as DevicesAnswer } from '../contract';
import { formatCount, formatNear } from '../format';
import { useLive } from '../live';
import { deviceHref, formatRoute, navigate } from '../router';
import { Age } from '../parts/Age';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';

const PER_PAGE = 50;
const TYPING_MS = 250;
const LONGEST_ID = 64;

/* A cursor leads forward only: where a page was come to from is remembered here. */
const cameFrom = new Map<string, string>();

export function Devices({ q, after }: { q: string; after: string }) {
  const params = new URLSearchParams({ limit: String(PER_PAGE), ...(q ? { q } : {}), ...(after ? { after } : {}) });
  const query = useQuery<DevicesAnswer>(`devices?${params}`);
  const fleet = useLive(
    (state) => state.status?.collectors.reduce((sum, one) => sum + (one.isLive ? (one.devices ?? 0) : 0), 0) ?? 0,
  );
  const page = query.data;
  const before = cameFrom.get(pageHref(q, after));

  useEffect(() => {
    if (page?.next) cameFrom.set(pageHref(q, page.next), after);
  }, [page, q, after]);

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>Devices</h1>
          <p className="source">{fleet > 0 ? `${formatCount(fleet)} in the fleet, by id` : 'By id'}</p>
        </div>
        <Search q={q} />
      </div>
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={page !== null} /> : null}
      {!page && !query.problem ? <Loading what="devices" /> : null}
      {page && page.devices.length === 0 ? <None q={q} after={after} /> : null}
      {page && page.devices.length > 0 ? (
        <section className="card" aria-label="Devices">
          <Table devices={page.devices} />
          <nav className="pager" aria-label="Pages">
            {after && before !== '' ? (
              <a className="button" href={pageHref(q, '')}>
                First page
              </a>
            ) : null}
            {before !== undefined ? (
              <a className="button" href={pageHref(q, before)}>
                Previous {PER_PAGE}
              </a>
            ) : null}
            <p className="source">
              {after || page.next !== null
                ? `${page.devices[0]!.deviceId} to ${page.devices.at(-1)!.deviceId}${page.next === null ? ', the last' : ''}`
                : `${formatCount(page.devices.length)} ${q ? 'found' : 'in all'}`}
            </p>
            {page.next !== null ? (
              <a className="button" href={pageHref(q, page.next)}>
                Next {PER_PAGE}
              </a>
            ) : null}
          </nav>
        </section>
      ) : null}
    </>
  );
}

const pageHref = (q: string, after: string): string => formatRoute({ view: 'devices', q, after });

/** What is typed is looked for once the typing rests; the URL follows without a step of its own. */
function Search({ q }: { q: string }) {
  const [text, setText] = useState(q);
  const [told, setTold] = useState(q);

  if (q !== told) {
    /* the back button, or a link */
    setTold(q);
    setText(q);
  }
  useEffect(() => {
    if (text.trim() === q) return;
    const timer = setTimeout(() => {
      setTold(text.trim());
      navigate({ view: 'devices', q: text.trim(), after: '' }, 'replace');
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, q]);

  return (
    <label className="search">
      <span className="unseen">Search devices by id</span>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="7" cy="7" r="4.5" />
        <path d="m10.5 10.5 3.5 3.5" />
      </svg>
      <input
        type="search"
        placeholder="Part of an id"
        maxLength={LONGEST_ID}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        autoComplete="off"
        spellcheck={false}
      />
    </label>
  );
}

function Table({ devices }: { devices: readonly DeviceEntry[] }) {
  const now = useNow();
  const hasSequences = devices.some((device) => device.sequence);

  return (
    <table className="plain devices">
      <thead>
        <tr>
          <th scope="col">Device</th>
          <th scope="col" className="number">
            Last reading
          </th>
          <th scope="col" className="number">
            Past hour
          </th>
          {hasSequences ? (
            <th scope="col" className="number">
              Missing
            </th>
          ) : null}
          <th scope="col" className="number wide">
            First reading
          </th>
        </tr>
      </thead>
      <tbody>
        {devices.map((device) => (
          <tr key={device.deviceId}>
            <th scope="row">
              <a href={deviceHref(device.deviceId)}>{device.deviceId}</a>
            </th>
            <td className="number">
              {device.lastReadingAt ? (
                <>
                  <Age at={device.lastReadingAt} />
                  <span className="wide"> ago</span>
                </>
              ) : (
                '–'
              )}
            </td>
            <td className="number">{formatCount(device.readingsPastHour)}</td>
            {hasSequences ? (
              <td className={device.sequence?.missing ? 'number bad' : 'number'}>
                {device.sequence ? formatCount(device.sequence.missing) : '–'}
              </td>
            ) : null}
            <td className="number wide">
              {device.firstReadingAt ? formatNear(Date.parse(device.firstReadingAt), now) : '–'}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function None({ q, after }: { q: string; after: string }) {
  if (q)
    return (
      <Notice
        title={`No device has “${q}” in its id`}
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
          <a className="button" href="#/devices">
            First page
          </a>
        }
      />
    );
  return (
    <Notice title="No device yet">
      A device is listed from its first reading on. To try it out: <code>build/devicesim --num-devices 15</code>
    </Notice>
  );
}
