/* What is out of sight: of twelve boards of a hundred rows some eighty rows are on the screen or near it. The browser says
 * what it skips (`content-visibility`); that is drawn a little at a time, so that whoever searches the page, or has it read
 * out, gets what was so two seconds ago at most, and all of it before it is printed. A browser that does not say what it
 * skips draws everything with each change. */
import { Component, type ComponentType, type ReactNode } from 'preact/compat';
import { isDifferent } from '../compat';

const STEP_MS = 100;
const STEPS = 20;

/** What is skipped of one kind: a board that is drawn is a hundred rows, so boards do not wait in line with rows. */
class Unseen {
  #waiting = new Set<{ forceUpdate: () => void }>(); /* the one that waits longest first */
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor() {
    if (typeof window !== 'undefined') window.addEventListener('beforeprint', () => this.#draw(this.#waiting.size));
  }

  put(one: { forceUpdate: () => void }, isSeen: boolean): void {
    this.#waiting[isSeen ? 'delete' : 'add'](one);
    if (this.#waiting.size > 0) this.#timer ??= setInterval(() => this.#draw(Math.ceil(this.#waiting.size / STEPS)), STEP_MS);
    else if (this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }

  #draw(count: number): void {
    for (const one of this.#waiting) {
      if (count-- <= 0) return;
      this.#waiting.delete(one);
      this.#waiting.add(one);
      one.forceUpdate();
    }
  }
}

export interface Sight {
  isSeen: boolean;
}

/** Drawn again with other props, as memo() has it, while it is seen. Its root is one element, the same one always. */
export function whenSeen<P extends object>(Inner: ComponentType<P & Sight>): ComponentType<P> {
  const unseen = new Unseen();

  return class extends Component<P> {
    #isSeen = true;

    override componentDidMount(): void {
      const root = this.base as HTMLElement;
      root.addEventListener('contentvisibilityautostatechange', (event) => {
        if (event.target === root) this.#look(!(event as ContentVisibilityAutoStateChangeEvent).skipped);
      });
    }

    override componentWillUnmount(): void {
      unseen.put(this, true);
    }

    override shouldComponentUpdate(next: P): boolean {
      return this.#isSeen && isDifferent(this.props, next);
    }

    #look(isSeen: boolean): void {
      this.#isSeen = isSeen;
      unseen.put(this, isSeen);
      if (isSeen) this.forceUpdate();
    }

    override render(): ReactNode {
      return <Inner {...this.props} isSeen={this.#isSeen} />;
    }
  };
}
