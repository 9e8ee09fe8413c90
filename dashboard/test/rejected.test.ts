import { expect, test } from 'vitest';
import { adviceFor, parseAdvice, partsOf } from '../src/rejected';

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
  expect(adviceFor('no_value')?.paragraphs.some((one) => one.startsWith('Do: '))).toBe(true);
  expect(adviceFor('no_such_reason')).toBeNull();
});
