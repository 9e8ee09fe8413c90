/* The fleet at a glance: a heat map of one feature, time by value, above the boards. Whoever drags over it, with a pointer or
 * with Shift and the arrows, gets the boards of that span. Drawn when there is news, on a canvas: it has thousands of
 * cells. What it shows is said below it, too, and in a table. */
import { memo, useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from 'preact/compat';
import { getJson, useQuery, type Answer } from '../api';
import { serverNow } from '../clock';
import type { Heatmap } from '../contract';
import { formatAge, formatCount, formatLoneValue, formatRange, nameFeature } from '../format';
import { columnAt, joinedMap, roundTimes, spanOf, strength, tailOf, tellColumn } from '../heat';
import { visible } from '../ids';
import { useTick } from '../live';
import { readColors, timeTicks } from '../plot';
import type { TimeSpan } from '../spans';
import { useIsDark } from '../theme';
import { useZone } from '../zone';
import { Choice } from './Choice';
import { DeviceId } from './DeviceId';

const AGAIN_LIVE_S = 60; /* a step of a day is longer */
const AGAIN_S = 10;
const WHOLE_AGAIN_MS = 15 * 60_000; /* readings that come late change columns that are not asked for again */
const KEY = 'strip';
const HEIGHT_REM = 9;
const TIME_PX = 48; /* a time has this much room, or is not written */

interface StripProps {
  features: readonly string[];
  /** Null: the past day. */
  span: TimeSpan | null;
  onChoose: (span: TimeSpan) => void;
}

const wasClosed = (): boolean => {
  try {
    return localStorage.getItem(KEY) === 'closed';
  } catch {
    return false;
  }
};

export function Strip({ features, span, onChoose }: StripProps) {
  const [isOpen, setIsOpen] = useState(() => !wasClosed());
  const [chosen, setChosen] = useState('');
  const isLive = span === null || span.to > serverNow();
  const tick = useTick(span ? AGAIN_S : AGAIN_LIVE_S);
  const feature = features.includes(chosen) ? chosen : features[0];
  const params = new URLSearchParams({
    feature: feature ?? '',
    ...(span ? { from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString() } : {}),
  });
  const held = useRef<{ path: string; wholeAt: number; answer: Answer<Heatmap> } | null>(null);
  const isDay = span === null;
  const get = useCallback(async (path: string, signal: AbortSignal): Promise<Answer<Heatmap>> => {
    const old = held.current;
    held.current = null; /* and nothing is, if this fails */
    if (isDay && old?.path === path && old.answer.data.top && performance.now() - old.wholeAt < WHOLE_AGAIN_MS) {
      const { data, asOf } = await getJson<Heatmap>(`${path}&${tailOf(old.answer.data)}`, signal);
      const whole = joinedMap(old.answer.data, data);
      if (whole) return (held.current = { ...old, answer: { data: whole, asOf } }).answer;
    }
    const answer = await getJson<Heatmap>(path, signal);
    held.current = { path, wholeAt: performance.now(), answer };
    return answer;
  }, [isDay]);
  const query = useQuery<Heatmap>(isOpen && feature ? `heatmap?${params}` : null, isLive ? tick : 0, get);

  return (
    <details
      className="strip card"
      open={isOpen}
      onToggle={(event) => {
        const { open } = event.currentTarget as HTMLDetailsElement;
        setIsOpen(open);
        try {
          localStorage.setItem(KEY, open ? 'open' : 'closed');
        } catch {
          /* it lasts as long as the page */
        }
      }}
    >
      <summary>The fleet {span ? 'then' : 'in the past day'}</summary>
      {features.length > 1 ? (
        <Choice
          label="Feature of the heat map"
          options={features.map((name) => ({ value: name, label: nameFeature(name).label }))}
          value={feature!}
          onChoose={setChosen}
        />
      ) : null}
      {query.problem ? <p className="source">The heat map is not there: {query.problem.detail}</p> : null}
      {feature && !(query.problem && !query.data) ? (
        <HeatMap map={query.data} unit={nameFeature(feature).unit} label={nameFeature(feature).label} onChoose={onChoose} />
      ) : null}
    </details>
  );
}

const WAITING: Heatmap = { feature: '', from: '', to: '', stepMs: 1, source: 'hours', low: null, high: null, columns: [], top: null };

const writeIn = (unit: string) => (value: number) => `${formatLoneValue(value)} ${unit}`.trim();

interface HeatMapProps {
  map: Heatmap | null;
  unit: string;
  label: string;
  onChoose: (span: TimeSpan) => void;
}

function HeatMap({ map: given, unit, label, onChoose }: HeatMapProps) {
  const map = given ?? WAITING;
  const count = map.columns.length;
  const canvas = useRef<HTMLCanvasElement>(null);
  const area = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  /* where the drag began and where it is; without one the column that is told about */
  const [mark, setMark] = useState<{ from: number; to: number } | null>(null);
  const isDragged = useRef(false);
  const isDark = useIsDark();
  const zone = useZone();
  const id = useId();
  const last = Math.max(0, count - 1);
  const shown = mark && { from: Math.min(mark.from, last), to: Math.min(mark.to, last) };
  const value = writeIn(unit);
  const most = Math.max(0, ...map.columns.flat());

  useLayoutEffect(() => {
    setWidth(area.current!.clientWidth);
    if (typeof ResizeObserver === 'undefined') return;
    const watcher = new ResizeObserver(() => setWidth(area.current?.clientWidth ?? 0));
    watcher.observe(area.current!);
    return () => watcher.disconnect();
  }, []);

  useEffect(() => {
    if (canvas.current && width > 0) draw(canvas.current, map, width);
  }, [map, width, isDark]);

  const ticks = useMemo(() => {
    if (!count || !width) return [];
    const [from, to] = [Date.parse(map.from), Date.parse(map.to)];
    const { times, distance } = roundTimes(from, to, Math.max(2, Math.min(12, width / 80)));
    const texts = timeTicks(times.map((at) => at / 1000), distance / 1000);
    return times.map((at, i) => ({ at: ((at - from) / (to - from)) * 100, text: texts[i]! })).filter(({ at }) => at < 96 && (1 - at / 100) * width > TIME_PX);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the zone is what makes them other texts
  }, [map.from, map.to, count, width, zone]);

  const columnOf = (event: { clientX: number }) => {
    const box = area.current!.getBoundingClientRect();
    return columnAt(count, (event.clientX - box.left) / box.width);
  };
  const choose = (of: { from: number; to: number }) => {
    setMark(null);
    onChoose(spanOf(map, of.from, of.to));
  };
  const tell = (of: { from: number; to: number }): string => {
    const span = spanOf(map, of.from, of.to);
    const range = formatRange(span.from, span.to);
    if (of.from !== of.to) return range;
    const told = tellColumn(map, of.to);
    const top = map.top?.highest[of.to];
    return !told
      ? `${range}: no device`
      : `${range}: ${formatCount(told.devices)} ${told.devices === 1 ? 'device' : 'devices'}, the highest at ${told.low === told.high ? '' : `${value(told.low)} to `}${value(told.high)}` +
          (typeof top === 'number' ? `; ${visible(map.top!.deviceId)} ${value(top)}` : '');
  };

  return (
    <figure aria-labelledby={`${id}-what`}>
      <div className="heat">
        <div className="heat-values" aria-hidden="true">
          <span>{map.high === null ? '' : value(map.high)}</span>
          <span>{map.low === null ? '' : value(map.low)}</span>
        </div>
        <div
          className="heat-area"
          ref={area}
          role="slider"
          tabIndex={0}
          aria-label={`${label}, time by value: choose a time`}
          aria-valuemin={0}
          aria-valuemax={last}
          aria-valuenow={shown?.to ?? last}
          aria-valuetext={count ? tell(shown ?? { from: last, to: last }) : 'nothing yet'}
          aria-describedby={`${id}-how`}
          onPointerDown={(event) => {
            if (!count || event.button !== 0) return;
            isDragged.current = true;
            (event.currentTarget as HTMLElement).setPointerCapture?.(event.pointerId);
            setMark({ from: columnOf(event), to: columnOf(event) });
          }}
          onPointerMove={(event) => {
            if (!count) return;
            const to = columnOf(event);
            setMark((was) => ({ from: isDragged.current && was ? was.from : to, to }));
          }}
          onPointerUp={(event) => {
            if (isDragged.current && mark) choose({ from: mark.from, to: columnOf(event) });
            isDragged.current = false;
          }}
          onPointerCancel={() => {
            isDragged.current = false;
            setMark(null);
          }}
          onPointerLeave={() => {
            if (!isDragged.current) setMark(null);
          }}
          onKeyDown={(event) => {
            const to = { ArrowLeft: -1, ArrowRight: 1, PageUp: 8, PageDown: -8, Home: -count, End: count }[event.key];
            if (to && count) {
              const at = Math.max(0, Math.min(last, (shown?.to ?? last) + to));
              setMark({ from: event.shiftKey ? (shown?.from ?? last) : at, to: at });
            } else if (event.key === 'Enter' && shown) choose(shown);
            else if (event.key === 'Escape') setMark(null);
            else return;
            event.preventDefault();
          }}
        >
          <canvas ref={canvas} style={{ height: `${HEIGHT_REM}rem` }} />
          {shown ? (
            <i
              className="heat-mark"
              style={{
                left: `${(Math.min(shown.from, shown.to) / count) * 100}%`,
                width: `${((Math.abs(shown.to - shown.from) + 1) / count) * 100}%`,
              }}
            />
          ) : null}
        </div>
        <div className="heat-times" aria-hidden="true">
          {ticks.map(({ at, text }) => (
            <span key={at} style={{ left: `${at}%` }}>
              {text}
            </span>
          ))}
        </div>
      </div>
      <figcaption>
        <span className="readout" aria-hidden="true">
          {shown ? tell(shown) : map.top ? '' : given ? 'No device sent this then.' : 'Loading'}
        </span>
        {map.top ? (
          <span className="heat-legend">
            {most > 1 ? '1 ' : null}
            <i /> {formatCount(most)} {most === 1 ? 'device' : 'devices'} <b aria-hidden="true">—</b> <DeviceId id={map.top.deviceId} />, the highest
          </span>
        ) : null}
      </figcaption>
      <p className="source" id={`${id}-what`}>
        Each device counts once in each step of {formatAge(map.stepMs)}, at its highest {label.toLowerCase()} of then.{' '}
        {map.source === 'readings' ? 'Out of readings.' : `Out of the sums of ${map.source}${map.source === 'days' ? ' (UTC)' : ''}.`}
      </p>
      <p className="unseen" id={`${id}-how`}>
        Arrows move, Shift and arrows take a span, Enter shows its boards.
      </p>
      <details>
        <summary>As a table</summary>
        <Table map={map} unit={unit} zone={zone} />
      </details>
    </figure>
  );
}

/** `zone` is not looked at: another one is other texts. */
const Table = memo(function Table({ map, unit }: { map: Heatmap; unit: string; zone: string }) {
  const value = writeIn(unit);

  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="The heat map as a table">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Devices</th>
            <th scope="col">Highest between</th>
          </tr>
        </thead>
        <tbody>
          {map.columns.map((_, i) => {
            const told = tellColumn(map, i);
            const span = spanOf(map, i, i);
            return told ? (
              <tr key={i}>
                <th scope="row">{formatRange(span.from, span.to)}</th>
                <td>{formatCount(told.devices)}</td>
                <td>
                  {value(told.low)} and {value(told.high)}
                </td>
              </tr>
            ) : null;
          })}
        </tbody>
      </table>
    </div>
  );
});

