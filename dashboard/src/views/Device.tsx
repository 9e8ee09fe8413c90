/* One device: its latest reading and peaks, its history, how often which status and value. */
import { useMemo } from 'preact/compat';
import { useHeld, useQuery } from '../api';
import { serverNow, useNow } from '../clock';
import type { Device as DeviceAnswer, Points, Reading, ReadingPage, Sequence, Statuses, ValueHistogram } from '../contract';
import { decimalsFor, formatBytes, formatCount, formatDay, formatLength, formatLoneValue, formatMoment, formatNear, formatRange, formatValue, nameFeature, nameStatus } from '../format';
import { around, chosenOf, rangeOf, rangeParams, type Range } from '../history';
import { useLive, useTick } from '../live';
import { compareHref, navigate, type Route } from '../router';
import { Age } from '../parts/Age';
import { DeviceId } from '../parts/DeviceId';
import { History } from '../parts/History';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { TimeChoice, ZoomButtons } from '../parts/PlotTime';
import { StatusBars } from '../parts/StatusBars';
import { StatusMark } from '../parts/StatusMark';
import { ValueBars } from '../parts/ValueBars';
import { usePlotted } from '../plotted';
import { zoneName } from '../zone';

type DeviceRoute = Extract<Route, { view: 'device' }>;

const LOOK_AGAIN_S = 5;
const VALUES_AGAIN_S = 30;
const READINGS_SHOWN = 20;
/* how high a plot is with what stands around it */
const HISTORY_REM = 14.55;
const VALUES_REM = 15.84;
const STATUSES_REM = 8;

/** What it says of itself. */
function About({ about }: { about: NonNullable<DeviceAnswer['about']> }) {
  const { label, group, location } = about;
  const place = location && typeof location === 'object' ? `${location.latitude}°, ${location.longitude}°` : location;

  return (
    <p className="called">
      {label ? <DeviceId id={label} /> : null}
      {label && (group || place) ? ' · ' : null}
      {group ? (
        <a href={`#/devices?${new URLSearchParams({ group })}`}>
          <DeviceId id={group} />
        </a>
      ) : null}
      {group && place ? ' · ' : null}
      {place ? <DeviceId id={place} /> : null}
    </p>
  );
}

export function Device({ route }: { route: DeviceRoute }) {
  const path = `devices/${encodeURIComponent(route.deviceId)}`;
  const tick = useTick(LOOK_AGAIN_S);
  const query = useQuery<DeviceAnswer>(path, tick);
  const device = query.data;
  const features = device ? Object.keys(device.peaks) : [];
  const within = useWithin(route);

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>
            <DeviceId id={route.deviceId} />
          </h1>
          {device?.about ? <About about={device.about} /> : null}
          <p className="source">
            {device?.latest ? (
              <>
                {device.latest.status ? (
                  <>
                    <StatusMark status={device.latest.status} /> ·{' '}
                  </>
                ) : null}
                last reading <Age at={device.latest.timestamp} /> ago
                {device.firstSeenAt ? ` · first seen ${formatDay(Date.parse(device.firstSeenAt))}` : null}
                {device.rejectedPastHour > 0 ? ` · ${formatCount(device.rejectedPastHour)} rejected in the past hour` : null}
              </>
            ) : device ? (
              <>
                No reading: all its messages were rejected, the last <Age at={device.lastHeardAt} /> ago ·{' '}
                <a href="#/system">why</a>
              </>
            ) : (
              <>&nbsp;</>
            )}
          </p>
        </div>
        <div className="choices">
          <a className="button" href={compareHref([route.deviceId], chosenOf(route))}>
            Compare
          </a>
        </div>
      </div>
      {query.problem?.status === 404 ? (
        <Notice title="No such device" action={<a className="button" href={`#/devices?q=${encodeURIComponent(route.deviceId)}`}>Search</a>}>
          “<DeviceId id={route.deviceId} />” never sent anything. Ids are matched letter by letter.
        </Notice>
      ) : query.problem ? (
        <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={device !== null} />
      ) : null}
      {!device && query.isLoading && !query.problem ? <Loading what="the device" /> : null}
      {device?.firstSeenAt ? (
        <>
          <Latest device={device} features={features} onShow={(at) => show(route, at, around(device))} />
          <HistoryCard route={route} path={path} features={features} tick={tick} />
          <div className="columns">
            <section className="card" aria-labelledby="by-status">
              <header>
                <h2 id="by-status">Readings by status</h2>
              </header>
              <ByStatus path={path} within={within} />
              {device.sequence ? <Numbering sequence={device.sequence} /> : null}
            </section>
            <Values path={path} features={features} within={within} />
          </div>
          <Readings path={path} features={features} tick={tick} within={within} />
          {device.storage ? <Stored storage={device.storage} /> : null}
        </>
      ) : null}
    </>
  );
}

