import { describe, expect, test } from 'vitest';
import { lineOf } from '../src/lines';

const of = (min: (number | null)[], max = min) => ({ deviceId: 'a', feature: 'f', min, max });
const time = { from: 0, stepMs: 1000 };

describe('the line of a series', () => {
  test('is what lies between lowest and highest, and marks the reading', () => {
    expect(lineOf(of([0, 5], [10, 5]), time, 500, 10)).toEqual({
      path: 'M25 8L75 50L75 50L25 92Z',
      mark: { x: 25, y: 8 },
      limits: [],
      low: 0,
      high: 10,
    });
  });

  test('reaches a reading that is newer than the series', () => {
    const line = lineOf(of([1, 2, null]), time, 2500, 9)!;

    expect(line.high).toBe(9);
    expect(line.mark).toEqual({ x: 83.3, y: 8 });
  });

  test('has no mark of another time', () => {
    expect(lineOf(of([1, 2]), time, -1, 9)).toMatchObject({ mark: null, high: 2 });
    expect(lineOf(of([1, 2]), time, 2000, 9)).toMatchObject({ mark: null, high: 2 });
  });

  test('breaks at a silence, not where readings are rarer than steps', () => {
    const parts = (min: (number | null)[]) => lineOf(of(min), time, -1, 0)!.path.split('M').length - 1;

    expect(parts([1, null, null, 2, null, null, 3])).toBe(1);
    expect(parts([1, 2, 3, 4, null, null, null, null, null, 5, 6, 7])).toBe(2);
  });

  test('of equal values lies in the middle, of none is none', () => {
    expect(lineOf(of([4, 4]), time, -1, 0)!.path).toBe('M25 50L75 50L75 50L25 50Z');
    expect(lineOf(of([null, null]), time, -1, 0)).toBeNull();
  });

  test.each([
    [-1.7e308, 1.7e308],
    [5e-324, 1e-323],
  ])('from %d to %d is drawn', (low, high) => {
    expect(lineOf(of([low, high]), time, -1, 0)!.path).not.toMatch(/NaN|Infinity/);
  });
});
