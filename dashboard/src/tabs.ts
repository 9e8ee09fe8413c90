/* One stream of events for all tabs of a browser, which opens no more than six connections to a server.
 *
 * The tab that holds a Web Lock listens, to what all want, and hands on what it hears over a BroadcastChannel; the
 * others queue for the lock. So when that tab is closed or crashes, the next one listens at once. One that hangs keeps
 * its lock, but falls silent: then another takes the lock away. What a tab wants is a lock, too, which ends with it:
 * nobody keeps lists of who is there; and while nobody else is, nothing is handed on. There is one such stream for each
 * order, so two at most.
 *
 * Web Locks are there for https and localhost only; without them a tab listens for itself. */
import { applyChange, type HeldBoard } from './changes';
import type { BoardEvent, ChangeEvent } from './contract';

/** What is used of an EventSource. */
export interface Source extends EventTarget {
  onerror: ((event: Event) => void) | null;
  close(): void;
}

export interface TabParts {
  locks: Pick<LockManager, 'request' | 'query'>;
  channel: (name: string) => BroadcastChannel;
  open: (url: string) => Source;
}

const BEAT_MS = 400;
const BEATS_TO_LOOK = 10; /* whether a want has gone */
const SILENT_BEATS = 4; /* counted, not timed: a tab that hung itself has not listened for as long */

interface Told {
  type: 'board' | 'change' | 'status';
  data: string;
  id: string;
}

type Message =
  | { kind: 'beat' }
  | { kind: 'lost' }
  | { kind: 'hello'; from: string; interval: string }
  | { kind: 'told'; to: string | null; events: readonly Told[] };

export class TabSource extends EventTarget implements Source {
  onerror: ((event: Event) => void) | null = null;

  #parts: TabParts;
  #path: string;
  #params: URLSearchParams;
  #interval: string; /* '' = all */
  #name: string;
  #me = `${Math.random()}`;
  #channel: BroadcastChannel;
  #timer: ReturnType<typeof setInterval>;
  #beats = 0;
  #silent = 0;
  #isClosed = false;
  #onClosed!: () => void;
  #untilClosed = new Promise<void>((resolve) => (this.#onClosed = resolve));
  #queue = new AbortController();
  #wanting = new AbortController();
  #isWantHeld = false;

  /* of the one that leads */
  #isLeader = false;
  #source: Source | null = null;
  #heard = ''; /* the intervals that the source is about */
  #boards = new Map<string, HeldBoard>();
  #status: Told | null = null;
  #isAlone = false; /* by the last look; not before one */
  #hellos = 0;

