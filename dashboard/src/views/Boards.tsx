/* All boards of an interval, as of when and from where, and what is wrong if something is. */
import { useEffect } from 'preact/compat';
import { useNow } from '../clock';
import type { Order } from '../contract';
import { formatCount, formatNear, nameInterval, phraseInterval } from '../format';
import { isolate } from '../ids';
import { useKiosk } from '../kiosk';
import type { Lines } from '../lines';
import { live, useLive, useTick } from '../live';
import { navigate } from '../router';
import { Board } from '../parts/Board';
import { IntervalChoice, OrderChoice } from '../parts/BoardChoices';
import { GroupChoice } from '../parts/GroupChoice';
import { linesAgain, useLines, useNewLines } from '../parts/Line';
import { Loading, Notice } from '../parts/Notice';
import { SpanChoice } from '../parts/SpanChoice';
import { Strip } from '../parts/Strip';
import { shortZone } from '../zone';

const PLACES = 10;

export function Boards({ interval, order }: { interval: string | null; order: Order }) {
  const names = useLive((state) => state.names);
  const shown = useLive((state) => state.interval);
  const status = useLive((state) => state.status);
  const isUnknown = interval !== null && names !== null && !names.intervals.includes(interval);
  const chosen = interval ?? shown;

  useEffect(() => {
    if (!isUnknown) live.watch(interval, order);
  }, [interval, order, isUnknown]);

  const choose = (to: { interval?: string; order?: Order }) =>
    navigate({ view: 'boards', interval: to.interval ?? chosen, order: to.order ?? order });
  /* Of the boards their lengths are all that is looked at here: the rest of the view is not drawn again with each change. */
  useLive((state) => String([...state.boards.values()].map(({ readings }) => readings.length)));
  const { boards } = live.get();
  const features = useKiosk((names?.features ?? []).filter((feature) => boards.has(feature)));
  const isEmpty = features.length > 0 && features.every((feature) => boards.get(feature)!.readings.length === 0);
  const hasLowest = order === 'asc' || (status?.collectors.some((one) => one.lowest) ?? false);
  /* room for as many as there can be */
  const most = (counts: (number | undefined)[]) => Math.max(0, ...counts.map((count) => count ?? 0)) || PLACES;
  const collectors = status?.collectors ?? [];
  const places = Math.min(PLACES, most(collectors.map((one) => one.limit)), most(collectors.map((one) => one.devices)));

  const rows = features.reduce((sum, feature) => sum + boards.get(feature)!.readings.length, 0);
  const asked = new URLSearchParams({ ...(shown ? { interval: shown } : {}), ...(order === 'asc' ? { order } : {}) });
  const { lines: known, problem } = useLines(shown && String(asked), rows, useTick(linesAgain(rows)));
  const lines = useNewLines(known, rows);

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>
            {order === 'desc' ? 'Highest' : 'Lowest'} {chosen ? phraseInterval(chosen) : ''}
          </h1>
          <Source lacksLines={problem?.detail} />
        </div>
        <div className="choices">
          {hasLowest ? <OrderChoice order={order} onChoose={(value) => choose({ order: value })} /> : null}
          <IntervalChoice interval={chosen} onChoose={(value) => choose({ interval: value })} />
          <GroupChoice group={undefined} onChoose={(group) => navigate({ view: 'boards', interval: chosen, order, group })} />
          <SpanChoice span={null} onChoose={(span) => navigate({ view: 'span', ...span, order })} />
        </div>
      </div>
      {isUnknown ? (
        <Notice title={`There is no interval “${isolate(interval)}”.`}>
          This Highwater keeps boards of {names.intervals.map(nameInterval).join(', ').toLowerCase()}. Choose one of
          them above.
        </Notice>
      ) : (
        <>
          {names ? <Strip features={names.features} span={null} onChoose={(span) => navigate({ view: 'span', ...span, order })} /> : null}
          {features.length === 0 ? <Waiting /> : null}
          {isEmpty ? <Empty interval={chosen!} intervals={names!.intervals} onChoose={(to) => choose({ interval: to })} /> : null}
          <Grid features={features} places={isEmpty ? 2 : places} lines={lines} />
        </>
      )}
    </>
  );
}

function Grid({ features, places, lines }: { features: readonly string[]; places: number; lines: Lines | null }) {
  const boards = useLive((state) => state.boards);
  const isOld = useLive((state) => state.link === 'lost');

  return (
    <div className={isOld ? 'boards old' : 'boards'} data-count={features.length}>
      {features.map((feature) => (
        <Board key={feature} board={boards.get(feature)!} places={places} lines={lines} />
      ))}
    </div>
  );
}

/** Up to which moment, from where, how many devices. */
function Source({ lacksLines }: { lacksLines: string | undefined }) {
  const status = useLive((state) => state.status);
  const now = useNow();

  if (!status?.asOf) return <p className="source">&nbsp;</p>;
  const at = Date.parse(status.asOf);
  const devices = status.collectors.reduce((sum, one) => sum + (one.isLive ? (one.devices ?? 0) : 0), 0);
  const live = status.collectors.filter((one) => one.isLive).length;
  return (
    <p className="source">
      As of <time dateTime={status.asOf}>{formatNear(at, now)}</time> ({shortZone(at)})
      {status.source === 'boards'
        ? `, from ${live === 1 ? 'the collector' : `${live} collectors`}: ${formatCount(devices)} ${devices === 1 ? 'device' : 'devices'}`
        : status.source === 'database'
          ? ', from the database'
          : ', from memory'}
      {lacksLines ? `. No lines of the past hour: ${lacksLines}` : null}
    </p>
  );
}

/** Nothing came yet. */
function Waiting() {
  const link = useLive((state) => state.link);
  const hasSource = useLive((state) => state.status?.source !== 'none');

  if (link === 'lost' || !hasSource) return null; /* the head of the page says so */
  return <Loading what="the boards" />;
}

function Empty(props: { interval: string; intervals: readonly string[]; onChoose: (interval: string) => void }) {
  const next = props.intervals[props.intervals.indexOf(props.interval) + 1];
  const subscribe = useLive((state) => state.status?.collectors.find((one) => one.isLive)?.subscribe ?? 'devices/+/readings');

  return (
    <Notice
      title={`No reading ${phraseInterval(props.interval)}`}
      action={
        next ? (
          <button type="button" onClick={() => props.onChoose(next)}>
            Look at: {nameInterval(next).toLowerCase()}
          </button>
        ) : null
      }
    >
      Whatever a device publishes to <code>{subscribe.replace('+', '<deviceId>')}</code> shows here at once.
    </Notice>
  );
}
