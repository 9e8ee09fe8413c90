/* Spans of time that are over, or begin in the past, for boards. Pure but for the zone: the time is an argument. */
import { aheadMs, momentOf, parseMoment } from './zone';

export interface TimeSpan {
  from: number;
  to: number;
}

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;

/** What clocks show, for the functions of a date that say UTC. */
const clockOf = (ms: number): Date => new Date(ms + aheadMs(ms));

/** A time of day, so many days from the day of `now`. */
function dayOf(now: number, days: number, hour: number): number {
  const date = clockOf(now);

  return momentOf(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + days, hour);
}

export interface Preset {
  label: string;
  /** For the middle of a sentence. */
  phrase: string;
  of: (now: number) => TimeSpan;
}

export const presets: readonly Preset[] = [
  { label: 'Last night', phrase: 'last night', of: (now) => ({ from: dayOf(now, -1, 20), to: dayOf(now, 0, 6) }) },
  { label: 'Yesterday', phrase: 'yesterday', of: (now) => ({ from: dayOf(now, -1, 0), to: dayOf(now, 0, 0) }) },
  {
    label: 'Past week',
    phrase: 'in the past week',
    of: (now) => {
      const to = Math.ceil(now / MINUTE_MS) * MINUTE_MS;
      return { from: to - WEEK_MS, to };
    },
  },
];

/** What a field of the kind datetime-local holds; and back, NaN when it is none. */
export const toField = (ms: number): string => {
  const date = clockOf(ms);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${String(date.getUTCFullYear()).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;

  return `${day}T${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
};

export const ofField = (text: string): number => (/^\d{4}-\d\d-\d\dT/.test(text) ? parseMoment(text) : NaN);
