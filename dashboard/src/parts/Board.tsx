/* One feature's ranking: rank, device, value with its bar, status, age. */
import { memo, useMemo, useRef, type CSSProperties } from 'preact/compat';
import type { BoardEvent, Reading } from '../contract';
import { decimalsFor, formatClock, formatMoment, formatRange, formatShortMoment, formatValue, nameFeature, phraseInterval } from '../format';
import { isolate, visible } from '../ids';
import { deviceHref, formatRoute } from '../router';
import type { TimeSpan } from '../spans';
import { Age } from './Age';
import { DeviceId } from './DeviceId';
import { Ranking } from './Ranking';
import { StatusMark } from './StatusMark';

/** Bars start at zero: a bar that starts elsewhere shows a difference that is not there. */
export function barScale(values: readonly number[]): { low: number; high: number } {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);

  return low === high ? { low: 0, high: 1 } : { low, high };
}

interface RowProps {
  reading: Reading;
  feature: string;
  rank: number;
  decimals: number;
  unit: string;
  low: number;
  high: number;
  span: TimeSpan | undefined;
  explain: ((reading: Reading) => string) | undefined;
}

const DAY_MS = 86_400_000;

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

const Row = memo(function Row({ reading, feature, rank, decimals, unit, low, high, span, explain }: RowProps) {
  const value = reading[feature] as number;
  const size = Math.abs(value) / (high - low);
  const start = (Math.min(0, value) - low) / (high - low);

  return (
    <tr role="row" data-key={reading.deviceId}>
      <td role="cell" className="rank">
        <i className="glow" aria-hidden="true" />
        {rank}
      </td>
      <th role="rowheader" scope="row" className="device">
        <a href={hrefOf(reading.deviceId, span)} title={isolate(reading.deviceId)} aria-label={visible(reading.deviceId)}>
          <DeviceId id={reading.deviceId} isCut />
        </a>
      </th>
      <td role="cell" className="value" title={explain?.(reading) ?? `${value} ${unit}`.trim()}>
        {formatValue(value, decimals)}
        {unit || explain ? <span className="unseen"> {unit} {explain?.(reading)}</span> : null}
      </td>
      <td role="presentation" className="bar" aria-hidden="true">
        <i style={{ transform: `translateX(${start * 100}%) scaleX(${size})` }} />
      </td>
      <td role="cell" className="state">
        <StatusMark status={reading.status} />
      </td>
      <td role="cell" className="age">
        {span ? <Time at={reading.timestamp} span={span} /> : <Age at={reading.timestamp} />}
      </td>
    </tr>
  );
});

interface BoardProps {
  board: BoardEvent;
  places: number;
  /** What the board is of, where it is of no interval. */
  span?: TimeSpan;
  /** What a number is made of, where it is no value but a change. */
  explain?: (reading: Reading) => string;
}

export const Board = memo(function Board({ board, places, span, explain }: BoardProps) {
  const { feature, readings } = board;
  const ghosts = useRef<HTMLDivElement>(null);
  const name = nameFeature(feature);
  const phrase = span ? `from ${formatRange(span.from, span.to)}` : phraseInterval(board.interval);
  const scale = useMemo(() => {
    const values = readings.map((reading) => reading[feature] as number);
    const decimals = decimalsFor(values);
    const digits = Math.max(6, ...values.map((value) => formatValue(value, decimals).length));
    return { ...barScale(values), decimals, digits };
  }, [readings, feature]);

  return (
    <section className={span ? 'card board of-span' : 'card board'} aria-labelledby={`board-${feature}`}>
      <header>
        <h2 id={`board-${feature}`} title={name.title}>
          {name.label}
          {name.unit ? <span className="unit"> {name.unit}</span> : null}
        </h2>
      </header>
      <div className="ranking" style={{ '--places': Math.max(places, readings.length), '--digits': scale.digits } as CSSProperties}>
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
              <th role="presentation" className="bar" aria-hidden="true" />
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
                decimals={scale.decimals}
                unit={name.unit}
                low={scale.low}
                high={scale.high}
                span={span}
                explain={explain}
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
});
