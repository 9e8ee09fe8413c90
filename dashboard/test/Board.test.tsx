import { act, cleanup, render, screen, within } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { toLines } from '../src/lines';
import { Board } from '../src/parts/Board';
import { board, furnish, reading } from './fakes';

beforeEach(furnish);
afterEach(cleanup);

const devices = () => screen.getAllByRole('rowheader').map((cell) => cell.textContent);

describe('a board', () => {
  test('is a table that says what it is, best first, one row a device', () => {
    render(<Board board={board([reading('b', 12.5, 3000), reading('a', 7.25, 70_000, { status: 'OFF' })])} places={10} />);
    const table = screen.getByRole('table', { name: 'Temperature: highest in the past minute' });
    const cells = within(within(table).getAllByRole('row')[2]!)
      .getAllByRole('cell')
      .map((cell) => cell.textContent);

    expect(devices()).toEqual(['b', 'a']);
    expect(cells).toEqual(['2', '7.25', '', 'Off', '1 min']);
  });

  test('leads to the device, whatever its id', () => {
    render(<Board board={board([reading('a b?c', 1)])} places={10} />);
    expect(screen.getByRole('link').getAttribute('href')).toBe('#/device/a%20b%3Fc');
  });

  test('says so when it is empty', () => {
    render(<Board board={board([])} places={10} />);
    expect(screen.getByText('No device sent this in the past minute.')).toBeTruthy();
  });

  test('names the unit that the feature names', () => {
    render(
      <Board board={board([reading('a', 1, 0, { flow_kg: 3.5 })], { feature: 'flow_kg' })} places={10} />,
    );
    expect(screen.getByRole('heading').textContent).toBe('Flow kg');
    expect(screen.getByText('3.5', { exact: false })).toBeTruthy();
  });

  test('shows the exact value on hovering', () => {
    render(<Board board={board([reading('a', 12.3456789)])} places={10} />);
    expect(screen.getByTitle('12.3456789').textContent).toBe('12.346');
  });
});

describe('lines', () => {
  const lines = toLines({
    asOf: new Date().toISOString(),
    from: new Date(Date.now() - 3_600_000).toISOString(),
    to: new Date().toISOString(),
    stepMs: 1_800_000,
    labels: { b: 'Pump 3' },
    series: [{ deviceId: 'a', feature: 'temperature', min: [3.1, 4], max: [9.4, 5] }],
  });

  test('say in words what they show, and mark the reading of the row', () => {
    render(<Board board={board([reading('a', 5, 60_000), reading('b', 4)])} places={10} lines={lines} />);
    const [line, ...others] = screen.getAllByRole('img');

    expect(others).toEqual([]);
    expect(line!.getAttribute('aria-label')).toBe('lowest 3.1, highest 9.4');
    expect(line!.querySelectorAll('.mark')).toHaveLength(1);
  });

  test('come with what devices say they are called', () => {
    render(<Board board={board([reading('b', 5), reading('constructor', 4)])} places={10} lines={lines} />);
    expect(screen.getByRole('link', { name: 'b, Pump 3' })).toBeTruthy();
    expect(screen.getByRole('link', { name: 'constructor' })).toBeTruthy();
    expect(screen.getByText('Pump 3')).toBeTruthy();
  });

  test('mark nothing that was before', () => {
    render(<Board board={board([reading('a', 50, 7_200_000)])} places={10} lines={lines} />);
    expect(screen.getByRole('img').querySelector('.mark')).toBeNull();
    expect(screen.getByRole('img').getAttribute('aria-label')).toBe('lowest 3.1, highest 9.4');
  });
});

