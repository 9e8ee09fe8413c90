import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Live, keepIdentity, type Names } from '../src/live';
import { FakeSource, board, collector, reading, status } from './fakes';

const names: Names = { features: ['temperature', 'pressure'], intervals: ['past_minute', 'past_hour'], version: '1' };

let frames: (() => void)[];
let answer: () => Promise<Names>;
let live: Live;

const draw = () => {
  const due = frames;
  frames = [];
  for (const one of due) one();
};
const settle = async () => {
  await vi.advanceTimersByTimeAsync(0);
  draw();
};

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 23, 12) });
  FakeSource.all = [];
  frames = [];
  answer = () => Promise.resolve(names);
  live = new Live({ open: (url) => new FakeSource(url), names: () => answer(), frame: (one) => frames.push(one), calmly: (one) => frames.push(one) });
});

afterEach(() => {
  live.close();
  vi.useRealTimers();
});

const start = async () => {
  live.watch(null, 'desc');
  await settle();
  FakeSource.last.say('status', status());
  FakeSource.last.say('board', board([reading('a', 1)]));
  draw();
};

describe('changes', () => {
  const change = (upon: string, removed: number[], added: object[]) => ({ ...board([]), readings: undefined, upon, removed, added });
  const shown = () => live.get().boards.get('temperature')?.readings.map((one) => one.deviceId);

  test('are put upon the board that they go upon', async () => {
    await start();
    FakeSource.last.say('board', board([reading('a', 3), reading('b', 2), reading('c', 1)]), '7-1');
    FakeSource.last.say('change', change('7-1', [1, 2], [{ place: 0, reading: reading('d', 4) }, { place: 2, reading: reading('b', 2.5) }]), '7-3');
    FakeSource.last.say('change', change('7-3', [], [{ place: 3, reading: reading('e', 0) }]), '7-4');
    draw();
    expect(shown()).toEqual(['d', 'a', 'b', 'e']);
    expect(FakeSource.all).toHaveLength(1);
  });

  test('are drawn when it is time for them, or with what cannot wait', async () => {
    const calm: (() => void)[] = [];
    live = new Live({ open: (url) => new FakeSource(url), names: () => answer(), frame: (one) => frames.push(one), calmly: (one) => calm.push(one) });
    const drawn = vi.fn();
    await start();
    live.subscribe(drawn);
    FakeSource.last.say('board', board([reading('a', 3)]), '7-1');
    draw();
    FakeSource.last.say('change', change('7-1', [], [{ place: 1, reading: reading('b', 2) }]), '7-2');
    FakeSource.last.say('change', change('7-2', [], [{ place: 2, reading: reading('c', 1) }]), '7-3');
    draw();
    expect(shown()).toEqual(['a']);
    expect(calm).toHaveLength(1);
    calm.pop()!();
    expect(shown()).toEqual(['a', 'b', 'c']);
    FakeSource.last.say('change', change('7-3', [0], []), '7-4');
    FakeSource.last.say('status', status());
    draw();
    expect(shown()).toEqual(['b', 'c']);
    expect(drawn).toHaveBeenCalledTimes(3);
    calm.pop()!(); /* nothing is new */
    expect(drawn).toHaveBeenCalledTimes(3);
  });

  test('that go upon another board are no reason to show what never was', async () => {
    await start();
    FakeSource.last.say('board', board([reading('a', 3)]), '7-1');
    FakeSource.last.say('change', change('7-2', [0], []), '7-3');
    await settle();
    expect(shown()).toEqual(['a']);
    expect(FakeSource.all).toHaveLength(2);
  });

  test('of a board that has not come yet wait for it', async () => {
    live.watch(null, 'desc');
    await settle();
    FakeSource.last.say('change', change('7-2', [0], []), '7-3');
    await settle();
    expect(FakeSource.all).toHaveLength(1);
    expect(shown()).toBeUndefined();
  });
});

describe('a tab that nobody sees', () => {
  test('does not listen, and listens at once when it is seen again', async () => {
    await start();
    live.rest();
    draw();
    expect(FakeSource.last.isClosed).toBe(true);
    expect(live.get().link).toBe('connecting');
    live.retry();
    live.watch('past_hour', 'desc');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(FakeSource.all).toHaveLength(1);
    live.wake();
    await settle();
    expect(FakeSource.all).toHaveLength(2);
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_hour');
  });

  test('that was opened unseen asks for nothing', async () => {
    live.rest();
    live.watch(null, 'desc');
    await settle();
    expect(FakeSource.all).toHaveLength(0);
  });
});

