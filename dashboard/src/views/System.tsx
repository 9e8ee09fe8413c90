/* How much comes in and what becomes of it; the collectors; httpapi itself. */
import { useMemo } from 'preact/compat';
import uPlot from 'uplot';
import { useNow } from '../clock';
import type { Collector, StatusEvent } from '../contract';
import { formatAge, formatBytes, formatCount, formatMs, formatNear, formatShort, nameFeature, nameReason } from '../format';
import { useLive } from '../live';
import { beyondHref, rejectedHref } from '../router';
import { nameBack, nameLimit } from '../thresholds';
import { Plot, countAxis, timeAxis, type Colors } from '../plot';
import { Age } from '../parts/Age';
import { DeviceId } from '../parts/DeviceId';
import { Loading, Notice } from '../parts/Notice';
import { Share } from '../parts/Share';

export function System() {
  const status = useLive((state) => state.status);
  const isLost = useLive((state) => state.link === 'lost');

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>System</h1>
          <p className="source">{status ? sentence(status) : <>&nbsp;</>}</p>
        </div>
      </div>
      {status ? (
        <>
          <Tiles collectors={status.collectors} />
          <Collectors collectors={status.collectors} isHearing={isHearing(status)} />
          <Thresholds />
          <div className="columns even">
            <Rejected collectors={status.collectors} />
            <Front front={status.front} />
          </div>
        </>
      ) : !isLost ? (
        <Loading what="the state of the system" />
      ) : null}
    </>
  );
}

/* Why it is so, if that is anything to mend, says the head of the page. */
function sentence({ source, asOf, reason, health }: StatusEvent): string {
  if (source === 'boards') return 'The boards are current, out of the memory of the collectors';
  if (source === 'none') return asOf ? 'The boards stand still: they are the last that were known' : 'There are no boards yet';
  return `The boards come from the database${health.worst ? '' : `: ${reason}`}`;
}

/** Whether anything can be known of collectors. */
const isHearing = ({ health }: StatusEvent): boolean =>
  ![health.worst, ...health.others].some((one) => one?.code === 'broker_away');

type Counter = 'received' | 'stored' | 'duplicates' | 'rejected' | 'inFlight' | 'ratePerSecond';

const total = (collectors: readonly Collector[], counter: Counter): number =>
  collectors.reduce((sum, one) => sum + (one[counter] ?? 0), 0);

/** Somebody says how many; a collector that is lost says nothing any more. */
const isTold = (collectors: readonly Collector[], counter: Counter): boolean =>
  collectors.some((one) => one[counter] !== undefined);

/** From when on the collectors count: each from its own start. */
function sinceWhen(collectors: readonly Collector[], now: number): string {
  const starts = collectors.flatMap(({ startedAt }) => (startedAt ? [Date.parse(startedAt)] : []));
  const [first, last] = [Math.min(...starts), Math.max(...starts)];

  if (starts.length === 0) return 'since it started';
  return first === last ? `since ${formatNear(first, now)}` : `since ${formatNear(first, now)} to ${formatNear(last, now)}, when each started`;
}

