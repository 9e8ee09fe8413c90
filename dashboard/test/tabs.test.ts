import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TabSource, type TabParts } from '../src/tabs';
import { FakeSource, board, reading, status } from './fakes';

/* Web Locks and a BroadcastChannel, as far as tabs.ts uses them. */
interface Asked {
  name: string;
  mode: string;
  callback: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

const aborted = () => new DOMException('taken away', 'AbortError');

class FakeLocks {
  held: Asked[] = [];
  waiting: Asked[] = [];
  isForbidden = false;

  query = () => Promise.resolve({ held: this.held.map(({ name, mode }) => ({ name, mode })) } as LockManagerSnapshot);

  request = (name: string, options: LockOptions, callback: () => unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (this.isForbidden) return reject(new DOMException('no', 'SecurityError'));
      const asked: Asked = { name, mode: options.mode ?? 'exclusive', callback, resolve, reject };
      if (options.steal) {
        for (const one of this.held.filter((held) => held.name === name)) one.reject(aborted());
        this.held = this.held.filter((held) => held.name !== name);
        this.waiting.unshift(asked);
      } else {
        this.waiting.push(asked);
      }
      options.signal?.addEventListener('abort', () => {
        if (!this.waiting.includes(asked)) return;
        this.waiting = this.waiting.filter((one) => one !== asked);
        reject(aborted());
      });
      queueMicrotask(() => this.#grant());
    });

  #grant(): void {
    for (const asked of [...this.waiting]) {
      if (this.held.some((one) => one.name === asked.name && (one.mode === 'exclusive' || asked.mode === 'exclusive'))) continue;
      this.waiting = this.waiting.filter((one) => one !== asked);
      this.held.push(asked);
      void Promise.resolve(asked.callback()).then((value) => {
        this.held = this.held.filter((one) => one !== asked);
        asked.resolve(value);
        this.#grant();
      });
    }
  }
}

let channels: FakeChannel[];

class FakeChannel {
  onmessage: ((event: MessageEvent) => void) | null = null;
  isDead = false;

  constructor(readonly name: string) {
    channels.push(this);
  }
  postMessage(data: unknown): void {
    if (this.isDead) return;
    for (const one of channels)
      if (one !== this && one.name === this.name && !one.isDead) queueMicrotask(() => one.onmessage?.({ data: structuredClone(data) } as MessageEvent));
  }
  close(): void {
    channels = channels.filter((one) => one !== this);
  }
}

let locks: FakeLocks;
let parts: TabParts;
const tabs: TabSource[] = [];
const sources = () => FakeSource.all.filter((one) => !one.isClosed);
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

interface Heard {
  types: string[];
  readings: string[];
  errors: number;
}

function join(url = 'events?interval=past_minute', own = parts): { tab: TabSource; heard: Heard; channel: FakeChannel } {
  const heard: Heard = { types: [], readings: [], errors: 0 };
  const tab = new TabSource(url, own);

  for (const type of ['board', 'status', 'change'])
    tab.addEventListener(type, (event) => {
      const { readings } = JSON.parse((event as MessageEvent<string>).data) as { readings?: { deviceId: string }[] };
      heard.types.push(type);
      if (readings) heard.readings = readings.map((one) => one.deviceId);
    });
  tab.onerror = () => heard.errors++;
  tabs.push(tab);
  return { tab, heard, channel: channels.at(-1)! };
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
  channels = [];
  locks = new FakeLocks();
  parts = {
    locks: locks as unknown as TabParts['locks'],
    channel: (name) => new FakeChannel(name) as unknown as BroadcastChannel,
    open: (url) => new FakeSource(url),
  };
});

afterEach(() => {
  for (const tab of tabs.splice(0)) tab.close();
  vi.useRealTimers();
});