describe('connecting', () => {
  test('asks for the names, then listens to the first interval', async () => {
    live.watch(null, 'desc');
    await settle();
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_minute');
    expect(live.get()).toMatchObject({ link: 'connecting', interval: 'past_minute', names });
  });

  test('is live with the first event', async () => {
    await start();
    expect(live.get().link).toBe('live');
    expect(live.get().boards.get('temperature')!.readings).toHaveLength(1);
  });

  test('another interval is another stream, without the boards of the old one', async () => {
    await start();
    const first = FakeSource.last;
    live.watch('past_hour', 'desc');
    await settle();
    expect(first.isClosed).toBe(true);
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_hour');
    expect(live.get().boards.size).toBe(0);
    first.say('board', board([reading('late', 9)]));
    draw();
    expect(live.get().boards.size).toBe(0);
  });

  test('naming the interval that is shown anyway changes nothing', async () => {
    await start();
    live.watch('past_minute', 'desc');
    await settle();
    expect(FakeSource.all).toHaveLength(1);
  });

  test('an interval that does not exist is not asked for', async () => {
    live.watch('past_year', 'desc');
    await settle();
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_minute');
  });

  test('the lowest are asked for by order', async () => {
    live.watch('past_hour', 'asc');
    await settle();
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_hour&order=asc');
  });
});

describe('losing', () => {
  test('an error keeps the boards and tries again, slower and slower', async () => {
    await start();
    FakeSource.last.fail();
    draw();
    expect(live.get()).toMatchObject({ link: 'lost', lostAt: Date.now() });
    expect(live.get().boards.size).toBe(1);
    const tries: number[] = [];
    const from = Date.now();
    while (tries.length < 8) {
      const before = FakeSource.all.length;
      await vi.advanceTimersByTimeAsync(50);
      if (FakeSource.all.length > before) {
        tries.push(Date.now() - from);
        FakeSource.last.fail();
      }
    }
    expect(tries[0]).toBeLessThanOrEqual(350);
    expect(tries[7]! - tries[6]!).toBeGreaterThanOrEqual(2200);
    expect(tries[7]! - tries[6]!).toBeLessThanOrEqual(3850);
  });

  test('silence is noticed', async () => {
    await start();
    await vi.advanceTimersByTimeAsync(4900);
    draw();
    expect(live.get().link).toBe('live');
    await vi.advanceTimersByTimeAsync(200);
    draw();
    expect(live.get().link).toBe('lost');
    expect(FakeSource.all[0]!.isClosed).toBe(true);
  });

  test('heals with the next event', async () => {
    await start();
    FakeSource.last.fail();
    await vi.advanceTimersByTimeAsync(400);
    FakeSource.last.say('status', status());
    draw();
    expect(live.get()).toMatchObject({ link: 'live', lostAt: null });
  });

  test('retry() does not wait', async () => {
    await start();
    FakeSource.last.fail();
    live.retry();
    await settle();
    expect(FakeSource.all).toHaveLength(2);
  });

  test('a server that is not there at all is tried again', async () => {
    answer = () => Promise.reject(new Error('refused'));
    live.watch(null, 'desc');
    await settle();
    expect(live.get().link).toBe('lost');
    expect(FakeSource.all).toHaveLength(0);
    answer = () => Promise.resolve(names);
    await vi.advanceTimersByTimeAsync(400);
    expect(FakeSource.all).toHaveLength(1);
  });

  test('names may be others after a restart', async () => {
    await start();
    answer = () => Promise.resolve({ ...names, features: ['humidity'] });
    FakeSource.last.fail();
    await vi.advanceTimersByTimeAsync(400);
    draw();
    expect(live.get().names!.features).toEqual(['humidity']);
  });
});

describe('drawing', () => {
  test('many events are one drawing', async () => {
    await start();
    const listener = vi.fn();
    live.subscribe(listener);
    for (let i = 0; i < 50; i++) FakeSource.last.say('board', board([reading('a', i)]));
    expect(listener).not.toHaveBeenCalled();
    draw();
    expect(listener).toHaveBeenCalledTimes(1);
    expect(live.get().boards.get('temperature')!.readings[0]!.temperature).toBe(49);
  });

  test('readings that did not change stay the same objects', () => {
    const a = reading('a', 1);
    const b = reading('b', 2);
    const kept = keepIdentity([a, b], [{ ...b }, { ...a, temperature: 3 }]);

    expect(kept[0]).toBe(b);
    expect(kept[1]).not.toBe(a);
  });
});

describe('what a status says', () => {
  test('rates of live collectors are summed and kept for five minutes', async () => {
    await start();
    for (let i = 0; i < 320; i++) {
      vi.setSystemTime(Date.now() + 1000);
      FakeSource.last.say(
        'status',
        status({ collectors: [collector({ ratePerSecond: i }), collector({ ratePerSecond: 1 }), collector({ isLive: false, ratePerSecond: 50 })] }),
      );
    }
    draw();
    const [times, rates] = live.get().rates;
    expect(rates).toHaveLength(300);
    expect(rates.at(-1)).toBe(320);
    expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
  });

  test('lag is that of readings new on a board, not of those that come up when others expire', async () => {
    await start();
    vi.setSystemTime(Date.now() + 500);
    FakeSource.last.say('board', board([reading('fresh', 5, 80), reading('old', 2, 40_000)]));
    FakeSource.last.say('status', status());
    draw();
    expect(live.get().lag).toEqual({ median: 80, p95: 80, count: 1 });
  });
});
