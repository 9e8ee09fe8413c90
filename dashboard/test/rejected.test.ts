import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { adviceFor, dump, parseAdvice, partsOf, tally } from '../src/rejected';

test('a document is taken apart into what it means and what to do', () => {
  expect(parseAdvice('# Head\n\nWords.\n\n## a_b\nMeans\nthis.\nDo: that.\n\n## c\nMeans.\n')).toEqual([
    { reason: 'a_b', paragraphs: ['Means this.', 'Do: that.'] },
    { reason: 'c', paragraphs: ['Means.'] },
  ]);
});

test('what stands between backquotes is code', () => {
  expect(partsOf('send `null`, or')).toEqual([
    { text: 'send ', isCode: false },
    { text: 'null', isCode: true },
    { text: ', or', isCode: false },
  ]);
});

test('the document that comes with the page has what to do', () => {
  const document = readFileSync('../docs/REJECTED.md', 'utf8');
  expect(adviceFor(document, 'no_value')?.paragraphs.some((one) => one.startsWith('Do: '))).toBe(true);
  expect(adviceFor(document, 'no_such_reason')).toBeNull();
});

test('bytes are shown as hexdump has them', () => {
  const bytes = String.fromCharCode(...Array.from({ length: 18 }, (_, i) => i * 15));
  expect(dump(btoa(bytes))).toBe(
    '0000  00 0f 1e 2d 3c 4b 5a 69 78 87 96 a5 b4 c3 d2 e1  ...-<KZix.......\n' + `0010  f0 ff ${' '.repeat(42)} ..`,
  );
  expect(dump('')).toBe('');
});

test('counts are put into the hours they are of, and the most frequent reason is the first', () => {
  const at = (hour: number) => new Date(Date.UTC(2026, 10, 27, hour)).toISOString();
  const hours: { hour: string; reasons: Record<string, number> }[] = [
    { hour: at(3), reasons: { a: 1, b: 5 } },
    { hour: at(1), reasons: { a: 2 } },
  ];
  const counts = { since: null, from: null, to: null, hours, total: 8 };
  const all = tally(counts, '', Date.parse(at(1)), 3);
  expect(all.reasons).toEqual([
    { reason: 'b', count: 5 },
    { reason: 'a', count: 3 },
  ]);
  expect(all.hours.map((one) => one.counts)).toEqual([
    [0, 2],
    [0, 0],
    [5, 1],
  ]);
  expect(tally(counts, 'a', Date.parse(at(1)), 3).hours.map((one) => one.counts)).toEqual([
    [0, 2],
    [0, 0],
    [0, 1],
  ]);
});
