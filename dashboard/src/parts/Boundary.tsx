/* Around a view: when it throws, a sentence stands in its place, and the rest of the page lives. */
import { Component, type ReactNode } from 'preact/compat';
import { Notice } from './Notice';

const AGAIN_S = 30; /* a screen on a wall has nobody to press a button */

interface BoundaryState {
  error: unknown;
}

export class Boundary extends Component<{ children: ReactNode }, BoundaryState> {
  override state: BoundaryState = { error: null };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #retry = () => this.setState({ error: null });

  static override getDerivedStateFromError(error: unknown): BoundaryState {
    return { error: error ?? 'nothing was said' };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#retry, AGAIN_S * 1000);
  }

  override componentWillUnmount(): void {
    clearTimeout(this.#timer);
  }

  override render(): ReactNode {
    const { error } = this.state;

    if (error === null) return this.props.children;
    return (
      <>
        <div className="heading">
          <h1 tabIndex={-1}>This view cannot be drawn</h1>
        </div>
        <Notice
          kind="problem"
          title="An error of this page"
          action={
            <button type="button" onClick={this.#retry}>
              Try again
            </button>
          }
        >
          The other views work, and readings are stored as ever. It is tried again every {AGAIN_S} s. If it stays, load the page
          anew, and report this: <code>{error instanceof Error ? error.message : 'nothing was said'}</code>
        </Notice>
      </>
    );
  }
}
