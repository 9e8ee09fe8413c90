import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ComparedPoints, Points } from '../src/contract';
import { Growing, joined, stepOf } from '../src/growing';
import { serverNow } from '../src/clock';
import type { Range } from '../src/history';

const HOUR = 3_600_000;
const MINUTE = 60_000;
const NOW = Date.UTC(2026, 10, 23, 12, 0, 3);
const iso = (ms: number) => new Date(ms).toISOString();
const values = (answer: Points) => answer.points.map(({ timestamp, count }) => [Date.parse(timestamp), count]);

/** Readings, and what the server makes of a question about them. */
class Store {
  readings: number[] = [];
  asked: { range: Range | null; points: number }[] = [];
  stepsOf = (range: Range, points: number) => (range.to - range.from) / points;

  ask = (range: Range | null, points: number) => {
    this.asked.push({ range, points });
    const { from, to } = range ?? { from: this.readings[0]!, to: this.readings.at(-1)! + 1 };
    const stepMs = this.stepsOf({ from, to }, points);
    const counts = new Map<number, number>();
    for (const at of this.readings) {
      if (at < from || at >= to || at > Date.now()) continue;
      const step = from + Math.floor((at - from) / stepMs) * stepMs;
      counts.set(step, (counts.get(step) ?? 0) + 1);
    }
    const data: Points = {
      deviceId: 'd',
      from: iso(from),
      to: iso(to),
      stepMs,
      points: [...counts].sort(([a], [b]) => a - b).map(([at, count]) => ({ timestamp: iso(at), count })),
    };
    return Promise.resolve({ data, asOf: Date.now() });
  };
}

const signal = new AbortController().signal;
let store: Store;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date', 'performance'] });
  store = new Store();
  for (let at = NOW - 2 * HOUR; at < NOW + HOUR; at += 700) store.readings.push(at);
});

afterEach(() => {
  vi.useRealTimers();
});

const later = (ms: number) => vi.advanceTimersByTime(ms);

