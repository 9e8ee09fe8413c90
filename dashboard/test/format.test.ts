import { describe, expect, test } from 'vitest';
import * as format from '../src/format';

describe('values', () => {
  test.each([
    [[], 0],
    [[12, 7], 0],
    [[199.87, 3.2], 2],
    [[12.3456], 3],
    [[12.5, 12.25], 2],
    [[12.5, 13], 1],
    [[1013.26, 998.1], 1],
    [[-273.15], 2],
    [[0.1 + 0.2], 1],
    [[0.00123, 0.0009], 5],
    [[3e-6, 1e-6], 6],
    [[1e-12], 8],
  ])('%j needs %i decimals', (values, decimals) => {
    expect(format.decimalsFor(values)).toBe(decimals);
  });

  test.each([
    [0, 0, '0'],
    [1234567.891, 1, '1,234,567.9'],
    [-3.5, 1, '−3.5'],
    [4.2e12, 1, '4.200e12'],
    [-2.5e-7, 3, '−2.500e−7'],
    [0.0003, 4, '0.0003'],
  ])('%d with %i decimals reads %s', (value, decimals, text) => {
    expect(format.formatValue(value, decimals)).toBe(text);
  });

  test.each([
    [0, '0'],
    [9999, '9,999'],
    [12_345, '12.3 k'],
    [999_960, '1.00 M'],
    [4_560_000, '4.56 M'],
    [123_456_789, '123 M'],
    [7e9, '7.00 G'],
  ])('%d in short is %s', (count, text) => {
    expect(format.formatShort(count)).toBe(text);
  });
});

describe('times', () => {
  test.each([
    [-5000, '0 s'],
    [0, '0 s'],
    [999, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_599_000, '59 min'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [273_600_000, '3 d 4 h'],
  ])('an age of %d ms is %s', (age, text) => {
    expect(format.formatAge(age)).toBe(text);
  });

  test.each([
    [4.24, '4.2 ms'],
    [84.4, '84 ms'],
    [1234, '1,234 ms'],
    [12_340, '12.3 s'],
  ])('%d ms reads %s', (ms, text) => {
    expect(format.formatMs(ms)).toBe(text);
  });

  test('a range names its day once', () => {
    const noon = new Date(2026, 10, 24, 12).getTime();

    expect(format.formatRange(noon, noon + 60_000)).toBe('24 Nov 2026, 12:00:00 to 12:01:00');
    expect(format.formatRange(noon, noon + 86_400_000)).toBe('24 Nov 2026, 12:00:00 to 25 Nov 2026, 12:00:00');
  });
});

describe('names', () => {
  test.each([
    ['temperature', 'Temperature', ''],
    ['temperature_celsius', 'Temperature', '°C'],
    ['air_pressure_hpa', 'Air pressure', 'hPa'],
    ['pm2_5', 'Pm2 5', ''],
    ['pm10_ugm3', 'Pm10', 'µg/m³'],
    ['bar', 'Bar', ''],
  ])('feature %s is %s in %s', (feature, label, unit) => {
    expect(format.nameFeature(feature)).toEqual({ label, unit });
  });

  test.each([
    ['past_minute', 'Past minute', 'in the past minute'],
    ['all_time', 'All time', 'of all time'],
    ['shift', 'Shift', 'in shift'],
  ])('interval %s', (interval, name, phrase) => {
    expect(format.nameInterval(interval)).toBe(name);
    expect(format.phraseInterval(interval)).toBe(phrase);
  });
});

test('a feature is called what the contract calls it, with the name in reach', () => {
  format.setFeatureWords({ temperature_celsius: { title: 'Outdoor' }, load: { 'x-unit': '%' }, speed: {} });
  expect(format.nameFeature('temperature_celsius')).toEqual({ label: 'Outdoor', unit: '°C', title: 'temperature_celsius' });
  expect(format.nameFeature('load')).toMatchObject({ label: 'Load', unit: '%' });
  expect(format.nameFeature('speed')).toEqual({ label: 'Speed', unit: '' });
  format.setFeatureWords({});
});

describe('a column of a board', () => {
  test.each([
    [[1050.01, 1050.04, 1050.04], ['1,050.01', '1,050.04', '1,050.04']],
    [[1050.0123, 1050.0121, 999], ['1,050.0123', '1,050.0121', '999.0000']],
    [[1050, 1049], ['1,050', '1,049']],
    [[12.5, 12.25], ['12.50', '12.25']],
    [[1234567890123, 1234567890124], ['1.234567890123e12', '1.234567890124e12']],
    [[0.30000000000000004, 0.3], ['0.3', '0.3']],
    [[], []],
  ])('of %j has the digits that tell neighbours apart', (values, texts) => {
    expect(format.formatColumn(values)).toEqual(texts);
  });
});

describe('a length', () => {
  test.each([
    [40, '40 ms'],
    [0.2, '1 ms'],
    [1000, '1 second'],
    [7200, '7.2 seconds'],
    [90_000, '90 seconds'],
    [3_600_000, '1 hour'],
    [5_400_000, '90 minutes'],
    [86_400_000, '1 day'],
    [241 * 3_600_000, '10 days'],
    [100 * 3_600_000, '4.2 days'],
  ])('of %d ms is %s', (ms, text) => {
    expect(format.formatLength(ms)).toBe(text);
  });
});
