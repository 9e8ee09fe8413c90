/* All boards of a span that began in the past: asked once, or every few seconds while it goes on. */
import { useMemo } from 'preact/compat';
import { useQuery } from '../api';
import { serverNow, useNow } from '../clock';
import type { BoardEvent, Change, Dashboard, Order, Reading } from '../contract';
import { formatNear, formatRange, formatShortMoment } from '../format';
import { useLive, useTick } from '../live';
import { boardsQuery, bys, navigate, type By, type Route } from '../router';
import { presets, type TimeSpan } from '../spans';
import { zoneName } from '../zone';
import { Board } from '../parts/Board';
import { IntervalChoice, OrderChoice } from '../parts/BoardChoices';
import { Choice } from '../parts/Choice';
import { DeviceId } from '../parts/DeviceId';
import { GroupChoice } from '../parts/GroupChoice';
import { useLines } from '../parts/Line';
import { Loading, Notice, ProblemNotice } from '../parts/Notice';
import { SpanChoice } from '../parts/SpanChoice';
import { Strip } from '../parts/Strip';

const LOOK_AGAIN_S = 10;

/** What boards are ranked by: the words of the choice, and of the head of the page, from the highest and from the lowest. */
const rankings: Record<By, { label: string; desc: string; asc: string }> = {
  maximum: { label: 'Value', desc: 'Highest', asc: 'Lowest' },
  deviation: { label: 'Deviation', desc: 'Farthest above their mean', asc: 'Farthest below their mean' },
  rise: { label: 'Rise', desc: 'Largest rise', asc: 'Largest fall' },
};

export function SpanBoards({ route }: { route: Extract<Route, { view: 'span' }> }) {
  const { order, by = 'maximum', group } = route;
  const span: TimeSpan = useMemo(() => ({ from: route.from, to: route.to }), [route.from, route.to]);
  const names = useLive((state) => state.names);
  const tick = useTick(LOOK_AGAIN_S);
  const params = new URLSearchParams(boardsQuery(route));
  const again = span.to > serverNow() ? tick : 0;
  const query = useQuery<Dashboard>(`dashboard?${params}`, again);
  const boards = Object.entries(query.data ?? {});
  const { lines } = useLines(String(params), boards.reduce((sum, [, readings]) => sum + readings.length, 0), again);
  const places = Math.max(2, ...boards.map(([, readings]) => readings.length));
  const goLive = (interval: string | null) => navigate({ view: 'boards', interval, order, ...(group ? { group } : {}) });
  const go = (to: Partial<typeof route>) => navigate({ ...route, ...to });

  return (
    <>
      <div className="heading">
        <div>
          <h1 tabIndex={-1}>
            {rankings[by][order]} {phraseOf(span)}
          </h1>
          <Source span={span} asOf={query.asOf} by={by} group={group} />
        </div>
        <div className="choices">
          <OrderChoice order={order} isOfRises={by === 'rise'} onChoose={(value) => go({ order: value })} />
          <Choice
            label="By"
            options={bys.map((value) => ({ value, label: rankings[value].label }))}
            value={by}
            onChoose={(value) => go({ by: value as By })}
          />
          <IntervalChoice interval={null} onChoose={goLive} />
          <GroupChoice group={group} onChoose={(to) => go({ group: to })} />
          <SpanChoice span={span} onChoose={go} />
          <button type="button" onClick={() => goLive(null)}>
            Back to live
          </button>
        </div>
      </div>
      {names ? <Strip features={names.features} span={span} onChoose={go} /> : null}
      {query.problem ? <ProblemNotice problem={query.problem} onRetry={query.reload} hasOld={query.data !== null} /> : null}
      {!query.data && query.isLoading && !query.problem ? <Loading what="the boards" /> : null}
      {query.data && boards.every(([, readings]) => readings.length === 0) ? (
        <Notice title="No reading in this span">No device {group ? <>of the group “<DeviceId id={group} />”</> : null} sent anything from {formatRange(span.from, span.to)}.</Notice>
      ) : null}
      <div className="boards" data-count={boards.length}>
        {boards.map(([feature, readings]) => (
          <Board
            key={feature}
            board={boardOf(feature, readings, order, query.asOf)}
            places={places}
            lines={lines}
            span={span}
            {...(by === 'maximum' ? {} : { explain: by === 'rise' ? tellRise : tellDeviation })}
          />
        ))}
      </div>
    </>
  );
}

export const boardOf = (feature: string, readings: Dashboard[string], order: Order, asOf: number | null, interval = ''): BoardEvent => ({
  feature,
  interval,
  order,
  asOf: asOf === null ? '' : new Date(asOf).toISOString(),
  source: 'database',
  /* ranked, and so shown, by how much they changed */
  readings: readings.map((reading) => (reading.value ? { ...reading, [feature]: reading.value.change } : reading)),
});

const short = (value: number): string => String(Number(value.toPrecision(6)));

/* The sentence behind a number of a board, which is a change: what it is made of. */
const tell = (reading: Reading, words: (value: Change) => string): string => {
  const change = (reading as Dashboard[string][number]).value!;
  return `${short(change.against + change.change)}, ${words(change)}`;
};
const tellDeviation = (reading: Reading) => tell(reading, ({ against }) => `against a mean of ${short(against)}`);
const tellRise = (reading: Reading) =>
  tell(reading, ({ against, againstAt }) => `from ${short(against)} at ${formatShortMoment(Date.parse(againstAt!))}`);

function phraseOf(span: TimeSpan): string {
  const now = serverNow();
  const known = presets.find(({ of }) => of(now).from === span.from && of(now).to === span.to);

  return known?.phrase ?? `from ${formatRange(span.from, span.to)}`;
}

/** Which span, and up to which moment readings of it are known. */
function Source({ span, asOf, by, group }: { span: TimeSpan; asOf: number | null; by: By; group: string | undefined }) {
  const now = useNow();

  return (
    <p className="source">
      {group ? <>Group “<DeviceId id={group} />”, </> : null}
      {formatRange(span.from, span.to)} ({zoneName()})
      {asOf === null ? null : (
        <>
          {by === 'deviation'
            ? ', each device against its own mean there'
            : by === 'rise'
              ? ', each value against the extreme one of its device before'
              : ''}
          . As of <time dateTime={new Date(asOf).toISOString()}>{formatNear(asOf, now)}</time>, from the database
        </>
      )}
    </p>
  );
}
