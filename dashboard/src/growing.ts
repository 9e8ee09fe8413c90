/* Plots of time that goes on: the first answer is whole, then only the last steps are asked for, and joined to it.
 *
 * So that a step means the same in each answer, steps begin at multiples of their length since 1970. Readings that come
 * late change steps that are not asked for again, so each minute the whole is; and when something went wrong, or does
 * not fit. Pure but for the clocks. */
import type { Answer } from './api';
import { serverNow } from './clock';
import type { ComparedPoints, Points } from './contract';
import type { Range } from './history';

export type Steps = Points | ComparedPoints;

/** The question about at most so many steps of a range; null: from the first reading to the last. */
export type Ask<T> = (range: Range | null, points: number, signal: AbortSignal) => Promise<Answer<T>>;

const WHOLE_AGAIN_MS = 60_000;
const HOUR_MS = 3_600_000;

/** How long each of `count` steps is: whole hours above one, which is what the server makes. */
export function stepOf(lengthMs: number, count: number): number {
  const step = Math.ceil(lengthMs / count);
  return step > HOUR_MS ? Math.ceil(step / HOUR_MS) * HOUR_MS : step;
}

/** The whole steps that a range touches. */
const widened = (from: number, to: number, step: number): Range => ({ from: Math.floor(from / step) * step, to: Math.ceil(to / step) * step });

/** `old` from `from` on, with what `news` says in place of it. Null: they have not the same steps. */
export function joined<T extends Steps>(old: T, news: T, from: number): T | null {
  const since = Date.parse(news.from ?? '');
  const join = <P extends { timestamp: string }>(before: readonly P[], after: readonly P[]): P[] => [
    ...before.filter(({ timestamp }) => Date.parse(timestamp) >= from && Date.parse(timestamp) < since),
    ...after,
  ];
  const whole = { ...news, from: new Date(from).toISOString() };

  if (news.stepMs !== old.stepMs) return null;
  if ('points' in old && 'points' in whole) return { ...whole, points: join(old.points, whole.points) };
  if (!('devices' in old && 'devices' in whole) || old.devices.length !== whole.devices.length) return null;
  return { ...whole, devices: whole.devices.map((one, i) => ({ ...one, points: join(old.devices[i]!.points, one.points) })) };
}

/** The answers to one question, about so long until now. */
export class Growing<T extends Steps> {
  #ask: Ask<T>;
  #lengthMs: number | null;
  #most: number;
  #held: { answer: Answer<T>; wholeAt: number; until: number } | null = null;

  /** `lengthMs` of null: since the first reading. */
  constructor(ask: Ask<T>, lengthMs: number | null, most: number) {
    this.#ask = ask;
    this.#lengthMs = lengthMs;
    this.#most = most;
  }

  /** Something may have been missed. */
  restart(): void {
    this.#held = null;
  }

  async get(signal: AbortSignal): Promise<Answer<T>> {
    const held = this.#held;
    const now = serverNow();
    const length = this.#lengthMs;
    const wanted = length === null ? 0 : stepOf(length, this.#most);
    const step = held?.answer.data.stepMs ?? 0;
    const take = (answer: Answer<T>, wholeAt: number) => {
      this.#held = { answer, wholeAt, until: answer.asOf ?? now };
      return answer;
    };

    if (held && performance.now() - held.wholeAt < WHOLE_AGAIN_MS) {
      if (length === null && step >= HOUR_MS) return held.answer; /* a minute more is not seen */
      /* a longer step than was asked for begins at multiples of itself, too, unless it is some hours */
      if (length !== null && (step === wanted || (step > wanted && step <= HOUR_MS))) {
        /* the last whole step, too: not all of it may have been stored when it was over */
        const tail = widened(held.until - step, Math.max(now, held.until + 1), step);
        const { data, asOf } = await this.#ask(tail, (tail.to - tail.from) / step, signal).catch((error: unknown) => {
          this.restart();
          throw error;
        });
        const whole = joined(held.answer.data, data, Math.floor((now - length) / step) * step);
        if (whole && this.#held === held) return take({ data: whole, asOf }, held.wholeAt);
      }
    }
    this.restart();
    const range = length === null ? null : widened(now - length, now, wanted);
    return take(await this.#ask(range, range ? (range.to - range.from) / wanted : this.#most, signal), performance.now());
  }
}