describe('a plot that goes on', () => {
  test('is the same as one asked for whole, at each moment', async () => {
    const growing = new Growing<Points>(store.ask, HOUR, 500);

    for (let round = 0; round < 40; round++) {
      const { data } = await growing.get(signal);
      const whole = await store.ask({ from: Date.parse(data.from!), to: Date.parse(data.to!) }, (Date.parse(data.to!) - Date.parse(data.from!)) / 7200);
      expect(values(data)).toEqual(values(whole.data));
      expect(Date.parse(data.from!)).toBeLessThanOrEqual(serverNow() - HOUR);
      expect(Date.parse(data.from!)).toBeGreaterThan(serverNow() - HOUR - 7200);
      expect(Date.parse(data.to!)).toBeGreaterThanOrEqual(serverNow());
      later([5000, 100, 30_000, 7200, 5000][round % 5]!);
    }
  });

  test('asks for a few steps but once a minute', async () => {
    const growing = new Growing<Points>(store.ask, HOUR, 500);

    for (let round = 0; round < 24; round++) {
      await growing.get(signal);
      later(5000);
    }
    const counts = store.asked.map(({ points }) => points);
    expect(counts.filter((points) => points > 400)).toHaveLength(2);
    expect(Math.max(...counts.filter((points) => points <= 400))).toBeLessThanOrEqual(4);
    for (const { range, points } of store.asked) expect((range!.to - range!.from) / points).toBe(7200);
  });

  test('has the step before the last again, and what came late to older ones within a minute', async () => {
    const growing = new Growing<Points>(store.ask, HOUR, 500);
    const count = ({ data }: { data: Points }) => data.points.reduce((sum, one) => sum + one.count, 0);

    await growing.get(signal);
    store.readings.push(NOW - 7000, NOW - 30 * MINUTE);
    later(5000);
    const next = await growing.get(signal);
    const all = store.readings.filter((at) => at >= Date.parse(next.data.from!) && at <= Date.now()).length;
    expect(count(next)).toBe(all - 1);
    later(56_000);
    const whole = await growing.get(signal);
    expect(count(whole)).toBe(store.readings.filter((at) => at >= Date.parse(whole.data.from!) && at <= Date.now()).length);
  });

  test('is asked for whole after a restart, a failure, an answer in other steps, one of others', async () => {
    const growing = new Growing<Points>(store.ask, HOUR, 500);
    const wholes = () => store.asked.filter(({ points }) => points > 400).length;

    await growing.get(signal);
    growing.restart();
    await growing.get(signal);
    expect(wholes()).toBe(2);

    const ask = store.ask;
    const failing = new Growing<Points>((range, points) => (points < 400 ? Promise.reject(new Error('gone')) : ask(range, points)), HOUR, 500);
    await failing.get(signal);
    await expect(failing.get(signal)).rejects.toThrow('gone');
    await failing.get(signal);
    expect(wholes()).toBe(4);

    await growing.get(signal);
    store.stepsOf = () => HOUR; /* what lies so far back was dropped */
    const { data } = await growing.get(signal);
    expect(data.stepMs).toBe(HOUR);
    expect(wholes()).toBe(5);
    await growing.get(signal);
    expect(wholes()).toBe(5);
  });

  test('goes on in the longer steps that the server makes of many readings', async () => {
    const step = 10_000;
    const ask = store.ask;
    const aligned = (range: Range | null, points: number) => ask(range && { from: Math.floor(range.from / step) * step, to: range.to }, points);
    const growing = new Growing<Points>(aligned, HOUR, 500);
    const whole = new Growing<Points>(aligned, HOUR, 500);

    store.stepsOf = (range, points) => Math.ceil((range.to - range.from) / points / step) * step;
    for (let round = 0; round < 12; round++) {
      const { data } = await growing.get(signal);
      expect(data.stepMs).toBe(step);
      expect(values(data).slice(-300)).toEqual(values((await whole.get(signal)).data).slice(-300));
      whole.restart();
      later(4000);
    }
    expect(store.asked.filter(({ points }) => points <= 4)).toHaveLength(11);
  });

  test('what was under way when something was missed is not joined', async () => {
    const growing = new Growing<Points>(store.ask, HOUR, 500);

    await growing.get(signal);
    const under = growing.get(signal);
    growing.restart();
    await under;
    expect(store.asked.map(({ points }) => points > 400)).toEqual([true, false, true]);
  });

  test('of all there is asks for the whole: each time, or each minute if a step is hours', async () => {
    const growing = new Growing<Points>(store.ask, null, 500);

    await growing.get(signal);
    await growing.get(signal);
    expect(store.asked).toEqual([
      { range: null, points: 500 },
      { range: null, points: 500 },
    ]);
    store.readings.unshift(NOW - 1000 * HOUR);
    store.stepsOf = () => 3 * HOUR;
    const { data } = await growing.get(signal);
    later(5000);
    expect((await growing.get(signal)).data).toBe(data);
    expect(store.asked).toHaveLength(3);
    later(MINUTE);
    await growing.get(signal);
    expect(store.asked).toHaveLength(4);
  });
});

test('steps are whole milliseconds, above an hour whole hours', () => {
  expect(stepOf(HOUR, 500)).toBe(7200);
  expect(stepOf(24 * HOUR, 500)).toBe(172_800);
  expect(stepOf(7 * 24 * HOUR, 500)).toBe(1_209_600);
  expect(stepOf(30 * 24 * HOUR, 500)).toBe(2 * HOUR);
});

test('several devices are joined each with its own, also one that was not known', () => {
  const point = (at: number, count: number) => ({ timestamp: iso(NOW + at), count });
  const answer = (from: number, to: number, ...devices: ComparedPoints['devices']): ComparedPoints => ({
    from: iso(NOW + from),
    to: iso(NOW + to),
    stepMs: 1000,
    total: devices.length,
    devices,
  });
  const device = (deviceId: string, isKnown: boolean, ...points: { timestamp: string; count: number }[]) => ({ deviceId, isKnown, label: null, points });
  const old = answer(0, 3000, device('a', true, point(0, 1), point(1000, 2), point(2000, 3)), device('b', false));
  const news = answer(2000, 5000, device('a', true, point(2000, 4), point(4000, 5)), device('b', true, point(3000, 1)));

  expect(joined(old, news, NOW + 1000)).toEqual(
    answer(1000, 5000, device('a', true, point(1000, 2), point(2000, 4), point(4000, 5)), device('b', true, point(3000, 1))),
  );
  expect(joined(old, { ...news, stepMs: 2000 }, NOW)).toBeNull();
  expect(joined(old, { ...news, devices: news.devices.slice(1) }, NOW)).toBeNull();
});
