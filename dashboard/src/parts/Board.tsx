/* One feature's ranking: rank, device, value, its course, status, age. */
import { useMemo, useRef, type CSSProperties } from 'preact/compat';
import { serverNow } from '../clock';
import type { BoardEvent, Reading } from '../contract';
import { formatClock, formatColumn, formatMoment, formatRange, formatShortMoment, nameFeature, phraseInterval } from '../format';
import { isolate, visible } from '../ids';
import type { Lines } from '../lines';
import { compareHref, deviceHref, formatRoute } from '../router';
import type { TimeSpan } from '../spans';
import { isBeyond, nameLimit, useLimits, type Threshold } from '../thresholds';
import { useZone } from '../zone';
import { Age, AgeAt } from './Age';
import { DeviceId } from './DeviceId';
import { Line } from './Line';
import { Ranking } from './Ranking';
import { StatusMark } from './StatusMark';
import { whenSeen, type Sight } from './whenSeen';

interface RowProps {
  reading: Reading;
  feature: string;
  rank: number;
  text: string;
  unit: string;
  lines: Lines | null;
  span: TimeSpan | undefined;
  explain: ((reading: Reading) => string) | undefined;
  limits: readonly Threshold[];
  /** Another one is another text of its times. */
  zone: string;
}

const DAY_MS = 86_400_000;

/* Out of sight, each has its turn within that time: a row as its board was when it had its own. */
const BOARD_TURN_MS = 1000;
const ROW_TURN_MS = 4000;

/** When it was, in place of how long ago that is. */
function Time({ at, span }: { at: string; span: TimeSpan }) {
  const ms = Date.parse(at);

  return (
    <time dateTime={at} title={formatMoment(ms)}>
      {span.to - span.from <= DAY_MS ? formatClock(ms) : formatShortMoment(ms)}
    </time>
  );
}

/** The device, with its history of that time if the board is of one. */
const hrefOf = (deviceId: string, span: TimeSpan | undefined): string =>
  span ? formatRoute({ view: 'device', deviceId, span: 'hour', from: span.from, to: span.to }) : deviceHref(deviceId);

const Row = whenSeen(ROW_TURN_MS, function Row({ reading, feature, rank, text, unit, lines, span, explain, limits, isSeen }: RowProps & Sight) {
  const value = reading[feature] as number;
  const beyond = limits.find((one) => isBeyond(one, value));
  const more = [unit, explain?.(reading), beyond && nameLimit(beyond)].filter(Boolean).join(', ');
  const label = lines?.labels.get(reading.deviceId);

  return (
    <tr role="row" data-key={reading.deviceId}>
      <td role="cell" className="rank">
        <i className="glow" aria-hidden="true" />
        {rank}
      </td>
      <th role="rowheader" scope="row" className="device">
        <a
          href={hrefOf(reading.deviceId, span)}
          title={isolate(reading.deviceId) + (label ? `, ${isolate(label)}` : '')}
          aria-label={visible(reading.deviceId) + (label ? `, ${visible(label)}` : '')}
        >
          <DeviceId id={reading.deviceId} isCut />
        </a>
        {label ? (
          <span className="called" aria-hidden="true">
            <DeviceId id={label} />
          </span>
        ) : null}
      </th>
      <td role="cell" className={beyond ? `value beyond ${beyond.side}` : 'value'} title={explain?.(reading) ?? `${value} ${unit}`.trim()}>
        {text}
        {more ? <span className="unseen"> {more}</span> : null}
      </td>
      <td role="cell" className="line">
        {lines ? <Line lines={lines} feature={feature} reading={reading} limits={limits} /> : null}
      </td>
      <td role="cell" className="state">
        <StatusMark status={reading.status} />
      </td>
      <td role="cell" className="age">
        {span ? <Time at={reading.timestamp} span={span} /> : isSeen ? <Age at={reading.timestamp} /> : <AgeAt at={reading.timestamp} now={serverNow()} />}
      </td>
    </tr>
  );
});

interface BoardProps {
  board: BoardEvent;
  places: number;
  lines?: Lines | null;
  /** What the board is of, where it is of no interval. */
  span?: TimeSpan;
  /** What a number is made of, where it is no value but a change. */
  explain?: (reading: Reading) => string;
}

export const Board = whenSeen(BOARD_TURN_MS, function Board({ board, places, lines = null, span, explain, isSeen }: BoardProps & Sight) {
  const { feature, readings } = board;
  const zone = useZone();
  const ghosts = useRef<HTMLDivElement>(null);
  const name = nameFeature(feature);
  const limits = useLimits(explain ? '' : feature); /* of values, not of changes */
  const phrase = span ? `from ${formatRange(span.from, span.to)}` : phraseInterval(board.interval);
  const texts = useMemo(() => formatColumn(readings.map((reading) => reading[feature] as number)), [readings, feature]);
  const style = { '--places': Math.max(places, readings.length), '--digits': Math.max(6, ...texts.map((text) => text.length)) } as CSSProperties;

  return (
    <section className={span ? 'card board of-span' : 'card board'} style={style} aria-labelledby={`board-${feature}`}>
      <header>
        <h2 id={`board-${feature}`} title={name.title}>
          {name.label}
          {name.unit ? <span className="unit"> {name.unit}</span> : null}
        </h2>
        {readings.length > 1 ? (
          <div className="tools">
            <a href={compareHref(readings.map(({ deviceId }) => deviceId), span)} aria-label={`Compare the devices of ${name.label}`}>
              Compare
            </a>
          </div>
        ) : null}
      </header>
      <div className="ranking">
        <table role="table" aria-label={`${name.label}: ${board.order === 'desc' ? 'highest' : 'lowest'} ${phrase}`}>
          <thead role="rowgroup">
            <tr role="row">
              <th role="columnheader" scope="col" className="rank">
                <abbr title="Rank">#</abbr>
              </th>
              <th role="columnheader" scope="col" className="device">
                <span>Device</span>
              </th>
              <th role="columnheader" scope="col" className="value">
                <span>{explain ? 'Change' : 'Value'}</span>
              </th>
              <th role="columnheader" scope="col" className="line">
                <span>{span ? 'Course' : 'Past hour'}</span>
              </th>
              <th role="columnheader" scope="col" className="state">
                <span>Status</span>
              </th>
              <th role="columnheader" scope="col" className="age">
                <span>{span ? 'Time' : 'Age'}</span>
              </th>
            </tr>
          </thead>
          <Ranking readings={readings} ghosts={ghosts}>
            {readings.map((reading, i) => (
              <Row
                key={i}
                reading={reading}
                feature={feature}
                rank={i + 1}
                text={texts[i]!}
                unit={name.unit}
                lines={lines}
                span={span}
                explain={explain}
                limits={limits}
                isOut={!isSeen}
                zone={zone}
              />
            ))}
          </Ranking>
        </table>
        {readings.length === 0 ? (
          <p className="nothing">No device sent this {phrase}.</p>
        ) : null}
        <div className="ghosts" ref={ghosts} aria-hidden="true" inert />
      </div>
    </section>
  );
}, true);
