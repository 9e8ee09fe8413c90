/* What to do about messages that were rejected: the sections of docs/REJECTED.md, which come with the page, so
 * that what it says and what the documents say is one text. */
import text from '../../docs/REJECTED.md?raw';

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

const sections = parseAdvice(text);

/** null for a reason that a newer collector gives. */
export const adviceFor = (reason: string): Advice | null => sections.find((one) => one.reason === reason) ?? null;