function Tiles({ collectors }: { collectors: readonly Collector[] }) {
  const rates = useLive((state) => state.rates);
  const lag = useLive((state) => state.lag);
  const alive = collectors.filter((one) => one.isLive);
  const commit = Math.max(0, ...alive.map((one) => one.lagMs ?? 0));
  const dropped = collectors.map((one) => one.brokerDropped).filter((count): count is number => typeof count === 'number');

  const since = sinceWhen(collectors, useNow());

  return (
    <section className="tiles" aria-label="Totals">
      <div className="tile double">
        <h2>Readings per second</h2>
        <p className="big">{alive.length ? formatCount(total(alive, 'ratePerSecond')) : '–'}</p>
        <Rate rates={rates} />
      </div>
      <Tile
        title="Publish to page"
        value={lag ? formatMs(lag.median) : '–'}
        more={lag ? `95 % within ${formatMs(lag.p95)}` : 'Waits for new readings on a board'}
        help="From the moment in a reading to its being on this page, by the clocks of its device and this computer: readings that were new on a board while this page was open."
      />
      <Tile
        title="Arrival to commit"
        value={alive.length ? formatMs(commit) : '–'}
        more="Last batch, slowest collector"
        help="From the first arrival in a batch to the commit of its transaction."
      />
      <Count title="Stored" collectors={collectors} counter="stored" more={`of ${isTold(collectors, 'received') ? formatShort(total(collectors, 'received')) : '–'} received ${since}`} />
      <Count title="Duplicates" collectors={collectors} counter="duplicates" more={`Delivered twice, stored once, ${since}`} />
      <Count title="Rejected" collectors={collectors} counter="rejected" more={`Kept with their reasons, ${since}`} isBad={total(collectors, 'rejected') > 0} />
      {/* there even when nobody knows: a tile that comes and goes moves all that lies below */}
      {dropped.length ? (
        <Tile
          title="Dropped by the broker"
          value={formatShort(Math.max(...dropped))}
          exact={Math.max(...dropped)}
          more={Math.max(...dropped) > 0 ? 'A queue was full: raise its limit' : 'None since it started'}
          isBad={Math.max(...dropped) > 0}
        />
      ) : (
        <Tile title="Dropped by the broker" value="–" more="The broker does not say" />
      )}
    </section>
  );
}

function Count({ title, collectors, counter, more, isBad }: { title: string; collectors: readonly Collector[]; counter: Counter; more: string; isBad?: boolean }) {
  const count = total(collectors, counter);

  return isTold(collectors, counter) ? (
    <Tile title={title} value={formatShort(count)} exact={count} more={more} isBad={isBad} />
  ) : (
    <Tile title={title} value="–" more="No collector says so now" />
  );
}

interface TileProps {
  title: string;
  value: string;
  exact?: number;
  more: string;
  help?: string;
  isBad?: boolean;
}

function Tile({ title, value, exact, more, help, isBad }: TileProps) {
  return (
    <div className="tile" title={help}>
      <h2>{title}</h2>
      <p className={isBad ? 'big bad' : 'big'} title={exact === undefined ? undefined : formatCount(exact)}>
        {value}
      </p>
      <p className="more">{more}</p>
    </div>
  );
}

/** The last minutes of the rate, as long as this page was open. */
function Rate({ rates }: { rates: readonly [readonly number[], readonly number[]] }) {
  const build = useMemo(() => rateOptions, []);
  const data = useMemo(() => rates as unknown as uPlot.AlignedData, [rates]);

  if (rates[0].length < 3) return <p className="more">Since this page was opened</p>;
  return (
    <Plot
      build={build}
      data={data}
      height={9.6}
      label={`Readings per second while this page was open: ${formatCount(Math.min(...rates[1]))} to ${formatCount(Math.max(...rates[1]))}`}
    />
  );
}

const rateOptions = (colors: Colors): Omit<uPlot.Options, 'width' | 'height'> => ({
  legend: { show: false },
  cursor: { show: false },
  padding: [6, 1.4 * colors.rem, 0, 0],
  scales: { x: { time: true }, y: { range: (_, _low, high) => [0, Math.max(1, high ?? 1) * 1.1] } },
  axes: [
    { ...timeAxis(colors), size: 1.7 * colors.rem, grid: { show: false } },
    { ...countAxis(colors), space: 1.6 * colors.rem },
  ],
  series: [{}, { stroke: colors.accent, width: 1.5, fill: colors.fill, points: { show: false } }],
});

const states: Record<string, string> = {
  live: 'Live',
  warming: 'Warming up',
  degraded: 'Degraded',
  stopped: 'Stopped',
  lost: 'Lost',
};

