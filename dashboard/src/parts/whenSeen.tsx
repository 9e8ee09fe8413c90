/* What is out of sight: of twelve boards of a hundred rows some eighty rows are on the screen or near it. The browser says
 * what it skips (`content-visibility`); that is drawn a little at a time, so that whoever searches the page, or has it read
 * out, gets what was so some seconds ago, and all of it before it is printed. A browser that does not say what it
 * skips draws everything with each change. */
import { Component, type ComponentType, type ReactNode } from 'preact/compat';
import { isDifferent } from '../compat';

const STEP_MS = 100;
const kinds: Unseen[] = [];

/** What is skipped of one kind, each of which has its turn within `turnMs`; counted, not timed: a busy machine takes longer
 * rather than has more to do at once. */
class Unseen {
  #waiting = new Set<{ forceUpdate: () => void }>(); /* the one that waits longest first */
  #timer: ReturnType<typeof setInterval> | null = null;
  #steps: number;

  constructor(turnMs: number) {
    this.#steps = turnMs / STEP_MS;
    kinds.push(this);
  }

  put(one: { forceUpdate: () => void }, isSeen: boolean): void {
    this.#waiting[isSeen ? 'delete' : 'add'](one);
    if (this.#waiting.size > 0) this.#timer ??= setInterval(() => this.draw(this.#waiting.size / this.#steps), STEP_MS);
    else if (this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
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

/* In one go, so that what is in another comes after it. */
if (typeof window !== 'undefined') window.addEventListener('beforeprint', () => kinds.forEach((kind) => kind.draw()));

export interface Sight {
  isSeen: boolean;
}

interface Within {
  /** It is part of something that is out of sight. The browser says nothing of it then. */
  isOut?: boolean;
}

/** Drawn again with other props, as memo() has it, while it is seen. Its root is one element, the same one always. */
export function whenSeen<P extends object>(turnMs: number, Inner: ComponentType<P & Sight>): ComponentType<P & Within> {
  const unseen = new Unseen(turnMs);

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
    }

    override shouldComponentUpdate(next: P & Within): boolean {
      const isSeen = this.#isSeen(next);
      unseen.put(this, isSeen);
      return isSeen && isDifferent(this.props, next);
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
