/* Points of the server into columns of a plot, and the arithmetic of zooming. Pure. */
import type { Device, Points, Span } from './contract';
import type { PlotTime, SpanName } from './router';

/** Parallel columns: null where the line is to break. Times in seconds, as uPlot has them. */
export interface Columns {
  times: number[];
  mins: (number | null)[];
  maxs: (number | null)[];
  means: (number | null)[];
  counts: number[];
}

/* Steps that are empty because readings are rarer than steps do not break the line; a silence of
 * several usual distances does. */
const GAP_DISTANCES = 4;
const GAP_STEPS = 2.5;

export function toColumns(answer: Points, feature: string): Columns {
  const columns: Columns = { times: [], mins: [], maxs: [], means: [], counts: [] };
  const step = (answer.stepMs ?? 0) / 1000;
  const filled = answer.points.filter((point) => point[feature] !== null && point[feature] !== undefined);
  const starts = filled.map((point) => Date.parse(point.timestamp) / 1000);
  const gap = Math.max(GAP_DISTANCES * median(distances(starts)), GAP_STEPS * step);
  const push = (time: number, span: Span | null, count: number) => {
    columns.times.push(time);
    columns.mins.push(span?.min ?? null);
    columns.maxs.push(span?.max ?? null);
    columns.means.push(span?.mean ?? null);
    columns.counts.push(count);
  };

  filled.forEach((point, i) => {
    const start = starts[i]!;
    const before = starts[i - 1];

    if (before !== undefined && start - before > gap) push((start + before) / 2 + step / 2, null, 0);
    push(start + step / 2, point[feature] as Span, point.count);
  });
  return columns;
}

const distances = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - times[i]!);

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** The points that no line reaches, which have to be dots to be seen. */
export function lonePoints(values: readonly (number | null | undefined)[]): number[] {
  const lone: number[] = [];

  values.forEach((value, i) => {
    if (value != null && values[i - 1] == null && values[i + 1] == null) lone.push(i);
  });
  return lone;
}

const DOT_PIXELS = 12;

/** The points to be drawn as dots: all where they are far apart, else those that no line reaches. */
export function dotted(values: readonly (number | null | undefined)[], pixels: number): number[] {
  const filled = values.flatMap((value, i) => (value == null ? [] : [i]));
  return filled.length * DOT_PIXELS < pixels ? filled : lonePoints(values);
}

const AROUND_READINGS = 50;
const AROUND_LEAST_MS = 150_000;

/** How much to show on either side of one reading of a device: as many readings, at its pace, as make a curve. */
export function around(device: Device): number {
  const count = Object.values(device.statuses).reduce((sum, one) => sum + one, 0);
  const lasted = Date.parse(device.latest?.timestamp ?? '') - Date.parse(device.firstSeenAt ?? '');

  return Math.max(AROUND_LEAST_MS, count > 1 && lasted > 0 ? Math.round((AROUND_READINGS * lasted) / (count - 1)) : 0);
}

export interface Range {
  from: number;
  to: number;
}

const DAY_MS = 86_400_000;
const SPAN_MS: Record<SpanName, number | null> = { hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, all: null };
const NARROWEST_MS = 1000;

/** As parameters of a question; none of all. */
export const rangeParams = (range: Range | null): Record<string, string> =>
  range ? { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString() } : {};

/** The two moments that are chosen, if they are. */
export const chosenOf = ({ from, to }: PlotTime): Range | null => (from === null || to === null ? null : { from, to });

/** Null = from the first reading to the last. */
export const lengthOf = (span: SpanName): number | null => SPAN_MS[span];

/** What a named span is right now. */
export function rangeOf(span: SpanName, nowMs: number): Range | null {
  const length = lengthOf(span);
  return length === null ? null : { from: nowMs - length, to: nowMs };
}

/** Half or twice as much around the middle; never past `nowMs`. */
export function zoomed(range: Range, factor: number, nowMs: number): Range {
  const length = Math.max(NARROWEST_MS, (range.to - range.from) * factor);
  const middle = (range.from + range.to) / 2;
  const to = Math.min(middle + length / 2, Math.max(nowMs, range.to));

  return { from: Math.round(to - length), to: Math.round(to) };
}

/** Half of its length earlier or later; never past `nowMs`. */
export function moved(range: Range, by: number, nowMs: number): Range {
  const length = range.to - range.from;
  const to = Math.min(range.to + by * length, Math.max(nowMs, range.to));

  return { from: Math.round(to - length), to: Math.round(to) };
}
