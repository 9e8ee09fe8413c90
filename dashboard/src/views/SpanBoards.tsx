/* All boards of a span that began in the past: asked once, or every few seconds while it goes on. */
import { useQuery } from '../api';
import { serverNow, useNow } from '../clock';
import type { BoardEvent, Dashboard, Order } from '../contract';
import { formatNear, formatRange, nameInterval } from '../format';
import { useLive, useTick } from '../live';
import { navigate } from '../router';
import { presets, type TimeSpan } from '../spans';
import { Board } from '../parts/Board';
import { Choice } from '../parts/Choice';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { SpanChoice } from '../parts/SpanChoice';

const LOOK_AGAIN_S = 10;

export function SpanBoards({ span, order }: { span: TimeSpan; order: Order }) {
  const names = useLive((state) => state.names);
  const tick = useTick(LOOK_AGAIN_S);
  const params = new URLSearchParams({
    from: new Date(span.from).toISOString(),
    to: new Date(span.to).toISOString(),
    ...(order === 'asc' ? { order } : {}),
  });
  const query = useQuery<Dashboard>(`dashboard?${params}`, span.to > serverNow() ? tick : 0);
  const boards = Object.entries(query.data ?? {});
  const places = Math.max(2, ...boards.map(([, readings]) => readings.length));
  const goLive = (interval: string | null) => navigate({ view: 'boards', interval, order });

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>
            {order === 'desc' ? 'Highest' : 'Lowest'} {phraseOf(span)}
          </h1>
          <Source span={span} asOf={query.asOf} />
        </div>
        <div className="choices">
          <Choice
            label="Order"
            options={[
              { value: 'desc', label: 'Highest' },
              { value: 'asc', label: 'Lowest' },
            ]}
            value={order}
            onChoose={(value) => navigate({ view: 'span', ...span, order: value as Order })}
          />
          {names ? (
            <Choice
              label="Interval"
              options={names.intervals.map((name) => ({ value: name, label: nameInterval(name) }))}
              value={null}
              onChoose={goLive}
            />
          ) : null}
          <SpanChoice span={span} onChoose={(chosen) => navigate({ view: 'span', ...chosen, order })} />
          <button type="button" onClick={() => goLive(null)}>
            Back to live
          </button>
        </div>
      </div>
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={query.data !== null} /> : null}
      {!query.data && query.isLoading && !query.problem ? <Loading what="the boards" /> : null}
      {query.data && boards.every(([, readings]) => readings.length === 0) ? (
        <Notice title="No reading in this span">No device sent anything from {formatRange(span.from, span.to)}.</Notice>
      ) : null}
      <div className="boards" data-count={boards.length}>
        {boards.map(([feature, readings]) => (
          <Board key={feature} board={boardOf(feature, readings, order, query.asOf)} places={places} span={span} />
        ))}
      </div>
    </>
  );
}

const boardOf = (feature: string, readings: Dashboard[string], order: Order, asOf: number | null): BoardEvent => ({
  feature,
  interval: '',
  order,
  asOf: asOf === null ? '' : new Date(asOf).toISOString(),
  source: 'database',
  readings,
});

function phraseOf(span: TimeSpan): string {
  const now = serverNow();
  const known = presets.find(({ of }) => of(now).from === span.from && of(now).to === span.to);

  return known?.phrase ?? `from ${formatRange(span.from, span.to)}`;
}

/** Which span, and up to which moment readings of it are known. */
function Source({ span, asOf }: { span: TimeSpan; asOf: number | null }) {
  const now = useNow();

  return (
    <p className="source">
      {formatRange(span.from, span.to)}
      {asOf === null ? null : (
        <>
          . As of <time dateTime={new Date(asOf).toISOString()}>{formatNear(asOf, now)}</time>, from the database
        </>
      )}
    </p>
  );
}
