import { expect, test } from 'vitest';
import { ofField, presets, toField } from '../src/spans';

const of = (label: string, now: Date) => {
  const { from, to } = presets.find((preset) => preset.label === label)!.of(now.getTime());
  return [new Date(from), new Date(to)];
};

test.each([new Date(2026, 10, 27, 0, 0), new Date(2026, 10, 27, 3, 1), new Date(2026, 10, 27, 23, 59)])('last night, at %s', (now) => {
  expect(of('Last night', now)).toEqual([new Date(2026, 10, 26, 20), new Date(2026, 10, 27, 6)]);
  expect(of('Yesterday', now)).toEqual([new Date(2026, 10, 26), new Date(2026, 10, 27)]);
});

test('on the first of a month, and of a year', () => {
  expect(of('Last night', new Date(2026, 0, 1, 9))).toEqual([new Date(2025, 11, 31, 20), new Date(2026, 0, 1, 6)]);
  expect(of('Yesterday', new Date(2026, 2, 1, 9))).toEqual([new Date(2026, 1, 28), new Date(2026, 2, 1)]);
});

test('the past week has what came in this minute', () => {
  const [from, to] = of('Past week', new Date(2026, 10, 27, 9, 30, 5)) as [Date, Date];
  expect(to).toEqual(new Date(2026, 10, 27, 9, 31));
  expect(to.getTime() - from.getTime()).toBe(7 * 86_400_000);
});

test('a moment survives its field, and what is none is none', () => {
  const ms = new Date(2026, 0, 2, 3, 4, 5).getTime();
  expect(toField(ms)).toBe('2026-01-02T03:04:05');
  expect(ofField(toField(ms))).toBe(ms);
  expect(ofField('2026-01-02T03:04')).toBe(new Date(2026, 0, 2, 3, 4).getTime());
  expect(ofField('')).toBeNaN();
});
