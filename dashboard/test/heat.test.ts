import { expect, test } from 'vitest';
import type { Heatmap } from '../src/contract';
import { columnAt, joinedMap, roundTimes, spanOf, strength, tailOf, tellColumn } from '../src/heat';

const from = Date.UTC(2026, 10, 26);
const map = (columns: number[][], more: Partial<Heatmap> = {}): Heatmap => ({
  feature: 'temperature',
  from: new Date(from).toISOString(),
  to: new Date(from + columns.length * 60_000).toISOString(),
  stepMs: 60_000,
  source: 'readings',
  low: 10,
  high: 40,
  columns,
  top: null,
  ...more,
});

test.each([
  [0, 0],
  [0.249, 0],
  [0.25, 1],
  [0.999, 3],
  [1, 3], /* the last pixel, and what a pointer that is held beyond the edge says */
  [1.7, 3],
  [-0.2, 0],
])('a share of %d of four columns is the column %i', (share, at) => {
  expect(columnAt(4, share)).toBe(at);
});

test('columns are a span, both of them in it, in whichever order', () => {
  const span = { from: from + 60_000, to: from + 4 * 60_000 };
  const four = map([[], [], [], []]);
  expect(spanOf(four, 1, 3)).toEqual(span);
  expect(spanOf(four, 3, 1)).toEqual(span);
  expect(spanOf(four, 2, 2)).toEqual({ from: from + 2 * 60_000, to: from + 3 * 60_000 });
});

test('a column says how many devices there are, and between what the highest lie', () => {
  const told = map([[2, 1, 0], [0, 0, 5], [0, 0, 0], []]);
  expect(tellColumn(told, 0)).toEqual({ devices: 3, low: 20, high: 30 });
  expect(tellColumn(told, 1)).toEqual({ devices: 5, low: 30, high: 40 });
  expect(tellColumn(told, 2)).toBeNull();
  expect(tellColumn(told, 3)).toBeNull();
  expect(tellColumn(told, 99)).toBeNull();
  expect(tellColumn(map([[1]], { low: null, high: null }), 0)).toBeNull();
  expect(tellColumn(map([[1]], { low: 7, high: 7 }), 0)).toEqual({ devices: 1, low: 7, high: 7 });
});

test('one device is seen among many, none is not, and the most are the strongest', () => {
  expect(strength(0, 1000)).toBe(0);
  expect(strength(1, 1000)).toBeCloseTo(0.3);
  expect(strength(1000, 1000)).toBeCloseTo(1);
  expect(strength(1, 1)).toBeGreaterThan(0);
});

test.each([60_000, 3_600_000, 86_400_000, 40 * 86_400_000, 9000 * 86_400_000])('ticks of %d ms are inside, equally far, and not too many', (length) => {
  const { times, distance } = roundTimes(from + 1234, from + 1234 + length, 8);
  expect(times.length).toBeGreaterThan(0);
  expect(times.length).toBeLessThanOrEqual(8 + 1);
  expect(times.every((at, i) => at >= from + 1234 && at < from + 1234 + length && (i === 0 || at - times[i - 1]! === distance))).toBe(true);
});

const line = (...highest: (number | null)[]) => ({ top: { deviceId: 'a&b', highest } });

test('the question of a tail names the last two columns, the rows and the line', () => {
  const params = new URLSearchParams(tailOf(map([[1], [2], [3]], line(1, 2, 3))));
  expect(Object.fromEntries(params)).toEqual({ since: new Date(from + 60_000).toISOString(), low: '10', high: '40', line: 'a&b' });
});

test('a map goes on with what its tail says, and keeps as many columns', () => {
  const old = map([[1], [2], [3]], line(1, 2, 3));
  const news = { ...map([[4], [5], [6]], line(4, 5, null)), from: new Date(from + 60_000).toISOString(), to: new Date(from + 4 * 60_000).toISOString() };
  const joined = joinedMap(old, news)!;
  expect(joined.columns).toEqual([[4], [5], [6]]);
  expect([joined.from, joined.to]).toEqual([news.from, news.to]);
  const same = { ...map([[7], [8]], line(7, 8)), from: new Date(from + 60_000).toISOString(), to: old.to };
  expect(joinedMap(old, same)).toEqual({ ...old, columns: [[1], [7], [8]], top: { deviceId: 'a&b', highest: [1, 7, 8] } });
});

test('what does not fit is asked for as a whole', () => {
  const old = map([[1], [2]], line(1, 2));
  expect(joinedMap(old, old)).toEqual(old);
  for (const more of [{ stepMs: 120_000 }, { source: 'hours' as const }, { low: 9 }, { high: 41 }, { top: null }, { from: new Date(from - 60_000).toISOString() }])
    expect(joinedMap(old, { ...old, ...more })).toBeNull();
});
