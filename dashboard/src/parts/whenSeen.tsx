/* What is out of sight: of twelve boards of a hundred rows some eighty rows are on the screen or near it. The browser says
 * what it skips (`content-visibility`); that is drawn a little at a time, so that whoever searches the page, or has it read
 * out, gets what was so two seconds ago at most, and all of it before it is printed. A browser that does not say what it
 * skips draws everything with each change. */
import { Component, type ComponentType, type ReactNode } from 'preact/compat';
import { isDifferent } from '../compat';

const STEP_MS = 100;
const STEPS = 20;

const unseen = new Set<{ forceUpdate: () => void }>(); /* what waits longest first */
let timer: ReturnType<typeof setInterval> | null = null;

function draw(count: number): void {
  for (const one of unseen) {
    if (count-- <= 0) return;
    unseen.delete(one);
    unseen.add(one);
    one.forceUpdate();
  }
}

function watch(): void {
  if (unseen.size > 0) timer ??= setInterval(() => draw(Math.ceil(unseen.size / STEPS)), STEP_MS);
  else if (timer !== null) {
    clearInterval(timer);
    timer = null;
  }
}

export interface Sight {
  isSeen: boolean;
}

/** Drawn again with other props, as memo() has it, while it is seen. Its root is one element, the same one always. */
export function whenSeen<P extends object>(Inner: ComponentType<P & Sight>): ComponentType<P> {
  return class extends Component<P> {
    #isSeen = true;

    override componentDidMount(): void {
      const root = this.base as HTMLElement;
      root.addEventListener('contentvisibilityautostatechange', (event) => {
        if (event.target === root) this.#look(!(event as ContentVisibilityAutoStateChangeEvent).skipped);
      });
    }

    override componentWillUnmount(): void {
      unseen.delete(this);
      watch();
    }

    override shouldComponentUpdate(next: P): boolean {
      return this.#isSeen && isDifferent(this.props, next);
    }

    #look(isSeen: boolean): void {
      this.#isSeen = isSeen;
      unseen[isSeen ? 'delete' : 'add'](this);
      watch();
      if (isSeen) this.forceUpdate();
    }

    override render(): ReactNode {
      return <Inner {...this.props} isSeen={this.#isSeen} />;
    }
  };
}

if (typeof window !== 'undefined') window.addEventListener('beforeprint', () => draw(unseen.size));
