/* What the page uses of preact/compat, in whose place vite.config.ts puts it: hooks, and the two functions below. The
 * whole of it is 2.6 kB gzipped, most of it for React's own ways: `strokeWidth` for `stroke-width`, an `onChange` that
 * is the browser's `input`. Here names are the browser's own; `className` goes. */
import { Component, Fragment, createRef, h, type ComponentChild, type ComponentType } from 'preact';
import { useEffect, useLayoutEffect, useReducer, useRef } from 'preact/hooks';

export { Component, Fragment, createRef };
export * from 'preact/hooks';

type Props = Record<string, unknown>;

export const isDifferent = (a: object, b: object): boolean =>
  Object.keys(a).length !== Object.keys(b).length || Object.keys(a).some((name) => (a as Props)[name] !== (b as Props)[name]);

/** Drawn again only with other props. */
export function memo(Inner: ComponentType<Props>): ComponentType<Props> {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Props): boolean {
      return isDifferent(this.props, next);
    }

    override render(): ComponentChild {
      return h(Inner, this.props);
    }
  };
}

/** Drawn again when `get` returns something else; what changes before one has subscribed counts, too. */
export function useSyncExternalStore<T>(subscribe: (onChange: () => void) => () => void, get: () => T): T {
  const value = get();
  const drawn = useRef({ value, get });
  const [, draw] = useReducer((n: number) => n + 1, 0);

  useLayoutEffect(() => {
    drawn.current = { value, get };
  });
  useEffect(() => {
    const look = () => {
      if (!Object.is(drawn.current.value, drawn.current.get())) draw(undefined);
    };
    look();
    return subscribe(look);
  }, [subscribe]);
  return value;
}
