/* The lines beside the rows of boards: what comes of a series of lowest and highest values. Pure. */
import type { BoardHistory } from './contract';
import { median } from './history';
import type { Threshold } from './thresholds';

type Series = BoardHistory['series'][number];

/** Series by feature and device, and the steps that all have. */
export interface Lines {
  from: number;
  stepMs: number;
  of: (feature: string, deviceId: string) => Series | undefined;
  /** What devices say they are called. */
  labels: ReadonlyMap<string, string>;
}

export function toLines(history: BoardHistory): Lines {
  const key = (feature: string, deviceId: string) => `${feature}/${deviceId}`;
  const series = new Map(history.series.map((one) => [key(one.feature, one.deviceId), one]));

  return {
    from: Date.parse(history.from),
    stepMs: history.stepMs,
    of: (feature, deviceId) => series.get(key(feature, deviceId)),
    labels: new Map(Object.entries(history.labels)),
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
