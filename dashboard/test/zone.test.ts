/* In a zone that is ahead, has halves of hours nowhere and another offset in summer. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const was = process.env.TZ;
const NIGHT = Date.UTC(2026, 6, 31, 22, 30); /* the next day in Berlin */

beforeEach(() => {
  process.env.TZ = 'Europe/Berlin';
  localStorage.clear();
  vi.resetModules();
});

afterEach(() => {
  if (was === undefined) delete process.env.TZ;
  else process.env.TZ = was;
});

const load = async () => ({
  ...(await import('../src/zone')),
  ...(await import('../src/format')),
  ...(await import('../src/spans')),
  ...(await import('../src/heat')),
});

test('moments are written in the zone of the browser until UTC is chosen, each with the name of then', async () => {
  const { setUtc, zoneName, shortZone, formatMoment, formatShortMoment, formatNear, formatRange } = await load();
  expect([zoneName(), shortZone(NIGHT), shortZone(Date.UTC(2026, 0, 1))]).toEqual(['Europe/Berlin', 'CEST', 'CET']);
  expect(formatMoment(NIGHT)).toBe('1 Aug 2026, 00:30:00');
  expect(formatNear(NIGHT, NIGHT + 3_600_000)).toBe('00:30:00');
  setUtc(true);
  expect([zoneName(), shortZone(NIGHT)]).toEqual(['UTC', 'UTC']);
  expect(formatMoment(NIGHT)).toBe('31 Jul 2026, 22:30:00');
  expect(formatShortMoment(NIGHT)).toBe('31 Jul 22:30');
  expect(formatNear(NIGHT, NIGHT + 2 * 3_600_000)).toBe('31 Jul 2026, 22:30:00');
  expect(formatRange(NIGHT, NIGHT + 60_000)).toBe('31 Jul 2026, 22:30:00 to 22:31:00');
});

test('the choice is kept, and taken back', async () => {
  (await load()).setUtc(true);
  vi.resetModules();
  const again = await load();
  expect(again.zoneName()).toBe('UTC');
  again.setUtc(false);
  vi.resetModules();
  expect((await load()).zoneName()).toBe('Europe/Berlin');
});

test('a browser without storage switches, too', async () => {
  vi.stubGlobal('localStorage', undefined);
  const { setUtc, zoneName } = await load();
  setUtc(true);
  expect(zoneName()).toBe('UTC');
  vi.unstubAllGlobals();
});

describe('what a field holds', () => {
  test.each([NIGHT, Date.UTC(2026, 2, 29, 0, 59, 59), Date.UTC(2026, 2, 29, 1), Date.UTC(2026, 0, 1)])('is the same moment in either zone: %d', async (ms) => {
    const { setUtc, toField, ofField } = await load();
    expect(ofField(toField(ms))).toBe(ms);
    setUtc(true);
    expect(toField(ms)).toBe(new Date(ms).toISOString().slice(0, 19));
    expect(ofField(toField(ms))).toBe(ms);
    expect(ofField('2026-01-02T03:04')).toBe(Date.UTC(2026, 0, 2, 3, 4));
    expect(ofField('tomorrow')).toBeNaN();
  });
});

test('last night and yesterday are of the zone', async () => {
  const { setUtc, presets } = await load();
  const of = (label: string) => presets.find((preset) => preset.label === label)!.of(NIGHT);
  expect(of('Yesterday')).toEqual({ from: Date.UTC(2026, 6, 30, 22), to: Date.UTC(2026, 6, 31, 22) });
  setUtc(true);
  expect(of('Yesterday')).toEqual({ from: Date.UTC(2026, 6, 30), to: Date.UTC(2026, 6, 31) });
  expect(of('Last night')).toEqual({ from: Date.UTC(2026, 6, 30, 20), to: Date.UTC(2026, 6, 31, 6) });
});

test('the day on which clocks change is 23 hours long, and 24 in UTC', async () => {
  const { setUtc, presets } = await load();
  const hours = () => {
    const { from, to } = presets[1]!.of(Date.UTC(2026, 2, 30, 12));
    return (to - from) / 3_600_000;
  };
  expect(hours()).toBe(23);
  setUtc(true);
  expect(hours()).toBe(24);
});

test('an axis of days has its ticks at midnight of the zone', async () => {
  const { setUtc, roundTimes } = await load();
  const first = () => roundTimes(Date.UTC(2026, 6, 1, 5), Date.UTC(2026, 6, 6, 5), 6).times[0];
  expect(first()).toBe(Date.UTC(2026, 6, 1, 22));
  setUtc(true);
  expect(first()).toBe(Date.UTC(2026, 6, 2));
});
