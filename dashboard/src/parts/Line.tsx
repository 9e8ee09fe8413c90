/* The course of a device's values beside its row: the past hour, or the time that a board is of. */
import { useEffect, useMemo, useRef, useState } from 'preact/compat';
import { getJson, useQuery, type Problem } from '../api';
import type { BoardHistory, ComparedPoints, Reading } from '../contract';
import { formatLoneValue } from '../format';
import { rangeParams } from '../history';
import { lineOf, missingOf, toLines, withMore, type Line as LineShape, type Lines, type Series } from '../lines';
import { live, useTick } from '../live';
import { withDevices } from '../router';
import type { Threshold } from '../thresholds';

/* A quarter of a step goes by before it is asked again, so more rows are asked in fewer steps, and less often. */
const MANY_ROWS = 300;

/** How often to look again at the lines of so many rows, in seconds. */
export const linesAgain = (rows: number): number => (rows > MANY_ROWS ? 30 : 15);

/** The lines of all rows of all boards, by what /dashboard is asked. None while they cannot be had. */
export function useLines(params: string | null, rows: number, tick: number): { lines: Lines | null; problem: Problem | null } {
  const points = rows > MANY_ROWS ? 30 : 60;
  const { data, problem } = useQuery<BoardHistory>(params === null || rows === 0 ? null : `boards/history?${params}&points=${points}`, tick);
  const lines = useMemo(() => (data && !problem ? toLines(data) : null), [data, problem]);

  return { lines, problem };
}

const ROWS_WITH_LINES = 1200; /* as the server has it */

/** A device that is new on a live board gets its line at once, not with the next ones of all: asked for each second, or five of many
 * rows, about a few devices. */
export function useNewLines(lines: Lines | null, rows: number): Lines | null {
  const tick = useTick(rows > MANY_ROWS ? 5 : 1);
  const [grown, setGrown] = useState<{ of: Lines; lines: Lines } | null>(null);
  const hasNone = useRef(new Set<string>());
  const isAsking = useRef(false);
  const shown = lines && grown?.of === lines ? grown.lines : lines;

  useEffect(() => {
    if (!lines || !shown || isAsking.current) return;
    const { devices, features } = missingOf(live.get().boards, shown, hasNone.current, ROWS_WITH_LINES);
    if (!devices.length) return;
    const range = { from: shown.from, to: shown.from + shown.steps * shown.stepMs };
    const params = new URLSearchParams({ features: features.join(), ...rangeParams(range), points: String(shown.steps) });
    isAsking.current = true;
    devices.forEach((one) => hasNone.current.add(one));
    const done = () => void (isAsking.current = false); /* in vain: it comes with all the others */
    getJson<ComparedPoints>(`${withDevices('readings', 'deviceId', devices)}&${params}`, new AbortController().signal)
      .then(({ data }) => setGrown({ of: lines, lines: withMore(shown, data) }))
      .then(done, done);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- with each tick, not with each answer
  }, [tick]);
  return shown;
}

/* By series, not by row: with each change of ranks the line of a device is in another row. */
const kept = new WeakMap<Series, { of: readonly unknown[]; line: (LineShape & { words: string }) | null }>();

function keptLine(series: Series, { from, stepMs }: Lines, at: string, value: number, limits: readonly Threshold[]) {
  const of = [from, stepMs, at, value, limits];
  let one = kept.get(series);

  if (!one || of.some((part, i) => part !== one!.of[i])) {
    const line = lineOf(series, { from, stepMs }, Date.parse(at), value, limits);
    one = { of, line: line && { ...line, words: `lowest ${formatLoneValue(line.low)}, highest ${formatLoneValue(line.high)}` } };
    kept.set(series, one);
  }
  return one.line;
}

interface LineProps {
  lines: Lines;
  feature: string;
  reading: Reading;
  limits: readonly Threshold[];
}

export function Line({ lines, feature, reading, limits }: LineProps) {
  const change = 'value' in reading && typeof reading.value === 'object' ? reading.value : null;
  const value = change ? change.against + change.change : (reading[feature] as number);
  const series = lines.of(feature, reading.deviceId);
  const line = series && keptLine(series, lines, reading.timestamp, value, limits);

  if (!line) return null;
  return (
    <svg
      viewBox="0 0 100 100"
      preserveAspectRatio="none"
      role="img"
      aria-label={line.words}
    >
      <path d={line.path} />
      {line.limits.map((y) => (
        <path key={y} className="limit" d={`M0 ${y}h100`} />
      ))}
      {line.mark ? <path className="mark" d={`M${line.mark.x} ${line.mark.y}h0`} /> : null}
    </svg>
  );
}
