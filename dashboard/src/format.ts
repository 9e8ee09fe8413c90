/* Numbers, times and names as people read them. All of it is pure but for the zone of times: the time is an argument. */
import { writer } from './zone';

const counts = new Intl.NumberFormat('en');

export const formatCount = (count: number): string => counts.format(count);

/** 950, 12.3 k, 4.56 M: for tiles, where the exact number stands in the tooltip. */
export function formatShort(count: number): string {
  if (Math.abs(count) < 10_000) return counts.format(Math.round(count));
  for (const [size, letter] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (Math.abs(count) >= size * 0.9995) {
      const scaled = count / size;
      return `${scaled.toFixed(scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2)} ${letter}`;
    }
  }
  return counts.format(count);
}

const MOST_DECIMALS = 8;

/** How many decimals a column of values needs: some four or five significant digits of the largest, and
 * none that are zero in every row. */
export function decimalsFor(values: readonly number[]): number {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const zeros = largest > 0 && largest < 1 ? Math.floor(-Math.log10(largest)) : 0;
  let decimals = largest >= 1000 ? 1 : largest >= 100 ? 2 : Math.min(MOST_DECIMALS, 3 + zeros);

  while (decimals > 0 && values.every((value) => isWhole(value * 10 ** (decimals - 1)))) decimals--;
  return decimals;
}

const decimal: Intl.NumberFormat[] = []; /* by decimals: to make one takes longer than to write fifty numbers */

const isWhole = (value: number): boolean => Math.abs(value - Math.round(value)) < 1e-9 * Math.max(1, Math.abs(value));

