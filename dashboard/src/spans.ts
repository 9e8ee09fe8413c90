/* Spans of time that are over, or begin in the past, for boards. Pure: the time is an argument. */

export interface TimeSpan {
  from: number;
  to: number;
}

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 86_400_000;

/** A time of day, so many days from the day of `now`, in the browser's zone; it knows of clocks that change. */
function local(now: number, days: number, hour: number): number {
  const date = new Date(now);

  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days, hour).getTime();
}

export interface Preset {
  label: string;
  /** For the middle of a sentence. */
  phrase: string;
  of: (now: number) => TimeSpan;
}

export const presets: readonly Preset[] = [
  { label: 'Last night', phrase: 'last night', of: (now) => ({ from: local(now, -1, 20), to: local(now, 0, 6) }) },
  { label: 'Yesterday', phrase: 'yesterday', of: (now) => ({ from: local(now, -1, 0), to: local(now, 0, 0) }) },
  {
    label: 'Past week',
    phrase: 'in the past week',
    of: (now) => {
      const to = Math.ceil(now / MINUTE_MS) * MINUTE_MS;
      return { from: to - WEEK_MS, to };
    },
  },
];

/** What a field of the kind datetime-local holds, in the browser's zone; and back, NaN when it is none. */
export const toField = (ms: number): string => {
  const date = new Date(ms);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
};

export const ofField = (text: string): number => (/^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text).getTime() : NaN);