function draw(canvas: HTMLCanvasElement, map: Heatmap, width: number): void {
  const context = canvas.getContext('2d');
  const height = canvas.clientHeight;
  const scale = window.devicePixelRatio || 1;
  const count = map.columns.length;

  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  if (!context || count === 0) return;
  const colors = readColors();
  const most = Math.max(...map.columns.flat());
  const rows = map.columns[0]!.length;
  const [wide, high] = [canvas.width / count, canvas.height / rows];

  context.fillStyle = colors.bar;
  map.columns.forEach((counts, x) =>
    counts.forEach((n, y) => {
      if (n === 0) return;
      const [left, top] = [Math.round(x * wide), Math.round((rows - 1 - y) * high)];
      context.globalAlpha = strength(n, most);
      context.fillRect(left, top, Math.round((x + 1) * wide) - left, Math.round((rows - y) * high) - top);
    }),
  );
  context.globalAlpha = 1;
  context.strokeStyle = colors.text;
  context.lineWidth = 1.5 * scale;
  context.lineJoin = 'round';
  context.beginPath();
  let isPenDown = false;
  map.top?.highest.forEach((value, x) => {
    const share = map.high! > map.low! ? ((value ?? 0) - map.low!) / (map.high! - map.low!) : 0.5;
    const y = (1 - share) * (canvas.height - 2 * scale) + scale;
    /* a step as wide as its column: then a lone one is seen, too */
    if (value !== null) {
      if (isPenDown) context.lineTo(x * wide, y);
      else context.moveTo(x * wide, y);
      context.lineTo((x + 1) * wide, y);
    }
    isPenDown = value !== null;
  });
  context.stroke();
}
