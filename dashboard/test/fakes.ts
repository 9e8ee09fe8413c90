/* A server and a browser's parts, as far as the page sees them. */
import { vi } from 'vitest';
import type { BoardEvent, Collector, Health, Reading, StatusEvent, Trouble } from '../src/contract';

export class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  static get last(): FakeSource {
    return FakeSource.all.at(-1)!;
  }

  onerror: ((event: Event) => void) | null = null;
  isClosed = false;

  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }

  close(): void {
    this.isClosed = true;
  }

  say(type: 'board' | 'change' | 'status', data: object, lastEventId = ''): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }));
  }

  fail(): void {
    this.onerror?.(new Event('error'));
  }
}

export const openapi = {
  components: { schemas: {} },
  info: { version: '1.2.3' },
  paths: {
    '/events': {
      get: {
        parameters: [
          { name: 'features', schema: { items: { enum: ['temperature', 'pressure'] } } },
          { name: 'interval', schema: { items: { enum: ['past_minute', 'past_hour', 'all_time'] } } },
        ],
      },
    },
  },
};

export const reading = (deviceId: string, temperature: number, ageMs = 0, more: Partial<Reading> = {}): Reading => ({
  deviceId,
  timestamp: new Date(Date.now() - ageMs).toISOString(),
  status: 'ON',
  temperature,
  pressure: 1,
  ...more,
});

export const board = (readings: Reading[], more: Partial<BoardEvent> = {}): BoardEvent => ({
  feature: 'temperature',
  interval: 'past_minute',
  order: 'desc',
  asOf: new Date().toISOString(),
  source: 'boards',
  readings,
  ...more,
});

export const collector = (more: Partial<Collector> = {}): Collector => ({
  collectorId: 'collector',
  isLive: true,
  state: 'live',
  devices: 15,
  received: 103,
  stored: 100,
  duplicates: 1,
  rejected: 2,
  inFlight: 0,
  ratePerSecond: 8,
  lagMs: 12,
  limit: 10,
  subscribe: 'devices/+/readings',
  startedAt: new Date(Date.now() - 60_000).toISOString(),
  version: '1.2.3',
  ...more,
});

export const status = (more: Partial<StatusEvent> = {}): StatusEvent => ({
  source: 'boards',
  at: new Date().toISOString(),
  asOf: new Date().toISOString(),
  health: { level: 'ok', worst: null, others: [] },
  reason: 'the boards are current',
  collectors: [collector()],
  front: {
    startedAt: new Date(Date.now() - 3_600_000).toISOString(),
    isBrokerUp: true,
    databaseConnections: 3,
    databaseBusy: 1,
    databaseWaiting: 0,
    databaseFailed: 2,
    connections: 4,
    streams: 1,
    requests: 1234,
    memoryBytes: 9_000_000,
  },
  ...more,
});

/** The health of a status in which this is wrong. */
export const health = (code: string, title: string, more: Partial<Trouble> = {}, ...others: Trouble[]): Health => {
  const worst: Trouble = { code, level: 'broken', since: new Date(Date.now() - 90_000).toISOString(), title, meaning: 'It means this.', action: 'Do that.', ...more };

  return { level: worst.level, worst, others };
};

export interface Reply {
  status?: number;
  body: unknown;
  headers?: Record<string, string>;
}

/** Answers by the beginning of the path; what is not there is refused. Returns the paths asked for. */
export function serve(given: Record<string, Reply | (() => Reply)>): string[] {
  const asked: string[] = [];
  const at = new Date().toISOString();
  const replies: Record<string, Reply | (() => Reply)> = { 'boards/history': { body: { asOf: at, from: at, to: at, stepMs: 60_000, labels: {}, series: [] } }, ...given };

  vi.stubGlobal('fetch', (path: string, { signal }: { signal: AbortSignal }) => {
    asked.push(path);
    const key = Object.keys(replies)
      .filter((start) => path.startsWith(start))
      .sort((a, b) => b.length - a.length)[0];
    if (key === undefined) return Promise.reject(new TypeError('Failed to fetch'));
    const found = replies[key]!;
    const reply = typeof found === 'function' ? found() : found;
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      resolve(
        new Response(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body), {
          status: reply.status ?? 200,
          headers: reply.headers ?? {},
        }),
      );
    });
  });
  return asked;
}

/** What jsdom lacks. */
export function furnish(): void {
  FakeSource.all = [];
  vi.stubGlobal('EventSource', FakeSource);
  vi.stubGlobal('scrollTo', () => undefined);
  vi.stubGlobal('matchMedia', () => ({
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }));
  window.location.hash = '';
}