export function formatValue(value: number, decimals: number, precision = 3): string {
  const size = Math.abs(value);

  if (size >= 1e9 || (size > 0 && size < 0.5 * 10 ** -decimals))
    return value.toExponential(precision).replace('e+', 'e').replaceAll('-', '−');
  return (decimal[decimals] ??= new Intl.NumberFormat('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }))
    .format(value)
    .replace('-', '−');
}

const MOST_MORE = 12;
const areEqual = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-13 * Math.abs(a);

/** The values of a board, in its order: all with as many digits as it takes to tell neighbours apart, which
 * are never more than the longest of them has. What only a computation can have made different is not told apart. */
export function formatColumn(values: readonly number[]): string[] {
  const least = decimalsFor(values);

  for (let more = 0; ; more++) {
    const texts = values.map((value) => formatValue(value, least + more, 3 + more));
    if (more === MOST_MORE || texts.every((text, i) => i === 0 || text !== texts[i - 1] || areEqual(values[i]!, values[i - 1]!)))
      return texts;
  }
}

/** One value on its own. */
export const formatLoneValue = (value: number): string => formatValue(value, decimalsFor([value]));

const parts = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** "0 s", "48 s", "5 min", "2 h 5 min", "3 d 4 h". A time ahead counts as now. */
export function formatAge(ms: number): string {
  const age = Math.max(0, ms);
  const first = Math.max(
    0,
    parts.findIndex(([, size]) => age >= size),
  );
  const [unit, size] = age < 1000 ? parts[3] : parts[first]!;
  const text = `${Math.floor(age / size)} ${unit}`;
  const next = parts[first + 1];

  if (age < 3_600_000 || !next) return text;
  const rest = Math.floor((age % size) / next[1]);
  return rest > 0 ? `${text} ${rest} ${next[0]}` : text;
}

const shortDay = writer({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });

export const formatClock = writer({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
export const formatDay = writer({ day: 'numeric', month: 'short', year: 'numeric' });
export const formatMoment = (ms: number): string => `${formatDay(ms)}, ${formatClock(ms)}`;
/** Without the year, and to the minute: for columns. */
export const formatShortMoment = (ms: number): string => shortDay(ms).replace(',', '');

/** The time alone when it is of the same day as `nowMs`. */
export function formatNear(ms: number, nowMs: number): string {
  return formatDay(ms) === formatDay(nowMs) ? formatClock(ms) : formatMoment(ms);
}

/** The day once when both are of the same. */
export function formatRange(fromMs: number, toMs: number): string {
  return `${formatMoment(fromMs)} to ${formatDay(fromMs) === formatDay(toMs) ? formatClock(toMs) : formatMoment(toMs)}`;
}

const lengths = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;

/** A length as people say it: "10 days", "1 hour", "7.2 seconds", "90 minutes", "40 ms". */
export function formatLength(ms: number): string {
  const [unit, size] = lengths.find(([, one]) => ms >= 2 * one || (ms >= one && ms % one === 0)) ?? [];

  if (!size) return `${formatCount(Math.max(1, Math.round(ms)))} ms`;
  const number = Number((ms / size).toFixed(ms < 9.95 * size ? 1 : 0));
  return `${formatCount(number)} ${unit}${number === 1 ? '' : 's'}`;
}

export function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 10_000 ? `${formatCount(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function formatBytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* A feature names its unit by how its name ends, as metrics do: temperature_celsius. */
const units: Record<string, string> = {
  celsius: '°C',
  fahrenheit: '°F',
  kelvin: 'K',
  percent: '%',
  ratio: '',
  pascals: 'Pa',
  pascal: 'Pa',
  pa: 'Pa',
  hpa: 'hPa',
  kpa: 'kPa',
  mbar: 'mbar',
  bar: 'bar',
  psi: 'psi',
  volts: 'V',
  volt: 'V',
  mv: 'mV',
  amperes: 'A',
  ampere: 'A',
  ma: 'mA',
  watts: 'W',
  watt: 'W',
  kw: 'kW',
  kwh: 'kWh',
  hertz: 'Hz',
  hz: 'Hz',
  rpm: 'rpm',
  meters: 'm',
  metres: 'm',
  mm: 'mm',
  cm: 'cm',
  km: 'km',
  kmh: 'km/h',
  mps: 'm/s',
  seconds: 's',
  ms: 'ms',
  grams: 'g',
  kg: 'kg',
  liters: 'l',
  litres: 'l',
  lux: 'lx',
  ppm: 'ppm',
  ppb: 'ppb',
  ugm3: 'µg/m³',
  db: 'dB',
  dbm: 'dBm',
  bytes: 'B',
};

export interface FeatureName {
  label: string;
  unit: string;
  /** Its own name, where it is called something else. */
  title?: string;
}

/** What the contract says of features: a label as its title, a unit. */
export type FeatureWords = Record<string, { title?: string; 'x-unit'?: string }>;

let said: FeatureWords = {};

export function setFeatureWords(words: FeatureWords): void {
  said = words;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export function nameFeature(feature: string): FeatureName {
  const cut = feature.lastIndexOf('_');
  const unit = cut > 0 ? units[feature.slice(cut + 1)] : undefined;

  const { title, 'x-unit': saidUnit } = said[feature] ?? {};
  const words = (unit === undefined || saidUnit ? feature : feature.slice(0, cut)).replaceAll('_', ' ');

  return { label: title ?? capital(words), unit: saidUnit ?? unit ?? '', ...(title ? { title: feature } : {}) };
}

/** "Past minute" of past_minute. */
export const nameInterval = (interval: string): string => capital(interval.replaceAll('_', ' '));

/** For the middle of a sentence: "in the past minute", "of all time", "in shift_1". */
export function phraseInterval(interval: string): string {
  const words = interval.replaceAll('_', ' ');

  if (words === 'all time') return 'of all time';
  return words.startsWith('past ') || words.startsWith('last ') ? `in the ${words}` : `in ${words}`;
}

const statusNames: Record<string, string> = { ON: 'On', OFF: 'Off', ACTIVE: 'Active', INACTIVE: 'Inactive', none: 'None' };

export const nameStatus = (status: string | null): string => (status ? (statusNames[status] ?? status) : '–');

/** "wrong type" of wrong_type. */
export const nameReason = (reason: string): string => reason.replaceAll('_', ' ');
