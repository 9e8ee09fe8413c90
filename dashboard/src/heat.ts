/* A heat map as arithmetic: where columns are in time, which of them a drag takes, what a column says. Pure. */
import type { Heatmap } from './contract';
import type { TimeSpan } from './spans';
import { aheadMs } from './zone';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const distances = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * 1000),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR_MS),
  ...[1, 2, 7, 14, 28, 91, 364].map((n) => n * DAY_MS),
];

/** The column at a share of the width. */
export const columnAt = (count: number, share: number): number => Math.max(0, Math.min(count - 1, Math.floor(share * count)));

/** Of columns, both included, whichever is the first. */
export function spanOf(map: Heatmap, a: number, b: number): TimeSpan {
  const from = Date.parse(map.from);

  return { from: from + Math.min(a, b) * map.stepMs, to: from + (Math.max(a, b) + 1) * map.stepMs };
}

/** Moments for a time axis, at most so many, at round times of the zone that is shown. */
export function roundTimes(from: number, to: number, most: number): { times: number[]; distance: number } {
  const distance = distances.find((one) => (to - from) / one <= most) ?? Math.ceil((to - from) / most / DAY_MS) * DAY_MS;
  const ahead = aheadMs(from);
  const times: number[] = [];

  for (let at = Math.ceil((from + ahead) / distance) * distance - ahead; at < to; at += distance) times.push(at);
  return { times, distance };
}

export interface ColumnTold {
  devices: number;
  /** The row that the highest of them lie in. */
  low: number;
  high: number;
}

/** Null where no device sent anything. */
export function tellColumn(map: Heatmap, at: number): ColumnTold | null {
  const counts = map.columns[at] ?? [];
  let top = counts.length - 1;

  while (top >= 0 && counts[top] === 0) top--;

  if (top < 0 || map.low === null || map.high === null) return null;
  const height = (map.high - map.low) / counts.length;
  return {
    devices: counts.reduce((sum, count) => sum + count, 0),
    low: map.low + top * height,
    high: map.low + (top + 1) * height,
  };
}

/** How strongly a cell is drawn: one device can be seen, however many there are elsewhere. */
export const strength = (count: number, most: number): number => (count === 0 ? 0 : 0.3 + (0.7 * Math.log(count)) / Math.log(Math.max(2, most)));

/** What to add to the question of a map that goes on, so that only its last columns are answered: the one before the last, too, of which not all
 * may have been stored when it was over. */
export const tailOf = ({ to, stepMs, low, high, top }: Heatmap): string =>
  String(new URLSearchParams({ since: new Date(Date.parse(to) - 2 * stepMs).toISOString(), low: `${low}`, high: `${high}`, line: top?.deviceId ?? '' }));

/** As many columns as `old` has, the last ones as `news` has them. Null: they do not fit, as a value lies outside of the rows. */
export function joinedMap(old: Heatmap, news: Heatmap): Heatmap | null {
  const kept = (Date.parse(news.from) - Date.parse(old.from)) / old.stepMs;
  const join = <T>(before: readonly T[], after: readonly T[]): T[] => [...before.slice(0, kept), ...after].slice(-before.length);

  if ((['stepMs', 'source', 'low', 'high'] as const).some((what) => news[what] !== old[what]) || !(kept >= 0) || !old.top || !news.top) return null;
  return {
    ...news,
    from: new Date(Date.parse(news.to) - old.columns.length * old.stepMs).toISOString(),
    columns: join(old.columns, news.columns),
    top: { ...news.top, highest: join(old.top.highest, news.top.highest) },
  };
}