/** What there is of its readings. What a collector has to say first is said when it has. */
function Stored({ storage: { since, retentionMs, estimatedBytes } }: { storage: NonNullable<DeviceAnswer['storage']> }) {
  return (
    <p className="source">
      {since ? `Readings since ${formatMoment(Date.parse(since))} (${zoneName()})` : 'No reading is stored any more'}
      {retentionMs === null ? null : retentionMs === 0 ? ', kept for ever' : `, kept for ${formatLength(retentionMs)}, by whole partitions`}
      {estimatedBytes === null ? null : `, about ${formatBytes(estimatedBytes)} on disk: their share of what all readings take`}
    </p>
  );
}

/** The history around a moment. */
function show(route: DeviceRoute, at: number, beside: number): void {
  navigate({ ...route, from: at - beside, to: at + beside });
  document.getElementById('history')?.scrollIntoView({ block: 'nearest' });
}

/** What is on the screen below the plots is of the same time as they are: parameters of its questions. A named span goes on
 * with the time, every half minute. */
function useWithin({ span, from, to }: DeviceRoute): string {
  const tick = useTick(VALUES_AGAIN_S);

  return useMemo(() => {
    const time = (name: string, ms: number) => `&${name}=${new Date(ms).toISOString()}`;
    if (from !== null && to !== null) return time('from', from) + time('to', to);
    const range = rangeOf(span, serverNow());
    return range ? time('from', range.from) : ''; /* and what comes meanwhile */
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the tick is what makes it another time
  }, [span, from, to, tick]);
}

interface LatestProps {
  device: DeviceAnswer;
  features: string[];
  onShow: (at: number) => void;
}

function Latest({ device, features, onShow }: LatestProps) {
  const now = useNow();

  return (
    <section className="tiles" aria-label="Latest reading and peaks">
      {features.map((feature) => {
        const name = nameFeature(feature);
        const value = device.latest?.[feature];
        const peaks = device.peaks[feature]!;

        return (
          <div className="tile" key={feature}>
            <h2>{name.label}</h2>
            <p className="big">
              {typeof value === 'number' ? formatLoneValue(value) : '–'}
              {name.unit ? <span className="unit"> {name.unit}</span> : null}
            </p>
            {(['highest', 'lowest'] as const).map((which) => {
              const peak: Reading | null = peaks[which];
              if (!peak) return null;
              const at = Date.parse(peak.timestamp);
              return (
                <p key={which} className="peak">
                  {which === 'highest' ? 'Highest' : 'Lowest'} <b>{formatLoneValue(peak[feature] as number)}</b>{' '}
                  <button type="button" className="link" onClick={() => onShow(at)} title="Show in the history">
                    {formatNear(at, now)}
                  </button>
                </p>
              );
            })}
          </div>
        );
      })}
    </section>
  );
}

function HistoryCard({ route, path, features, tick }: { route: DeviceRoute; path: string; features: string[]; tick: number }) {
  const chosen = chosenOf(route);
  const { query, range: shown } = usePlotted<Points>(
    route,
    path,
    tick,
    (of, points) => `${path}/points?${new URLSearchParams({ ...rangeParams(of), points: String(points) })}`,
  );
  const answer = query.data;

  const go = (to: Range) => navigate({ ...route, from: to.from, to: to.to });
  const reset = () => navigate({ ...route, from: null, to: null });

  return (
    <section className="card" id="history" aria-labelledby="history-title">
      <header>
        <h2 id="history-title">History</h2>
        <div className="tools">
          <ZoomButtons shown={shown} onChoose={go} />
          <TimeChoice route={route} />
        </div>
      </header>
      <p className="source">
        {shown ? (
          <>
            {formatRange(shown.from, shown.to)}
            {` (${zoneName()})`}
            {answer?.stepMs ? `, ${formatLength(answer.stepMs)} a step` : ''}
            {chosen ? (
              <>
                {' · '}
                <button type="button" className="link" onClick={reset}>
                  Back to {route.span === 'all' ? 'all' : `the past ${route.span}`}
                </button>
              </>
            ) : (
              <span className="hint"> · drag across the plot to zoom in</span>
            )}
          </>
        ) : (
          <>&nbsp;</>
        )}
      </p>
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={answer !== null} /> : null}
      {!answer && !query.problem ? <Loading what="the history" room={HISTORY_REM * features.length} /> : null}
      {answer && answer.points.length === 0 ? (
        <Notice
          title="No reading in this time"
          action={
            route.span !== 'all' || chosen ? (
              <button type="button" onClick={() => navigate({ ...route, span: 'all', from: null, to: null })}>
                Show all
              </button>
            ) : null
          }
        />
      ) : null}
      {answer && answer.points.length > 0
        ? features.map((feature) => (
            <History key={feature} answer={answer} feature={feature} range={shown} onZoom={go} onReset={reset} />
          ))
        : null}
    </section>
  );
}

