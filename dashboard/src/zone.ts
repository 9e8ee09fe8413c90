/* Whose times are shown: those of the browser's zone, or UTC, as logs and other people's screens have them. The one place
 * that knows: words for a moment (format.ts), ticks of an axis (plot.tsx, heat.ts), fields and days (spans.ts) ask here. */
import { useSyncExternalStore } from 'preact/compat';

const KEY = 'zone';
const MINUTE_MS = 60_000;
const listeners = new Set<() => void>();
const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** There is nothing to switch. */
export const isOwnUtc = own === 'UTC' || own === 'Etc/UTC';

const read = (): boolean => {
  try {
    return localStorage.getItem(KEY) === 'utc';
  } catch {
    return false;
  }
};
let isUtc = read();

export function setUtc(to: boolean): void {
  isUtc = to;
  try {
    if (to) localStorage.setItem(KEY, 'utc');
    else localStorage.removeItem(KEY);
  } catch {
    /* it lasts as long as the page */
  }
  for (const listener of listeners) listener();
}

function subscribe(onChange: () => void): () => void {
  listeners.add(onChange);
  return () => listeners.delete(onChange);
}

/** "Europe/Berlin", "UTC". What shows times and is not drawn again with its view must use this. */
export const useZone = (): string => useSyncExternalStore(subscribe, zoneName);
export const zoneName = (): string => (isUtc ? 'UTC' : own);

/** Writes moments, each in the zone of then. */
export function writer(options: Intl.DateTimeFormatOptions): (ms: number) => string {
  const [here, utc] = [{}, { timeZone: 'UTC' }].map((zone) => new Intl.DateTimeFormat('en-GB', { ...options, ...zone }));
  return (ms) => (isUtc ? utc : here)!.format(ms);
}

const withShort = writer({ timeZoneName: 'short' });
/** "CET", "GMT+5:30", "UTC": summer has another than winter. */
export const shortZone = (ms: number): string => withShort(ms).split(' ').pop()!;

/** How far clocks are ahead of UTC at a moment. */
export const aheadMs = (ms: number): number => (isUtc ? 0 : -new Date(ms).getTimezoneOffset() * MINUTE_MS);

/** The moment of a date and an hour, which may be one too many: it knows of clocks that change. */
export const momentOf = (year: number, month: number, day: number, hour: number): number =>
  isUtc ? Date.UTC(year, month, day, hour) : new Date(year, month, day, hour).getTime();

/** Of a text without a zone, as fields for times have it. */
export const parseMoment = (text: string): number => new Date(isUtc ? `${text}Z` : text).getTime();
