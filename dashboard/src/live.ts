/* The one stream of server-sent events, and what it said last.
 *
 * Events change plain fields at once; readers get a new snapshot with the next frame, or, of changes of
 * boards, with one some time later: however many come, they are drawn five times a second at most, and not
 * at all while nobody looks. Readings that did not change keep their identity, so that their rows are not
 * drawn again.
 *
 * A browser's EventSource does not come back after an error status, and does not notice a connection
 * that is dead without a word. So it is only used to read; connecting again is done here. The server
 * says something every second: silence means it is gone. */
import { useSyncExternalStore } from 'preact/compat';
import { getJson } from './api';
import { learnServerTime, serverNow } from './clock';
import { applyChange, type HeldBoard } from './changes';
import type { BoardEvent, ChangeEvent, Collector, OpenApi, Order, Reading, StatusEvent } from './contract';
import { paced } from './pace';
import { openStream, type Source } from './tabs';
import { setFeatureWords } from './format';
import { unite, type Threshold } from './thresholds';

const CHANGES_APART_MS = 200;
const SILENCE_MS = 5000;
const RETRY_MS = [250, 500, 1000, 2000, 3000];
const RATES_KEPT = 300; /* one a second */
const LAGS_KEPT = 400;
const LAG_LONGEST_MS = 60_000;

/** Where a stream is, what it is about, what came. */
export interface LiveState {
  link: 'connecting' | 'live' | 'lost';
  lostAt: number | null;
  names: Names | null;
  interval: string | null;
  order: Order;
  boards: ReadonlyMap<string, HeldBoard>;
  status: StatusEvent | null;
  statusCount: number;
  thresholds: readonly Threshold[];
  rates: readonly [readonly number[], readonly number[]];
  lag: Lag | null;
}

/** What the settings of the server name. */
export interface Names {
  features: readonly string[];
  intervals: readonly string[];
  version: string;
}

/** From the moment in a reading to its being here, of readings that were new on a board. */
export interface Lag {
  median: number;
  p95: number;
  count: number;
}

export interface LiveParts {
  open: (url: string) => Source;
  names: (signal: AbortSignal) => Promise<Names>;
  /** Runs something before the next drawing. */
  frame: (draw: () => void) => void;
  /** The same, but not with each frame. */
  calmly: (draw: () => void) => void;
}

export async function askNames(signal: AbortSignal): Promise<Names> {
  const { data } = await getJson<OpenApi>('openapi.json', signal);
  const params = data.paths['/events']?.get.parameters ?? [];
  const list = (name: string) => params.find((param) => param.name === name)?.schema.items?.enum ?? [];

  setFeatureWords(data.components.schemas.Reading?.properties ?? {});
  return { features: list('features'), intervals: list('interval'), version: data.info.version };
}

/** The readings of `next`, with those of `before` in the place of equal ones. */
export function keepIdentity(before: readonly Reading[], next: Reading[]): Reading[] {
  const known = new Map(before.map((reading) => [reading.deviceId, reading]));

  return next.map((reading) => {
    const old = known.get(reading.deviceId);
    return old === reading || (old && Object.keys(reading).every((member) => old[member] === reading[member])) ? old : reading;
  });
}