describe('tabs of one browser', () => {
  test('share one stream, and each hears all of it', async () => {
    const all = Array.from({ length: 20 }, () => join());
    await settle();
    expect(sources()).toHaveLength(1);
    sources()[0]!.say('status', status());
    sources()[0]!.say('board', board([reading('a', 1)]));
    await settle();
    for (const { heard } of all) expect(heard).toEqual({ types: ['status', 'board'], readings: ['a'], errors: 0 });
  });

  test('that come late get the state at once', async () => {
    join();
    await settle();
    sources()[0]!.say('status', status());
    sources()[0]!.say('board', board([reading('a', 1)]));
    const { heard } = join();
    await settle();
    expect(heard.types).toEqual(['board', 'status']);
    expect(sources()).toHaveLength(1);
  });

  test('one that is alone hands nothing on, and all again from the moment that another one comes', async () => {
    const { heard, channel } = join();
    await settle();
    const posted = vi.spyOn(channel, 'postMessage');
    const told = () => posted.mock.calls.filter(([message]) => (message as { kind: string }).kind === 'told').length;
    sources()[0]!.say('status', status());
    sources()[0]!.say('board', board([reading('a', 1)]));
    await settle(10_000);
    expect(told()).toBe(0);
    expect(heard.types).toEqual(['status', 'board']);
    const late = join();
    await settle();
    expect(late.heard.types).toEqual(['board', 'status']);
    sources()[0]!.say('board', board([reading('b', 2)]));
    await settle();
    expect(late.heard.readings).toEqual(['b']);
    late.tab.close();
    await settle(10_000);
    const before = told();
    sources()[0]!.say('board', board([reading('c', 3)]));
    expect(told()).toBe(before);
  });

  test('one that comes while the other looks who is there misses nothing', async () => {
    const first = join();
    await settle();
    sources()[0]!.say('status', status());
    const before = locks.query;
    let answer: (snapshot: LockManagerSnapshot) => void = () => undefined;
    const alone = await locks.query();
    locks.query = () => new Promise((resolve) => (answer = resolve));
    await settle(4000); /* it looks, and is answered with what was so before the other one came */
    const late = join();
    locks.query = before;
    await settle();
    answer(alone);
    await settle();
    sources()[0]!.say('board', board([reading('a', 1)]));
    await settle();
    expect(late.heard.readings).toEqual(['a']);
    expect(first.heard.readings).toEqual(['a']);
  });

  test('that come late get the boards with all changes', async () => {
    join();
    await settle();
    sources()[0]!.say('status', status());
    sources()[0]!.say('board', board([reading('a', 3), reading('b', 2)]), '7-1');
    sources()[0]!.say('change', { ...board([]), readings: undefined, upon: '7-1', removed: [0], added: [{ place: 1, reading: reading('c', 1) }] }, '7-2');
    const { heard } = join();
    await settle();
    expect(heard.readings).toEqual(['b', 'c']);
  });

  test('the next one listens when the one that did is closed', async () => {
    const first = join();
    const second = join();
    await settle();
    first.tab.close();
    await settle();
    expect(sources()).toHaveLength(1);
    sources()[0]!.say('status', status());
    expect(second.heard.types).toEqual(['status']);
  });

  test('another one takes over from one that hangs, which then follows', async () => {
    const first = join();
    const second = join();
    await settle();
    first.channel.isDead = true; /* says nothing any more, and keeps its lock */
    await settle(2500);
    first.channel.isDead = false;
    await settle(500);
    expect(sources()).toHaveLength(1);
    sources()[0]!.say('status', status());
    await settle();
    expect(second.heard.types).toEqual(['status']);
    expect(first.heard.types).toEqual(['status']);
  });

  test('one that leads and speaks keeps its lock', async () => {
    join();
    join();
    await settle(60_000);
    expect(FakeSource.all).toHaveLength(1);
  });

  test('with other intervals are one stream of all of them, as long as they are there', async () => {
    join();
    await settle();
    const other = join('events?interval=past_hour');
    await settle();
    expect(sources().map((one) => one.url)).toEqual(['events?interval=past_hour%2Cpast_minute']);
    other.tab.close();
    await settle(10_000);
    expect(sources().map((one) => one.url)).toEqual(['events?interval=past_minute']);
  });

  test('with another order have another stream', async () => {
    join();
    join('events?interval=past_minute&order=asc');
    await settle();
    expect(sources().map((one) => one.url).sort()).toEqual(['events?interval=past_minute', 'events?interval=past_minute&order=asc']);
  });

  test('all hear that the stream broke', async () => {
    const all = [join(), join()];
    await settle();
    sources()[0]!.fail();
    await settle();
    expect(all.map(({ heard }) => heard.errors)).toEqual([1, 1]);
  });

  test('that may not lock listen each for itself', async () => {
    locks.isForbidden = true;
    join();
    join();
    await settle();
    expect(sources()).toHaveLength(2);
  });

  test('leave nothing behind', async () => {
    const all = [join(), join()];
    await settle();
    for (const { tab } of all) tab.close();
    await settle(10_000);
    expect([sources().length, locks.held.length, locks.waiting.length, channels.length]).toEqual([0, 0, 0, 0]);
  });
});
