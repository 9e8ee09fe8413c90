/* Boards of a group, of an interval that reaches back from now: collectors know no groups, so the database is asked again
 * every few seconds. */
import { useQuery } from '../api';
import { useNow } from '../clock';
import type { Dashboard } from '../contract';
import { formatNear, phraseInterval } from '../format';
import { useLive, useTick } from '../live';
import { boardsQuery, navigate, type Route } from '../router';
import { shortZone } from '../zone';
import { Board } from '../parts/Board';
import { IntervalChoice, OrderChoice } from '../parts/BoardChoices';
import { DeviceId } from '../parts/DeviceId';
import { GroupChoice } from '../parts/GroupChoice';
import { linesAgain, useLines } from '../parts/Line';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { SpanChoice } from '../parts/SpanChoice';
import { boardOf } from './SpanBoards';

const LOOK_AGAIN_S = 3;

export function GroupBoards({ route }: { route: Extract<Route, { view: 'boards' }> }) {
  const { order, group = '' } = route;
  const shown = useLive((state) => state.interval);
  const interval = route.interval ?? shown;
  const params = String(new URLSearchParams({ ...(interval ? { interval } : {}), ...boardsQuery(route) }));
  const query = useQuery<Dashboard>(interval && `dashboard?${params}`, useTick(LOOK_AGAIN_S));
  const boards = Object.entries(query.data ?? {});
  const rows = boards.reduce((sum, [, readings]) => sum + readings.length, 0);
  const { lines } = useLines(interval && params, rows, useTick(linesAgain(rows)));
  const places = Math.max(2, ...boards.map(([, readings]) => readings.length));
  const now = useNow();
  const go = (to: Partial<typeof route>) => navigate({ ...route, interval, ...to });

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>
            {order === 'desc' ? 'Highest' : 'Lowest'} {interval ? phraseInterval(interval) : ''}
          </h1>
          <p className="source">
            Group “<DeviceId id={group} />”
            {query.asOf === null ? null : (
              <>
                . As of <time dateTime={new Date(query.asOf).toISOString()}>{formatNear(query.asOf, now)}</time> ({shortZone(query.asOf)}), from the database,
                asked every {LOOK_AGAIN_S} seconds
              </>
            )}
          </p>
        </div>
        <div className="choices">
          <OrderChoice order={order} onChoose={(value) => go({ order: value })} />
          <IntervalChoice interval={interval} onChoose={(value) => go({ interval: value })} />
          <GroupChoice group={group} onChoose={(to) => go({ group: to })} />
          <SpanChoice span={null} onChoose={(span) => navigate({ view: 'span', ...span, order, group })} />
        </div>
      </div>
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={query.data !== null} /> : null}
      {!query.data && !query.problem ? <Loading what="the boards" /> : null}
      {query.data && rows === 0 ? (
        <Notice title={`No reading ${phraseInterval(interval!)}`}>
          No device says that it is of the group “<DeviceId id={group} />” and sent one.
        </Notice>
      ) : null}
      <div className={query.problem ? 'boards old' : 'boards'} data-count={boards.length}>
        {boards.map(([feature, readings]) => (
          <Board key={feature} board={boardOf(feature, readings, order, query.asOf, interval!)} places={places} lines={lines} />
        ))}
      </div>
    </>
  );
}