/** What the device's own numbers say. */
function Numbering({ sequence }: { sequence: Sequence }) {
  return (
    <>
      <h3>Numbering</h3>
      <dl className="facts">
        <dt>Newest number</dt>
        <dd>{formatCount(sequence.highest)}</dd>
        <dt>Missing</dt>
        <dd className={sequence.missing > 0 ? 'bad' : undefined}>{formatCount(sequence.missing)}</dd>
        <dt>Repeated</dt>
        <dd>{formatCount(sequence.repeats)}</dd>
        <dt>Restarts</dt>
        <dd>{formatCount(sequence.restarts)}</dd>
      </dl>
    </>
  );
}

function ByStatus({ path, within }: { path: string; within: string }) {
  const query = useHeld(useQuery<Record<string, Statuses>>(`${path}/histogram${within.replace('&', '?')}`, useTick(VALUES_AGAIN_S)), path);
  const statuses = query.data ? Object.values(query.data)[0] : null;

  if (query.problem) return <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={!!statuses} />;
  return statuses ? <StatusBars statuses={statuses} /> : <Loading what="statuses" room={STATUSES_REM} />;
}

function Values({ path, features, within }: { path: string; features: string[]; within: string }) {
  return (
    <section className="card" aria-labelledby="by-value">
      <header>
        <h2 id="by-value">Readings by value</h2>
      </header>
      <div className="small-plots">
        {features.map((feature) => (
          <FeatureValues key={feature} path={path} feature={feature} within={within} />
        ))}
      </div>
    </section>
  );
}

function FeatureValues({ path, feature, within }: { path: string; feature: string; within: string }) {
  const query = useHeld(useQuery<ValueHistogram>(`${path}/distribution?feature=${feature}&bins=24&quantiles=0.5,0.95,0.99${within}`, useTick(VALUES_AGAIN_S)), path);
  const histogram = query.data;

  if (query.problem) return <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={!!histogram} />;
  return histogram ? <ValueBars histogram={histogram} /> : <Loading what={nameFeature(feature).label.toLowerCase()} room={VALUES_REM} />;
}

function Readings({ path, features, tick, within }: { path: string; features: string[]; tick: number; within: string }) {
  const query = useHeld(useQuery<ReadingPage>(`${path}/readings?limit=${READINGS_SHOWN}${within}`, tick), path);
  const now = useNow();
  const names = useLive((state) => state.names?.features);
  const shown = names ? features.filter((feature) => names.includes(feature)) : features;
  const readings = query.data?.readings ?? [];
  const decimals = shown.map((feature) =>
    decimalsFor(readings.map((reading) => reading[feature]).filter((value): value is number => typeof value === 'number')),
  );

  return (
    <section className="card" aria-labelledby="readings-title">
      <header>
        <h2 id="readings-title">Latest readings</h2>
        <a className="button" href={`${path}/readings?format=csv${within}`} download>
          {within ? 'This time as CSV' : 'All as CSV'}
        </a>
      </header>
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={query.data !== null} /> : null}
      {!query.data && !query.problem ? <Loading what="readings" /> : null}
      {query.data ? (
        <div className="scroll" tabIndex={0} role="group" aria-labelledby="readings-title">
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">Time ({zoneName()})</th>
                <th scope="col">Status</th>
                {shown.map((feature) => (
                  <th scope="col" className="number" key={feature}>
                    {nameFeature(feature).label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {readings.map((reading, i) => (
                <tr key={`${reading.timestamp} ${i}`}>
                  <td>
                    <time dateTime={reading.timestamp} title={reading.timestamp}>
                      {formatNear(Date.parse(reading.timestamp), now)}
                    </time>
                  </td>
                  <td>{nameStatus(reading.status)}</td>
                  {shown.map((feature, j) => (
                    <td className="number" key={feature}>
                      {typeof reading[feature] === 'number' ? formatValue(reading[feature], decimals[j]!) : '–'}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </section>
  );
}
