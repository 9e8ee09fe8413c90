import { describe, expect, test } from 'vitest';
import type { BoardHistory, ComparedPoints } from '../src/contract';
import { lineOf, missingOf, toLines, withMore } from '../src/lines';
import { reading } from './fakes';

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

describe('who is new on a board', () => {
  const at = (step: number) => new Date(60_000 * step).toISOString();
  const history: BoardHistory = { asOf: at(3), from: at(0), to: at(3), stepMs: 60_000, labels: { a: 'Pump' }, series: [of([1, null, 2])] };
  const boards = (...ids: string[]) => new Map([['f', { readings: ids.map((id) => reading(id, 1)) }], ['g', { readings: [] }]]);

  test('is asked for, eight at once, if it is among the rows that have lines', () => {
    const lines = toLines(history);
    const ids = Array.from({ length: 12 }, (_, i) => `n${i}`);

    expect(missingOf(boards('a', 'b'), lines, new Set(), 100)).toMatchObject({ devices: ['b'], features: ['f'] });
    expect(missingOf(boards('a'), lines, new Set(), 100).devices).toEqual([]);
    expect(missingOf(boards(...ids), lines, new Set(), 100).devices).toEqual(ids.slice(0, 8));
    expect(missingOf(boards('a', ...ids), lines, new Set(), 4).devices).toEqual(['n0']);
  });

  test('is not asked for again in vain, until it comes anew', () => {
    const lines = toLines(history);
    const hasNone = new Set<string>();

    for (const one of missingOf(boards('b'), lines, hasNone, 100).devices) hasNone.add(one);
    expect(missingOf(boards('a', 'b'), lines, hasNone, 100).devices).toEqual([]);
    expect(missingOf(boards('a'), lines, hasNone, 100).devices).toEqual([]);
    expect(missingOf(boards('b'), lines, hasNone, 100).devices).toEqual(['b']);
  });

  test('is asked for again when its line was there, and is not among the next ones', () => {
    const hasNone = new Set(['a']);

    missingOf(boards('a'), toLines(history), hasNone, 100);
    expect(missingOf(boards('a'), toLines({ ...history, series: [] }), hasNone, 100).devices).toEqual(['a']);
  });

  test('has its line in the steps of the others', () => {
    const points = [{ timestamp: at(1), count: 2, f: { min: 3, max: 5, mean: 4 }, g: null }];
    const more: ComparedPoints = { from: at(0), to: at(3), stepMs: 60_000, total: 1, devices: [{ deviceId: 'b', isKnown: true, label: 'Fan', points }] };
    const lines = withMore(toLines(history), more);

    expect(lines.of('f', 'b')).toEqual({ deviceId: 'b', feature: 'f', min: [null, 3, null], max: [null, 5, null] });
    expect(lines.of('g', 'b')).toBeUndefined();
    expect(lines.of('f', 'a')!.min).toEqual([1, null, 2]);
  });
});