export class Live {
  #parts: LiveParts;
  #state: LiveState = {
    link: 'connecting',
    lostAt: null,
    names: null,
    interval: null,
    order: 'desc',
    boards: new Map(),
    status: null,
    statusCount: 0,
    thresholds: [],
    rates: [[], []],
    lag: null,
  };
  #snapshot = this.#state;
  #due = new Set<LiveParts['frame']>();
  #listeners = new Set<() => void>();

  #wanted: { interval: string | null; order: Order } | null = null;
  #source: Source | null = null;
  #asking: AbortController | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null; /* until silence, or until the next try */
  #tries = 0;
  #isResting = false;
  #lags: number[] = [];

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get = (): LiveState => this.#snapshot;

  /** Listens to the boards of this interval from now on; null = the first that there is. */
  watch(interval: string | null, order: Order): void {
    if (this.#wanted?.interval === interval && this.#wanted.order === order) return;
    const isSame = this.#wanted !== null && this.#resolve(interval) === this.#state.interval && order === this.#state.order;
    this.#wanted = { interval, order };
    if (!isSame && !this.#isResting) void this.#connect();
  }

  /** Listens no more until wake(), as a tab that nobody sees. */
  rest = (): void => {
    this.#isResting = true;
    this.#drop();
    this.#set({ link: 'connecting', lostAt: null });
  };

  wake = (): void => {
    if (!this.#isResting) return this.retry();
    this.#isResting = false;
    if (this.#wanted) void this.#connect();
  };

  /** Tries at once, rather than when it is time. */
  retry = (): void => {
    if (this.#wanted && !this.#isResting && this.#state.link !== 'live') void this.#connect();
  };

  close(): void {
    this.#drop();
    this.#wanted = null;
  }

  /** The first one for null, and for one that does not exist. */
  #resolve(interval: string | null): string | null {
    const known = this.#state.names?.intervals ?? [];
    return known.find((name) => name === interval) ?? known[0] ?? null;
  }

  #set(change: Partial<LiveState>, when = this.#parts.frame): void {
    this.#state = { ...this.#state, ...change };
    if (this.#due.has(when)) return;
    this.#due.add(when);
    when(() => {
      this.#due.delete(when);
      if (this.#snapshot === this.#state) return;
      this.#snapshot = this.#state;
      for (const listener of this.#listeners) listener();
    });
  }

  #drop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#asking?.abort();
    this.#asking = null;
    this.#source?.close();
    this.#source = null;
  }

  async #connect(): Promise<void> {
    this.#drop();
    const { interval, order } = this.#wanted!;
    let names = this.#state.names;

    /* The names are asked for again with every connection: the server may have come back with others.
     * Only the first time has to wait for them. */
    const asking = new AbortController();
    this.#asking = asking;
    const asked = this.#parts.names(asking.signal).then(
      (told) => told,
      () => null,
    );
    if (!names) {
      names = await asked;
      if (asking.signal.aborted) return;
      if (!names) {
        this.#lose();
        return;
      }
      this.#set({ names });
    } else {
      void asked.then((told) => {
        if (told && !asking.signal.aborted) this.#set({ names: told });
      });
    }
    const shown = this.#resolve(interval);
    if (shown !== this.#state.interval || order !== this.#state.order)
      this.#set({ interval: shown, order, boards: new Map() });
    const query = new URLSearchParams({ changes: 'true', ...(shown ? { interval: shown } : {}), ...(order === 'asc' ? { order } : {}) });
    this.#listen(this.#parts.open(`events?${query}`));
  }

  #listen(source: Source): void {
    this.#source = source;
    const on = <T>(type: string, take: (data: T, id: string) => void) =>
      source.addEventListener(type, (event) => {
        if (source !== this.#source) return;
        this.#hear();
        const { data, lastEventId } = event as MessageEvent<string>;
        take(JSON.parse(data) as T, lastEventId);
      });

    source.onerror = () => {
      if (source === this.#source) this.#lose();
    };
    on<BoardEvent>('board', (board, id) => this.#takeBoard({ ...board, id }));
    on<ChangeEvent>('change', (change, id) => this.#takeChange(change, id));
    on<StatusEvent>('status', (status) => this.#takeStatus(status));
    this.#expectWithin(SILENCE_MS);
  }

  #expectWithin(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose(), ms);
  }

  #hear(): void {
    this.#tries = 0;
    this.#expectWithin(SILENCE_MS);
    if (this.#state.link !== 'live') this.#set({ link: 'live', lostAt: null });
  }

  #lose(): void {
    this.#drop();
    if (this.#state.link !== 'lost') this.#set({ link: 'lost', lostAt: serverNow() });
    const wait = RETRY_MS[Math.min(this.#tries++, RETRY_MS.length - 1)]!;
    /* not all pages of a server that restarts in the same moment */
    this.#timer = setTimeout(() => void this.#connect(), wait * (0.75 + Math.random() / 2));
  }

  #takeChange(change: ChangeEvent, id: string): void {
    if (!this.#isShown(change)) return;
    const before = this.#state.boards.get(change.feature);
    if (!before) return; /* it comes */
    const board = applyChange(before, change, id);

    if (board) this.#takeBoard(board, this.#parts.calmly);
    else void this.#connect(); /* whole boards come first */
  }

  #isShown = (of: { interval: string; order: Order }): boolean => of.interval === this.#state.interval && of.order === this.#state.order;

  #takeBoard(board: HeldBoard, when?: LiveParts['frame']): void {
    if (!this.#isShown(board)) return;
    const before = this.#state.boards.get(board.feature);
    const readings = keepIdentity(before?.readings ?? [], board.readings);

    if (before) this.#takeLags(before, readings);
    this.#set({ boards: new Map(this.#state.boards).set(board.feature, { ...board, readings }) }, when);
  }

  /** Readings younger than the board they came into; older ones come up when others expire. */
  #takeLags(before: BoardEvent, readings: readonly Reading[]): void {
    const known = new Set(before.readings);
    const now = serverNow();
    const since = Date.parse(before.asOf);

    for (const reading of readings) {
      if (known.has(reading)) continue;
      const at = Date.parse(reading.timestamp);
      const lag = now - at;
      if (at > since - 1000 && lag >= 0 && lag < LAG_LONGEST_MS) this.#lags.push(lag);
    }
    if (this.#lags.length > LAGS_KEPT) this.#lags.splice(0, this.#lags.length - LAGS_KEPT);
  }

  /** Of a collector that is lost nobody knows how many are beyond; what the limits were still holds. */
  #unite(collectors: readonly Collector[]): readonly Threshold[] {
    const before = this.#state.thresholds;
    const united = unite(collectors);
    const now = united.length || collectors.every((one) => one.isLive) ? united : before.map((one) => ({ ...one, devices: null }));

    return JSON.stringify(now) === JSON.stringify(before) ? before : now;
  }

  #takeStatus(status: StatusEvent): void {
    const at = Date.parse(status.at);
    const rate = status.collectors.reduce((sum, one) => sum + (one.isLive ? (one.ratePerSecond ?? 0) : 0), 0);
    const [times, rates] = this.#state.rates;
    const sorted = [...this.#lags].sort((a, b) => a - b);

    learnServerTime(at);
    this.#set({
      status,
      statusCount: this.#state.statusCount + 1,
      thresholds: this.#unite(status.collectors),
      rates: [
        [...times.slice(1 - RATES_KEPT), Math.max(serverNow() / 1000, (times.at(-1) ?? 0) + 0.001)],
        [...rates.slice(1 - RATES_KEPT), rate],
      ],
      lag: sorted.length
        ? {
            median: sorted[Math.floor(sorted.length / 2)]!,
            p95: sorted[Math.floor(sorted.length * 0.95)]!,
            count: sorted.length,
          }
        : null,
    });
  }
}

const frame = (draw: () => void) => void requestAnimationFrame(draw);

export const live = new Live({
  open: openStream,
  names: askNames,
  frame,
  calmly: paced(CHANGES_APART_MS, frame),
});

if (typeof window !== 'undefined') {
  const look = () => (document.visibilityState === 'hidden' ? live.rest() : live.wake());
  window.addEventListener('online', live.retry);
  document.addEventListener('visibilitychange', look);
  if (document.visibilityState === 'hidden') look();
}

/** `select` must return something that is the same as long as it is equal. */
export const useLive = <T>(select: (state: LiveState) => T): T =>
  useSyncExternalStore(live.subscribe, () => select(live.get()));

/** Rises with what the stream says, but at most every `seconds`: when to look again at what is asked
 * for over HTTP. */
export const useTick = (seconds: number): number => useLive((state) => Math.floor(state.statusCount / seconds));
