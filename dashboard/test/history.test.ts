import { describe, expect, test } from 'vitest';
import type { Device, Point, Points } from '../src/contract';
import { around, dotted, lonePoints, moved, rangeOf, toColumns, zoomed } from '../src/history';

const START = Date.UTC(2026, 10, 23, 12);
const STEP_MS = 1000;

const point = (step: number, value: number | null): Point => ({
  timestamp: new Date(START + step * STEP_MS).toISOString(),
  count: 2,
  temperature: value === null ? null : { min: value - 1, max: value + 1, mean: value },
});

const answer = (...points: Point[]): Points => ({
  deviceId: 'd',
  from: new Date(START).toISOString(),
  to: new Date(START + 100 * STEP_MS).toISOString(),
  stepMs: STEP_MS,
  points,
});

describe('columns', () => {
  test('stand in the middle of their step, with the envelope', () => {
    const columns = toColumns(answer(point(0, 10), point(1, 11)), 'temperature');

    expect(columns.times).toEqual([START / 1000 + 0.5, START / 1000 + 1.5]);
    expect(columns.mins).toEqual([9, 10]);
    expect(columns.maxs).toEqual([11, 12]);
    expect(columns.counts).toEqual([2, 2]);
  });

  test('break where the device was silent', () => {
    const points = [0, 1, 2, 3, 20, 21].map((step) => point(step, step));

    expect(toColumns(answer(...points), 'temperature').means).toEqual([0, 1, 2, 3, null, 20, 21]);
  });

  test('do not break where readings are rarer than steps', () => {
    const points = [0, 5, 11, 16, 20].map((step) => point(step, step));

    expect(toColumns(answer(...points), 'temperature').means).toEqual([0, 5, 11, 16, 20]);
  });

  test('leave out steps without the feature', () => {
    const columns = toColumns(answer(point(0, 1), point(1, null), point(2, 3)), 'temperature');

    expect(columns.means).toEqual([1, 3]);
    expect(toColumns(answer(point(0, 1)), 'pressure').times).toEqual([]);
  });

  test('times rise strictly, as the plot needs them', () => {
    const { times } = toColumns(answer(...[0, 1, 2, 50, 51, 99].map((step) => point(step, 1))), 'temperature');

    expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
  });
});

test('a point that no line reaches is found', () => {
  expect(lonePoints([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(lonePoints([])).toEqual([]);
});

describe('zooming', () => {
  const now = START + 3_600_000;
  const hour = { from: START, to: now };

  test('in keeps the middle', () => {
    expect(zoomed(hour, 0.5, now)).toEqual({ from: START + 900_000, to: now - 900_000 });
  });

  test('out ends now', () => {
    expect(zoomed(hour, 2, now)).toEqual({ from: now - 7_200_000, to: now });
  });

  test('in ends at a second', () => {
    const range = zoomed({ from: START, to: START + 1000 }, 0.5, now);
    expect(range.to - range.from).toBe(1000);
  });

  test('moving later ends now', () => {
    expect(moved(hour, 0.5, now)).toEqual(hour);
    expect(moved(hour, -0.5, now)).toEqual({ from: START - 1_800_000, to: now - 1_800_000 });
  });

  test('spans', () => {
    expect(rangeOf('hour', now)).toEqual(hour);
    expect(rangeOf('all', now)).toBeNull();
  });
});

describe('dots', () => {
  test('are all points where they are far apart, and lone ones where they are not', () => {
    expect(dotted([1, 2, null, 4], 300)).toEqual([0, 1, 3]);
    expect(dotted([1, 2, null, 4], 20)).toEqual([3]);
  });
});

describe('the time around a peak', () => {
  const device = (count: number, seconds: number) =>
    ({
      statuses: { ON: count, OFF: 0, ACTIVE: 0, INACTIVE: 0 },
      firstSeenAt: '2026-11-01T00:00:00Z',
      latest: { timestamp: new Date(Date.UTC(2026, 10, 1) + seconds * 1000).toISOString() },
    }) as unknown as Device;

  test.each([
    ['a device that sends each second', device(3601, 3600), 150_000],
    ['one that sends every ten minutes', device(7, 3600), 50 * 600_000],
    ['one reading', device(1, 0), 150_000],
    ['a clock that is behind', device(5, -100), 150_000],
  ])('fits %s', (_, of, ms) => {
    expect(around(of)).toBe(ms);
  });
});