describe('what is out of sight', () => {
  let many: ReturnType<typeof reading>[];
  const shown = () => screen.getAllByRole('rowheader').map((cell) => cell.textContent);
  const skip = (what: Element, skipped: boolean) =>
    act(() => void what.dispatchEvent(Object.assign(new Event('contentvisibilityautostatechange', { bubbles: true }), { skipped })));
  const pass = (ms: number) => act(() => void vi.advanceTimersByTime(ms));
  const rowAt = (rank: number) => screen.getAllByRole('row')[rank]!;

  beforeEach(() => {
    vi.useFakeTimers();
    many = Array.from({ length: 40 }, (_, i) => reading(`d${i}`, 100 - i));
  });
  afterEach(() => vi.useRealTimers());

  test('a change draws the rows that are seen, and the others within four seconds', () => {
    const { rerender } = render(<Board board={board(many)} places={40} />);
    for (let rank = 11; rank <= 40; rank++) skip(rowAt(rank), true);
    const turned = [...many].reverse();
    rerender(<Board board={board(turned)} places={40} />);
    expect(shown()).toEqual([...turned.slice(0, 10), ...many.slice(10)].map(({ deviceId }) => deviceId));
    pass(400);
    const early = shown().filter((one, i) => one === turned[i]!.deviceId).length;
    expect(early).toBeGreaterThan(10);
    expect(early).toBeLessThan(20); /* a little at a time */
    pass(3610);
    expect(shown()).toEqual(turned.map(({ deviceId }) => deviceId));
  });

  test('a row that comes into sight is drawn at once', () => {
    const { rerender } = render(<Board board={board(many)} places={40} />);
    skip(rowAt(40), true);
    rerender(<Board board={board([...many].reverse())} places={40} />);
    expect(shown()[39]).toBe('d39');
    skip(rowAt(40), false);
    expect(shown()[39]).toBe('d0');
  });

  test('a board is drawn within a second, its rows four seconds later, ages and all; at once when it is printed', () => {
    const { rerender } = render(<Board board={board(many)} places={40} />);
    skip(screen.getByRole('region'), true);
    rerender(<Board board={board(many.slice(1))} places={40} />);
    expect(shown()[0]).toBe('d0');
    pass(1010);
    expect(shown()).toHaveLength(39);
    expect(shown()[38]).toBe('d38'); /* not all of a board at once */
    pass(4050);
    expect(shown()).toEqual(many.slice(1).map(({ deviceId }) => deviceId));
    pass(30_000);
    expect(within(rowAt(1)).getByText(/^3[1-5] s$/)).toBeTruthy();
    rerender(<Board board={board(many.slice(2))} places={40} />);
    expect(shown()[0]).toBe('d1');
    act(() => void window.dispatchEvent(new Event('beforeprint')));
    expect(shown()[0]).toBe('d2');
  });

  test('of two boards that change at once the second has the next frame for itself, or is printed', () => {
    const both = (readings: typeof many) => (
      <>
        <Board board={board(readings)} places={40} />
        <Board board={board(readings, { feature: 'pressure' })} places={40} />
      </>
    );
    const first = () => [shown()[0], shown()[40]];
    const { rerender, unmount } = render(both(many));
    const timeline = { currentTime: 1 };
    Object.defineProperty(document, 'timeline', { configurable: true, value: timeline });
    rerender(both([...many].reverse()));
    expect(first()).toEqual(['d39', 'd0']);
    timeline.currentTime = 2;
    pass(20);
    expect(first()).toEqual(['d39', 'd39']);
    rerender(both(many));
    expect(first()).toEqual(['d39', 'd39']); /* the frame is taken */
    act(() => void window.dispatchEvent(new Event('beforeprint')));
    expect(first()).toEqual(['d0', 'd0']);
    rerender(both([...many].reverse()));
    unmount();
    timeline.currentTime = 3;
    pass(1000);
    delete (document as { timeline?: unknown }).timeline;
    expect(screen.queryByRole('row')).toBeNull();
  });

  test('nothing is drawn of a board that is gone', () => {
    const { unmount } = render(<Board board={board(many)} places={40} />);
    skip(screen.getByRole('region'), true);
    skip(rowAt(40), true);
    unmount();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('motion', () => {
  let isInSight: boolean;
  const slides: { device: string; from: string }[] = [];
  const ghosts = () => [...document.querySelectorAll('.ghosts tr')].map((row) => (row as HTMLElement).dataset.key);

  beforeEach(() => {
    slides.length = 0;
    vi.stubGlobal(
      'ResizeObserver',
      class {
        constructor(readonly onResize: () => void) {}
        observe = () => this.onResize();
        disconnect = () => undefined;
      },
    );
    isInSight = true;
    vi.stubGlobal(
      'IntersectionObserver',
      class {
        constructor(readonly onSight: (entries: object[]) => void) {}
        observe = () => this.onSight([{ isIntersecting: isInSight }]);
        disconnect = () => undefined;
      },
    );
    Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, get: () => 40 });
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'visible' });
    Element.prototype.animate = function (this: HTMLElement, keyframes: PropertyIndexedKeyframes) {
      if (Array.isArray(keyframes.transform)) slides.push({ device: this.dataset.key ?? '', from: String(keyframes.transform[0]) });
      return { cancel: () => undefined, playState: 'finished' } as unknown as Animation;
    } as typeof Element.prototype.animate;
  });

  afterEach(() => {
    Reflect.deleteProperty(Element.prototype, 'animate');
    Reflect.deleteProperty(HTMLElement.prototype, 'offsetHeight');
    Reflect.deleteProperty(document, 'visibilityState');
  });

  const [a, b, c] = ['a', 'b', 'c'].map((device, i) => reading(device, 10 - i)) as [
    ReturnType<typeof reading>,
    ReturnType<typeof reading>,
    ReturnType<typeof reading>,
  ];

  test('a row slides from the rank that it had', () => {
    const { rerender } = render(<Board board={board([a, b, c])} places={10} />);
    rerender(<Board board={board([c, a, b])} places={10} />);
    expect(devices()).toEqual(['c', 'a', 'b']);
    expect(slides).toEqual([
      { device: 'c', from: 'translateY(80px)' },
      { device: 'a', from: 'translateY(-40px)' },
      { device: 'b', from: 'translateY(-40px)' },
    ]);
  });

  test('rows belong to ranks: whoever is in one with the keyboard stays there', () => {
    const { rerender } = render(<Board board={board([a, b, c])} places={10} />);
    const second = screen.getAllByRole('link', { name: /^.$/ })[1]!;

    second.focus();
    rerender(<Board board={board([b, c, a])} places={10} />);
    expect(document.activeElement).toBe(second);
    expect(second.textContent).toBe('c');
  });

  test('a row that left is gone from the table and fades where it stood', () => {
    const { rerender } = render(<Board board={board([a, b, c])} places={10} />);
    rerender(<Board board={board([a, c])} places={10} />);
    expect(devices()).toEqual(['a', 'c']);
    expect(ghosts()).toEqual(['b']);
    expect((document.querySelector('.ghosts tr') as HTMLElement).style.getPropertyValue('--rank')).toBe('1');
  });

  test('nothing moves on a board that is out of sight', () => {
    isInSight = false;
    const { rerender } = render(<Board board={board([a, b, c])} places={10} />);
    rerender(<Board board={board([c, a])} places={10} />);
    expect(devices()).toEqual(['c', 'a']);
    expect(slides).toEqual([]);
    expect(ghosts()).toEqual([]);
  });

  test('of a long board the top moves', () => {
    const many = Array.from({ length: 100 }, (_, i) => reading(`d${i}`, 100 - i));
    const { rerender } = render(<Board board={board(many)} places={100} />);
    rerender(<Board board={board([many[99]!, ...many.slice(0, 99)])} places={100} />);
    expect(devices()).toHaveLength(100);
    expect(slides.map((slide) => slide.device)).toEqual(['d99', ...Array.from({ length: 19 }, (_, i) => `d${i}`)]);
  });

  test('nothing moves for those who want it so', () => {
    vi.stubGlobal('matchMedia', () => ({ matches: true }));
    const { rerender } = render(<Board board={board([a, b, c])} places={10} />);
    rerender(<Board board={board([c, a])} places={10} />);
    expect(slides).toEqual([]);
    expect(ghosts()).toEqual([]);
  });
});
