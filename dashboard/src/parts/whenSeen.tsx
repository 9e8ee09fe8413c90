/* What is out of sight: of twelve boards of a hundred rows some eighty rows are on the screen or near it. The browser says
 * what it skips (`content-visibility`); that is drawn a little at a time, so that whoever searches the page, or has it read
 * out, gets what was so some seconds ago, and all of it before it is printed. A browser that does not say what it
 * skips draws everything with each change. */
import { Component, type ComponentType, type ReactNode } from 'preact/compat';
import { isDifferent } from '../compat';

const STEP_MS = 100;
const IDLE_WITHIN_MS = 500;
const AT_ONCE = 4; /* rows that take some part of a frame */
const kinds: Unseen[] = [];

interface Drawn {
  forceUpdate: () => void;
}

const whenIdle = (run: () => void): void => {
  if ('requestIdleCallback' in window) requestIdleCallback(run, { timeout: IDLE_WITHIN_MS });
  else setTimeout(run);
};

/** What is skipped of one kind, each of which has its turn within `turnMs`, between two frames; counted, not timed: a busy
 * machine takes longer rather than has more to do at once. */
class Unseen {
  #waiting = new Set<Drawn>(); /* the one that waits longest first */
  #timer: ReturnType<typeof setInterval> | null = null;
  #steps: number;
  #atOnce: number;
  #due = 0; /* how many have their turn */
  #isAsked = false;

  constructor(turnMs: number, atOnce: number) {
    this.#steps = turnMs / STEP_MS;
    this.#atOnce = atOnce;
    kinds.push(this);
  }

  put(one: Drawn, isSeen: boolean): void {
    this.#waiting[isSeen ? 'delete' : 'add'](one);
    if (this.#waiting.size > 0) this.#timer ??= setInterval(() => this.#step(), STEP_MS);
    else if (this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #step(): void {
    this.#due = Math.min(this.#waiting.size, this.#due + this.#waiting.size / this.#steps);
    this.#ask();
  }

  #ask(): void {
    const count = Math.min(this.#atOnce, Math.floor(this.#due + 1e-9));

    if (this.#isAsked || count === 0) return;
    this.#isAsked = true;
    whenIdle(() => {
      this.#isAsked = false;
      this.#due -= count;
      this.draw(count);
      this.#ask();
    });
  }

  draw(count = this.#waiting.size): void {
    for (const one of this.#waiting) {
      if (count-- <= 0) return;
      this.#waiting.delete(one);
      this.#waiting.add(one);
      one.forceUpdate();
    }
  }
}

/** What is seen, one a frame: two boards that change at once take longer than a frame has, and rows that slide would stand
 * still meanwhile. */
class Seen {
  #waiting = new Set<Drawn>();
  #drawnAt: CSSNumberish | null = null; /* the time of the frame, the same one all through it */

  /** Whether it may be drawn now; if not, it is with one of the next frames. */
  isNext(one: Drawn): boolean {
    if (this.#isDrawn()) {
      if (this.#waiting.size === 0) requestAnimationFrame(this.#turn);
      this.#waiting.add(one);
      return false;
    }
    this.#waiting.delete(one);
    return true;
  }

  #isDrawn(): boolean {
    const now = document.timeline?.currentTime ?? null;
    const was = this.#drawnAt;

    this.#drawnAt = now;
    return now !== null && now === was;
  }

  #turn = (): void => {
    const [next] = this.#waiting;

    if (next && !this.#isDrawn()) {
      this.#waiting.delete(next);
      next.forceUpdate();
    }
    if (this.#waiting.size > 0) requestAnimationFrame(this.#turn);
  };

  drop(one: Drawn): void {
    this.#waiting.delete(one);
  }

  draw(): void {
    for (const one of this.#waiting) one.forceUpdate();
    this.#waiting.clear();
  }
}

const seen = new Seen();

/* In one go, so that what is in another comes after it. */
if (typeof window !== 'undefined')
  window.addEventListener('beforeprint', () => {
    seen.draw();
    kinds.forEach((kind) => kind.draw());
  });

export interface Sight {
  isSeen: boolean;
}

interface Within {
  /** It is part of something that is out of sight. The browser says nothing of it then. */
  isOut?: boolean;
}

/** Drawn again with other props, as memo() has it, while it is seen; those that have a frame for themselves one after another.
 * Its root is one element, the same one always. */
export function whenSeen<P extends object>(turnMs: number, Inner: ComponentType<P & Sight>, hasFrame = false): ComponentType<P & Within> {
  const unseen = new Unseen(turnMs, hasFrame ? 1 : AT_ONCE);

  return class extends Component<P & Within> {
    #isSkipped = false;

    override componentDidMount(): void {
      const root = this.base as HTMLElement;
      root.addEventListener('contentvisibilityautostatechange', (event) => {
        if (event.target === root) this.#look((event as ContentVisibilityAutoStateChangeEvent).skipped);
      });
    }

    override componentWillUnmount(): void {
      unseen.put(this, true);
      seen.drop(this);
    }

    override shouldComponentUpdate(next: P & Within): boolean {
      const isSeen = this.#isSeen(next);
      unseen.put(this, isSeen);
      return isSeen && isDifferent(this.props, next) && (!hasFrame || seen.isNext(this));
    }

    #isSeen({ isOut }: Within): boolean {
      return !this.#isSkipped && !isOut;
    }

    #look(isSkipped: boolean): void {
      this.#isSkipped = isSkipped;
      const isSeen = this.#isSeen(this.props);
      unseen.put(this, isSeen);
      if (isSeen) this.forceUpdate();
    }

    override render(): ReactNode {
      return <Inner {...this.props} isSeen={this.#isSeen(this.props)} />;
    }
  };
}
