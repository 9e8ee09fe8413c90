/* The lines beside the rows of boards: what comes of a series of lowest and highest values. Pure. */
import type { BoardHistory, ComparedPoints, Reading } from './contract';
import { median } from './history';
import { MOST_COMPARED } from './router';
import type { Threshold } from './thresholds';

export type Series = BoardHistory['series'][number];

/** Series by feature and device, and the steps that all have. */
export interface Lines {
  from: number;
  stepMs: number;
  steps: number;
  of: (feature: string, deviceId: string) => Series | undefined;
  /** What devices say they are called. */
  labels: ReadonlyMap<string, string>;
}

const key = (feature: string, deviceId: string): string => `${feature}/${deviceId}`;

export function toLines(history: BoardHistory): Lines {
  const series = new Map(history.series.map((one) => [key(one.feature, one.deviceId), one]));

  return {
    from: Date.parse(history.from),
    stepMs: history.stepMs,
    steps: Math.round((Date.parse(history.to) - Date.parse(history.from)) / history.stepMs),
    of: (feature, deviceId) => series.get(key(feature, deviceId)),
    labels: new Map(Object.entries(history.labels)),
  };
}

/** The devices without a line, as many as one question is about, and on which boards: of the rows that have lines, so many of all
 * boards together. `hasNone` are those that were asked about in vain; who has a line, or is on no board, is taken out of them. */
export function missingOf(boards: ReadonlyMap<string, { readings: readonly Reading[] }>, lines: Lines, hasNone: Set<string>, rows: number) {
  const devices = new Set<string>();
  const features = new Set<string>();

  boards.forEach(({ readings }, feature) =>
    readings.slice(0, rows / boards.size).forEach(({ deviceId }) => {
      if (lines.of(feature, deviceId)) return;
      devices.add(deviceId);
      if (!hasNone.has(deviceId)) features.add(feature);
    }),
  );
  hasNone.forEach((one) => devices.has(one) || hasNone.delete(one));
  return { devices: [...devices].filter((one) => !hasNone.has(one)).slice(0, MOST_COMPARED), features: [...features] };
}

/** `lines` with those of some devices more, in the same steps; what these are called comes with the next ones of all. */
export function withMore(lines: Lines, { devices }: ComparedPoints): Lines {
  const more = new Map<string, Series>();
  const none = () => Array<number | null>(lines.steps).fill(null);

  for (const { deviceId, points } of devices)
    for (const { timestamp, ...point } of points)
      for (const [feature, span] of Object.entries(point)) {
        if (!span || typeof span !== 'object') continue;
        const at = key(feature, deviceId);
        const step = Math.floor((Date.parse(timestamp) - lines.from) / lines.stepMs);
        const series = more.get(at) ?? { deviceId, feature, min: none(), max: none() };
        more.set(at, series);
        series.min[step] = span.min;
        series.max[step] = span.max;
      }
  return {
    ...lines,
    of: (feature, deviceId) => lines.of(feature, deviceId) ?? more.get(key(feature, deviceId)),
  };
}

export interface Line {
  /** Of a square of 100, as SVG has it: what lies between lowest and highest. */
  path: string;
  /** Where in it the reading is that the row stands for, if it is of this time. */
  mark: { x: number; y: number } | null;
  /** Where the thresholds lie that it crosses. */
  limits: number[];
  low: number;
  high: number;
}

/* As in the plots: what is rarer than steps does not break the line, a silence does. */
const GAP_DISTANCES = 4;
const GAP_STEPS = 2.5;
const AIR = 8; /* above and below, for the mark */

const round = (value: number): number => Math.round(value * 10) / 10;

/** `value` was at `at`; it may be newer than the series. */
export function lineOf(
  series: Series,
  { from, stepMs }: Pick<Lines, 'from' | 'stepMs'>,
  at: number,
  value: number,
  limits: readonly Threshold[] = [],
): Line | null {
  const steps = series.min.length;
  const mins = [...series.min];
  const maxs = [...series.max];
  const of = Math.floor((at - from) / stepMs);

  if (of >= 0 && of < steps) {
    mins[of] = Math.min(mins[of] ?? value, value);
    maxs[of] = Math.max(maxs[of] ?? value, value);
  }
  const filled = mins.flatMap((min, i) => (min === null ? [] : [i]));
  if (filled.length === 0) return null;
  const low = Math.min(...filled.map((i) => mins[i]!));
  const high = Math.max(...filled.map((i) => maxs[i]!));
  const x = (step: number) => round((100 * step) / steps);
  /* halves first: the distance of two doubles may be beyond all doubles */
  const y = (of: number) =>
    low === high ? 50 : round(AIR + (100 - 2 * AIR) * ((high / 2 - of / 2) / (high / 2 - low / 2)));
  const gap = Math.max(GAP_DISTANCES * median(filled.slice(1).map((i, n) => i - filled[n]!)), GAP_STEPS);
  const runs: number[][] = [];

  filled.forEach((i, n) => {
    if (n === 0 || i - filled[n - 1]! > gap) runs.push([]);
    runs.at(-1)!.push(i);
  });
  const side = (run: readonly number[], values: readonly (number | null)[]) => run.map((i) => `${x(i + 0.5)} ${y(values[i]!)}`);
  return {
    path: runs.map((run) => `M${[...side(run, maxs), ...side(run, mins).reverse()].join('L')}Z`).join(''),
    mark: of >= 0 && of < steps ? { x: x(of + 0.5), y: y(value) } : null,
    limits: limits.flatMap(({ limit }) => (low < high && limit >= low && limit <= high ? y(limit) : [])),
    low,
    high,
  };
}