  constructor(url: string, parts: TabParts) {
    super();
    const [path = '', query = ''] = url.split('?');
    this.#parts = parts;
    this.#path = path;
    this.#params = new URLSearchParams(query);
    this.#interval = this.#params.get('interval') ?? '';
    this.#params.delete('interval');
    this.#name = `highwater ${new URL(path, window.location.href).pathname}?${this.#params}`;
    this.#channel = parts.channel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#take(data);
    this.#timer = setInterval(() => this.#tick(), BEAT_MS);
    this.#request(`${this.#want}${this.#interval}`, { mode: 'shared', signal: this.#wanting.signal }, () => {
      this.#isWantHeld = true;
      this.#post({ kind: 'hello', from: this.#me, interval: this.#interval });
    });
    this.#request(this.#name, { signal: this.#queue.signal }, () => this.#lead());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#follow();
    this.#channel.close();
    this.#queue.abort();
    this.#wanting.abort();
    this.#onClosed();
  }

  get #want(): string {
    return `${this.#name} wants `;
  }

  /** Keeps the lock until this source is closed, or somebody takes it away. */
  #request(name: string, options: LockOptions, onHeld: () => void): void {
    this.#parts.locks
      .request(name, options, () => {
        if (this.#isClosed) return undefined;
        onHeld();
        return this.#untilClosed;
      })
      .catch((error: DOMException) => {
        if (this.#isClosed) return;
        if (error.name !== 'AbortError') {
          if (!this.#isLeader) this.#lead(); /* no storage, no locks: each tab for itself */
          return;
        }
        if (!this.#isLeader) return;
        this.#follow();
        this.#queue = new AbortController();
        this.#request(this.#name, { signal: this.#queue.signal }, () => this.#lead());
      });
  }

  #post(message: Message): void {
    if (!this.#isClosed) this.#channel.postMessage(message);
  }

  #tick(): void {
    if (this.#isLeader) {
      this.#post({ kind: 'beat' });
      if (++this.#beats % BEATS_TO_LOOK === 0) void this.#look();
    } else if (++this.#silent > SILENT_BEATS) {
      this.#silent = 0;
      this.#queue.abort();
      this.#request(this.#name, { steal: true }, () => this.#lead());
    }
  }

  #lead(): void {
    this.#isLeader = true;
    this.#isAlone = false;
    this.#post({ kind: 'beat' });
    void this.#look();
  }

  #follow(): void {
    this.#isLeader = false;
    this.#silent = 0;
    this.#forget();
  }

  #forget(): void {
    this.#source?.close();
    this.#source = null;
    this.#heard = '';
    this.#boards.clear();
    this.#status = null;
  }

  /** Listens to what is wanted now. */
  async #look(): Promise<void> {
    const hellos = this.#hellos;
    const { held } = await this.#parts.locks.query().catch((): LockManagerSnapshot => ({}));
    if (!this.#isLeader) return;
    const start = this.#want;
    const wanted = (held ?? []).map((lock) => lock.name ?? '').filter((name) => name.startsWith(start));
    this.#isAlone = held !== undefined && wanted.length === 1 && this.#isWantHeld && hellos === this.#hellos;
    const intervals = [...new Set([this.#interval, ...wanted.map((name) => name.slice(start.length))])].sort();
    const heard = intervals.includes('') ? '' : intervals.join(',');
    if (this.#source && heard === this.#heard) return;
    const query = new URLSearchParams({ ...(heard ? { interval: heard } : {}), ...Object.fromEntries(this.#params) });
    this.#forget();
    this.#heard = heard;
    this.#listen(this.#parts.open(`${this.#path}?${query}`));
  }

  #listen(source: Source): void {
    this.#source = source;
    for (const type of ['board', 'change', 'status'] as const) {
      source.addEventListener(type, (event) => {
        if (source !== this.#source) return;
        const { data, lastEventId } = event as MessageEvent<string>;
        const told = { type, data, id: lastEventId };
        this.#keep(told);
        if (!this.#isAlone) this.#post({ kind: 'told', to: null, events: [told] });
        this.#tell(told);
      });
    }
    source.onerror = (event) => {
      if (source !== this.#source) return;
      this.#post({ kind: 'lost' });
      this.onerror?.(event);
    };
  }

  /** For whoever joins later. */
  #keep(told: Told): void {
    if (told.type === 'status') {
      this.#status = told;
      return;
    }
    const event = JSON.parse(told.data) as BoardEvent | ChangeEvent;
    const key = `${event.interval} ${event.feature}`;
    const before = this.#boards.get(key);
    const board = 'upon' in event ? before && applyChange(before, event, told.id) : { ...event, id: told.id };

    if (board) this.#boards.set(key, board);
  }

  #tell({ type, data, id }: Told): void {
    this.dispatchEvent(new MessageEvent(type, { data, lastEventId: id }));
  }

  #take(message: Message): void {
    if (this.#isClosed) return;
    if (message.kind === 'hello') {
      if (this.#isLeader) this.#welcome(message.from, message.interval);
      return;
    }
    if (this.#isLeader) return; /* of one that does not know yet that it leads no more */
    this.#silent = 0;
    if (message.kind === 'lost') this.onerror?.(new Event('error'));
    if (message.kind === 'told' && (message.to === null || message.to === this.#me)) message.events.forEach((told) => this.#tell(told));
  }

  #welcome(to: string, interval: string): void {
    this.#isAlone = false;
    this.#hellos++;
    const boards = [...this.#boards.values()].filter((board) => !interval || board.interval === interval);
    const events = boards.map(({ id, ...board }): Told => ({ type: 'board', data: JSON.stringify(board), id }));

    if (this.#status) this.#post({ kind: 'told', to, events: [...events, this.#status] });
    void this.#look();
  }
}

/** A stream that is shared where it can be. */
export const openStream = (url: string): Source =>
  'locks' in navigator && 'BroadcastChannel' in window
    ? new TabSource(url, { locks: navigator.locks, channel: (name) => new BroadcastChannel(name), open: (at) => new EventSource(at) })
    : new EventSource(url);
