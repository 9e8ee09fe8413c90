import { describe, expect, test } from 'vitest';
import { loneValues, placeAt, toCompared } from '../src/compared';
import type { ComparedPoints } from '../src/contract';
import { compareHref, formatRoute, parseRoute } from '../src/router';

const START = Date.UTC(2026, 10, 26, 12);
const at = (step: number) => new Date(START + step * 1000).toISOString();
const points = (values: [number, number][]) =>
  values.map(([step, value]) => ({ timestamp: at(step), count: 2, temperature: { min: value - 1, max: value + 1, mean: value } }));
const answer = (...devices: [number, number][][]): ComparedPoints => ({
  from: at(0),
  to: at(60),
  stepMs: 1000,
  total: devices.length,
  devices: devices.map((values, i) => ({ deviceId: `d${i}`, isKnown: true, label: null, points: points(values) })),
});

describe('devices on one plot', () => {
  test('share their times; a line goes on over those of others, and breaks where its device was silent', () => {
    const { times, series } = toCompared(answer([[0, 1], [2, 3], [4, 5], [30, 7]], [[1, 10], [2, 11]]), 'temperature');
    const seconds = times.map((time) => time - START / 1000);

    expect(seconds).toEqual([0.5, 1.5, 2.5, 4.5, 17.5, 30.5]);
    expect(series[0]![0]).toEqual([1, undefined, 3, 5, null, 7]);
    expect(series[0]![1]).toEqual([2, undefined, 4, 6, null, 8]);
    expect(series[1]![0]).toEqual([undefined, 10, 11, undefined, undefined, undefined]);
  });

  test('a break is as long as the silence, whatever others send meanwhile', () => {
    const { series } = toCompared(answer([[0, 1], [1, 2], [2, 3], [30, 7]], Array.from({ length: 31 }, (_, i) => [i, i])), 'temperature');

    expect(series[0]![0].filter((value) => value === null)).toHaveLength(27);
    expect(series[1]![0]).not.toContain(null);
  });

  test('what no line reaches is a dot', () => {
    expect(loneValues([1, undefined, 3, null, undefined, 5])).toEqual([5]);
    expect(loneValues([undefined, 7, undefined])).toEqual([1]);
    expect(loneValues([1, undefined, 2])).toEqual([]);
    expect(loneValues([])).toEqual([]);
  });

  test('at the cursor a device says what it said last, unless it is silent then', () => {
    const [own] = toCompared(answer([[0, 1], [1, 2], [2, 3], [30, 7]]), 'temperature').columns;
    const place = (second: number) => placeAt(own!, START / 1000 + second);

    expect([place(0), place(0.5), place(2.4), place(2.5), place(3), place(20), place(31), place(500)]).toEqual([null, 0, 1, 2, null, null, 4, null]);
  });
});

describe('the URL', () => {
  test('has devices, each once and eight at most, and their time', () => {
    const href = compareHref(['a&b', 'c', '温'], { from: START, to: START + 1000 });

    expect(parseRoute(href)).toEqual({ view: 'compare', devices: ['a&b', 'c', '温'], span: 'hour', from: START, to: START + 1000 });
    expect(formatRoute(parseRoute(href))).toBe(href);
    expect(parseRoute(`#/compare?${'0123456789'.replace(/./g, 'device=$&&')}device=0&span=day`)).toMatchObject({
      devices: [...'01234567'],
      span: 'day',
      from: null,
    });
    expect(formatRoute(parseRoute('#/compare'))).toBe('#/compare');
  });
});
