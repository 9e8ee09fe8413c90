/* The course of a device's values beside its row: the past hour, or the time that a board is of. */
import { useMemo } from 'preact/compat';
import { useQuery, type Problem } from '../api';
import type { BoardHistory, Reading } from '../contract';
import { formatLoneValue } from '../format';
import { lineOf, toLines, type Lines } from '../lines';
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
  const line = useMemo(() => series && lineOf(series, lines, Date.parse(reading.timestamp), value, limits), [series, lines, reading.timestamp, value, limits]);

  if (!line) return null;
  return (
    <svg
      viewBox="0 0 100 100"
      preserveAspectRatio="none"
      role="img"
      aria-label={`lowest ${formatLoneValue(line.low)}, highest ${formatLoneValue(line.high)}`}
    >
      <path d={line.path} />
      {line.limits.map((y) => (
        <path key={y} className="limit" d={`M0 ${y}h100`} />
      ))}
      {line.mark ? <path className="mark" d={`M${line.mark.x} ${line.mark.y}h0`} /> : null}
    </svg>
  );
}
