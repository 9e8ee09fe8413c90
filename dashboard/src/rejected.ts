/* What to do about messages that were rejected: the sections of docs/REJECTED.md, which lies beside the script and is fetched
 * when somebody asks, so that what the page says and what the documents say is one text. And how such messages are shown. */
import documentUrl from '../../docs/REJECTED.md?url';
import type { RejectedCounts } from './contract';

export interface Advice {
  reason: string;
  paragraphs: readonly string[];
}

/** A part of a paragraph: as it is, or between backquotes. */
export interface Part {
  text: string;
  isCode: boolean;
}

/** A line that begins with "Do:" begins a paragraph; the others go on with theirs. */
export function parseAdvice(document: string): readonly Advice[] {
  return document
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [reason = '', ...lines] = section.trim().split('\n');
      const paragraphs = lines.join('\n').split(/\n(?=Do: )|\n\n+/);
      return { reason: reason.trim(), paragraphs: paragraphs.map((one) => one.replaceAll('\n', ' ')) };
    });
}

export const partsOf = (paragraph: string): readonly Part[] =>
  paragraph.split('`').map((part, i) => ({ text: part, isCode: i % 2 === 1 }));

export { documentUrl };

/** null for a reason that a newer collector gives. */
export const adviceFor = (document: string, reason: string): Advice | null =>
  parseAdvice(document).find((one) => one.reason === reason) ?? null;

/* ---- bytes ---------------------------------------------------------------------------------- */

const PER_LINE = 16;
const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, '0');

/** Sixteen a line, as `hexdump -C` has them. */
export function dump(base64: string): string {
  const bytes = atob(base64);
  const lines: string[] = [];

  for (let at = 0; at < bytes.length; at += PER_LINE) {
    const line = bytes.slice(at, at + PER_LINE);
    const digits = [...line].map((byte) => hex(byte.charCodeAt(0), 2)).join(' ');
    lines.push(`${hex(at, 4)}  ${digits.padEnd(3 * PER_LINE)} ${line.replace(/[^ -~]/g, '.')}`);
  }
  return lines.join('\n');
}

/* ---- counts --------------------------------------------------------------------------------- */

const HOUR_MS = 3_600_000;

export interface Tally {
  /** The most frequent first. */
  reasons: readonly { reason: string; count: number }[];
  /** Of each hour from the first to the last: in the order of `reasons`. */
  hours: readonly { at: number; counts: readonly number[] }[];
}

/** Hours without a message are in it, too. `reason` '' is all of them. */
export function tally({ hours }: RejectedCounts, reason: string, from: number, count: number): Tally {
  const sums = new Map<string, number>();
  for (const one of hours)
    for (const [name, messages] of Object.entries(one.reasons)) sums.set(name, (sums.get(name) ?? 0) + messages);
  const reasons = [...sums].sort((a, b) => b[1] - a[1]).map(([name, sum]) => ({ reason: name, count: sum }));
  const found = new Map(hours.map((one) => [Date.parse(one.hour), one.reasons]));

  return {
    reasons,
    hours: Array.from({ length: count }, (_, i) => {
      const at = from + i * HOUR_MS;
      return { at, counts: reasons.map((one) => (reason && reason !== one.reason ? 0 : (found.get(at)?.[one.reason] ?? 0))) };
    }),
  };
}
