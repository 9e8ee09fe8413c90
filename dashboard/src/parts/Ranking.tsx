/* Rows of a ranking that slide when their rank changes, fade when they come or leave, and glow when
 * their reading is a new one.
 *
 * Rows belong to ranks, not to devices: a change writes other texts into them. So nothing is moved in
 * the document, which would cost the browser the style and layout of each row that moved, and whoever
 * is in the table with a keyboard or a screen reader their place. What the eye sees as moving is done
 * with transforms: the row in which a device is now starts from where the device was seen before, be it
 * under way, and is let go. Only transforms and opacities are animated, one of each an element, so that
 * the compositor can do it alone. */
import { Component, createRef, type ReactNode, type RefObject } from 'preact/compat';
import type { Reading } from '../contract';

const SLIDE_MS = 450;
const HURRIED_MS = 220; /* when the next change is likely to come before that */
const HURRY_MS = 400;
const GLOW_MS = 1400;
const MOVING_ROWS = 20; /* below, rows change where they are: each that moves is a layer, and hundreds would */
const EASING = 'cubic-bezier(0.2, 0.7, 0.2, 1)';

const wantsMotion = (): boolean =>
  typeof Element.prototype.animate === 'function' &&
  !window.matchMedia('(prefers-reduced-motion: reduce)').matches &&
  document.visibilityState === 'visible';

/** What a row is doing; `from` is 0 where it only fades in. */
interface Slide {
  animation: Animation;
  from: number;
}

/** Where a sliding row is seen, in pixels below where it stands. Worked out, not measured: asking for a
 * style in the middle of a drawing would make the browser lay out the page twice. */
function offsetOf(slide: Slide | undefined): number {
  if (slide?.animation.playState !== 'running') return 0;
  const { progress } = slide.animation.effect!.getComputedTiming();
  return typeof progress === 'number' ? slide.from * (1 - progress) : 0;
}

interface RankingProps {
  /** One a row, in their order. */
  readings: readonly Reading[];
  /** The rows, as many, as <tr>. */
  children: ReactNode;
  /** A layer over the body, that is not drawn here, for rows that have left. */
  ghosts: RefObject<HTMLElement | null>;
}

/** What the eye saw before a change. */
interface Seen {
  offsets: number[];
  left: { row: HTMLElement; rank: number }[];
}

export class Ranking extends Component<RankingProps> {
  #body = createRef<HTMLTableSectionElement>();
  #slides = new WeakMap<Element, Slide>();
  #glows = new WeakMap<Element, Animation>();
  #changedAt = 0;
  #height = 0;
  #watcher: ResizeObserver | null = null;
  #sight: IntersectionObserver | null = null;
  #isInSight = true;

  override componentDidMount(): void {
    const body = this.#body.current!;

    if (typeof ResizeObserver === 'undefined') return;
    /* all rows have the same height, and it changes only with the body's size */
    this.#watcher = new ResizeObserver(() => {
      this.#height = (body.firstElementChild as HTMLElement | null)?.offsetHeight ?? 0;
    });
    this.#watcher.observe(body);
    this.#sight = new IntersectionObserver((entries) => {
      this.#isInSight = entries.at(-1)!.isIntersecting;
    });
    this.#sight.observe(body);
  }

  override componentWillUnmount(): void {
    this.#watcher?.disconnect();
    this.#sight?.disconnect();
  }

  override getSnapshotBeforeUpdate(was: RankingProps): Seen | null {
    if (was.readings === this.props.readings || !this.#isInSight || !wantsMotion()) return null;
    const rows = [...this.#body.current!.children].slice(0, MOVING_ROWS);
    const staying = new Set(this.props.readings.map((reading) => reading.deviceId));

    return {
      offsets: rows.map((row) => offsetOf(this.#slides.get(row))),
      left: was.readings.flatMap(({ deviceId }, rank) =>
        staying.has(deviceId) || !rows[rank] ? [] : [{ row: rows[rank].cloneNode(true) as HTMLElement, rank }],
      ),
    };
  }

  override componentDidUpdate(was: RankingProps, _: unknown, seen: Seen | null): void {
    if (!seen) return;
    const now = performance.now();
    const duration = now - this.#changedAt < HURRY_MS ? HURRIED_MS : SLIDE_MS;
    const rows = this.#body.current!.children;
    const before = new Map(was.readings.map((reading, rank) => [reading.deviceId, { reading, rank }]));

    this.#changedAt = now;
    this.props.readings.forEach((reading, rank) => {
      const row = rows[rank] as HTMLElement;
      const old = before.get(reading.deviceId);

      if (rank >= MOVING_ROWS) {
        this.#stop(row);
        return;
      }
      if (!old) {
        this.#stop(row);
        if (was.readings.length > 0) this.#fadeIn(row, duration);
        return;
      }
      if (old.rank !== rank) this.#slide(row, (seen.offsets[old.rank] ?? 0) + (old.rank - rank) * this.#height, duration);
      if (old.reading.timestamp !== reading.timestamp) this.#glow(row);
    });
    for (const { row, rank } of seen.left) this.#fadeOut(row, rank, duration);
  }

  #stop(row: HTMLElement): void {
    this.#slides.get(row)?.animation.cancel();
    this.#slides.delete(row);
    row.classList.remove('rising');
  }

  #slide(row: HTMLElement, from: number, duration: number): void {
    this.#stop(row);
    row.classList.toggle('rising', from > 0);
    const animation = row.animate(
      { transform: [`translateY(${from}px)`, 'translateY(0)'] },
      { duration, easing: EASING },
    );
    animation.onfinish = () => row.classList.remove('rising');
    this.#slides.set(row, { animation, from });
  }

  #fadeIn(row: HTMLElement, duration: number): void {
    const animation = row.animate({ opacity: [0, 1] }, { duration, easing: 'ease-out' });
    this.#slides.set(row, { animation, from: 0 });
  }

  #glow(row: HTMLElement): void {
    const light = row.querySelector('.glow');

    if (!light) return;
    this.#glows.get(light)?.cancel();
    this.#glows.set(light, light.animate({ opacity: [0.9, 0] }, { duration: GLOW_MS, easing: 'ease-out' }));
  }

  #fadeOut(row: HTMLElement, rank: number, duration: number): void {
    row.style.setProperty('--rank', String(rank));
    this.props.ghosts.current!.append(row);
    const fade = row.animate(
      { opacity: [1, 0], transform: ['none', 'translateX(0.75rem)'] },
      { duration, easing: 'ease-in', fill: 'forwards' },
    );
    fade.onfinish = fade.oncancel = () => row.remove();
  }

  override render(): ReactNode {
    return (
      <tbody role="rowgroup" ref={this.#body}>
        {this.props.children}
      </tbody>
    );
  }
}