const advice: Record<string, string> = {
  warming: 'Reads its windows from the database',
  degraded: 'Stores nothing: see its log',
  stopped: 'Was stopped in order; the broker keeps what comes',
  lost: 'Gone without a word; the broker keeps what comes',
  live: 'Says nothing any more, though it never said goodbye',
};

const lacking: Record<string, string> = {
  store: 'Its database is away, or stands still',
  source: 'Its connection for readings is down',
};

function Collectors({ collectors, isHearing }: { collectors: readonly Collector[]; isHearing: boolean }) {
  if (collectors.length === 0 && !isHearing) return null;
  if (collectors.length === 0)
    return (
      <Notice kind="warning" title="No collector is heard">
        Start one with <code>build/collector</code>, with the same broker (MQTT_URL) as httpapi.
      </Notice>
    );
  return (
    <section className="card" aria-labelledby="collectors-title">
      <header>
        <h2 id="collectors-title">Collectors</h2>
      </header>
      <div className="scroll" tabIndex={0} role="group" aria-labelledby="collectors-title">
        <table className="plain">
          <thead>
            <tr>
              <th scope="col">Collector</th>
              <th scope="col">State</th>
              <th scope="col" className="number">Per second</th>
              <th scope="col" className="number">Devices</th>
              <th scope="col" className="number">Stored</th>
              <th scope="col" className="number">Duplicates</th>
              <th scope="col" className="number">Rejected</th>
              <th scope="col" className="number">In flight</th>
              <th scope="col" className="number">Up</th>
              <th scope="col">Version</th>
            </tr>
          </thead>
          <tbody>
            {collectors.map((one) => (
              <CollectorRow key={one.collectorId} collector={one} isHearing={isHearing} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function nameState({ isLive, state, lacks }: Collector, isHearing: boolean): { name: string; why: string | undefined } {
  if (!isHearing) return { name: 'Unknown', why: 'Nothing is heard of it without the broker' };
  const name = !isLive && state === 'live' ? 'Silent' : isLive && lacks ? 'Standing still' : (states[state] ?? state);

  return { name, why: (lacks && name !== 'Silent' && lacking[lacks]) || advice[state] };
}

function CollectorRow({ collector, isHearing }: { collector: Collector; isHearing: boolean }) {
  const { name, why } = nameState(collector, isHearing);
  const count = (value: number | undefined) => (value === undefined ? '–' : formatCount(value));
  const isFine = isHearing && collector.isLive && collector.state === 'live' && !collector.lacks;

  return (
    <tr>
      <th scope="row">
        <DeviceId id={collector.collectorId} />
      </th>
      <td>
        <span className={`status ${isFine ? 'status-full' : 'status-hollow bad'}`}>
          <i aria-hidden="true" />
          <span>{name}</span>
        </span>
        {isFine ? null : <small>{why}</small>}
      </td>
      <td className="number">{collector.isLive ? count(collector.ratePerSecond) : '–'}</td>
      <td className="number">{count(collector.devices)}</td>
      <td className="number">{count(collector.stored)}</td>
      <td className="number">{count(collector.duplicates)}</td>
      <td className="number">{count(collector.rejected)}</td>
      <td className="number">{count(collector.inFlight)}</td>
      <td className="number">{collector.isLive && collector.startedAt ? <Age at={collector.startedAt} /> : '–'}</td>
      <td>{collector.version ?? '–'}</td>
    </tr>
  );
}

function Thresholds() {
  const thresholds = useLive((state) => state.thresholds);

  if (thresholds.length === 0) return null;
  return (
    <section className="card" aria-labelledby="thresholds-title">
      <header>
        <h2 id="thresholds-title">Thresholds</h2>
      </header>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">Beyond</th>
            <th scope="col">Back</th>
            <th scope="col" className="number">Devices beyond now</th>
          </tr>
        </thead>
        <tbody>
          {thresholds.map((one) => (
            <tr key={`${one.feature} ${one.side} ${one.limit} ${one.back}`}>
              <th scope="row">
                <a href={beyondHref(one.feature, one.side)}>
                  {nameFeature(one.feature).label} {nameLimit(one)}
                </a>
              </th>
              <td>{nameBack(one)}</td>
              <td className="number">{one.devices === null ? 'not known' : <span className={one.devices ? `beyond ${one.side}` : undefined}>{formatCount(one.devices)}</span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="nothing">
        By what devices sent last; those that are beyond are retained at the broker, too: <code>collectors/+/thresholds/#</code>
      </p>
    </section>
  );
}

const Kept = () => <a href={rejectedHref('')}>rejected messages</a>;

function Rejected({ collectors }: { collectors: readonly Collector[] }) {
  const reasons = new Map<string, number>();
  const rejected = total(collectors, 'rejected');
  const since = sinceWhen(collectors, useNow());

  for (const one of collectors) {
    for (const [reason, count] of Object.entries(one.rejectedByReason ?? {}))
      reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  const sorted = [...reasons].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);

  return (
    <section className="card" aria-labelledby="rejected-title">
      <header>
        <h2 id="rejected-title">Rejected by reason, {since}</h2>
      </header>
      {!isTold(collectors, 'rejected') ? (
        <p className="nothing">
          No collector says now what it has rejected. All that was kept: <Kept />
        </p>
      ) : rejected === 0 ? (
        <p className="nothing">
          Nothing was rejected {since}. What was before: <Kept />
        </p>
      ) : sorted.length === 0 ? (
        <p className="nothing">
          {formatCount(rejected)} {since}. The reasons: <Kept />
        </p>
      ) : (
        <>
          <table className="status-bars">
            <caption className="unseen">Rejected readings by reason</caption>
            <tbody>
              {sorted.map(([reason, count]) => (
                <tr key={reason}>
                  <th scope="row">
                    <a href={rejectedHref(reason)}>{nameReason(reason)}</a>
                  </th>
                  <td className="number">{formatCount(count)}</td>
                  <td>
                    <Share count={count} total={rejected} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <p className="nothing">
            Since the collectors started. These, and all before: <Kept />
          </p>
        </>
      )}
    </section>
  );
}

/** httpapi itself. */
function Front({ front }: { front: StatusEvent['front'] }) {
  const now = useNow();
  const version = useLive((state) => state.names?.version);
  const startedAt = Date.parse(front.startedAt);

  return (
    <section className="card" aria-labelledby="front-title">
      <header>
        <h2 id="front-title">HTTP front</h2>
      </header>
      <dl className="facts">
        <dt>Broker</dt>
        <dd className={front.isBrokerUp ? undefined : 'bad'}>{front.isBrokerUp ? 'Connected' : 'Away'}</dd>
        <dt>Database connections</dt>
        <dd className={front.databaseConnections ? undefined : 'bad'}>
          {front.databaseConnections ? `${front.databaseBusy} busy of ${front.databaseConnections}` : 'None'}
        </dd>
        <dt>Queries waiting</dt>
        <dd>{formatCount(front.databaseWaiting)}</dd>
        <dt>Pages and other streams</dt>
        <dd>{formatCount(front.streams)}</dd>
        <dt>Connections</dt>
        <dd>{formatCount(front.connections)}</dd>
        <dt>Memory</dt>
        <dd>{formatBytes(front.memoryBytes)}</dd>
        <dt>Version</dt>
        <dd>{version ?? '–'}</dd>
        <dt>Up since</dt>
        <dd>
          {formatNear(startedAt, now)}, {formatAge(now - startedAt)}
        </dd>
        <dt>Requests answered since</dt>
        <dd>{formatCount(front.requests)}</dd>
        <dt>Queries failed or refused since</dt>
        <dd>{formatCount(front.databaseFailed)}</dd>
      </dl>
    </section>
  );
}
