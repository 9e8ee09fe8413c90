import { readFileSync } from 'node:fs';
import { cleanup, render } from '@testing-library/preact';
import { afterEach, describe, expect, test } from 'vitest';
import { isolate, visible } from '../src/ids';
import { DeviceId } from '../src/parts/DeviceId';

afterEach(cleanup);

describe('ids', () => {
  test.each([
    ['pump-1', 'pump-1'],
    ['pump  1', 'pump␣␣1'],
    [' pump 1', '␣pump 1'],
    ['pump ', 'pump␣'],
    ['a\u202eb', 'a⟨U+202E⟩b'],
    ['a\u200bb', 'a⟨U+200B⟩b'],
    ['a\u00a0b', 'a⟨U+00A0⟩b'],
    ['a\tb\u007f', 'a⟨U+0009⟩b⟨U+007F⟩'],
    ['a\u{e0062}', 'a⟨U+E0062⟩'],
    ['Gerät 7 (süd)', 'Gerät 7 (süd)'],
    ['מד-לחץ', 'מד-לחץ'],
  ])('%j is shown as %j', (id, shown) => {
    expect(visible(id)).toBe(shown);
  });

  test.each(['pump-1', 'pump 1', 'p'])('%j needs no isolation', (id) => expect(isolate(id)).toBe(id));
  test.each(['7 pumps', 'pump-', 'מד 7', 'Gerät', '-1'])('%j is isolated', (id) => expect(isolate(id)).toBe(`\u2068${id}\u2069`));

  test('what cannot be seen is what the collector says it is', () => {
    const table = readFileSync('../shared/base/invisible.c', 'utf8');
    const ranges = [...table.matchAll(/\{(0x[0-9a-f]+), (0x[0-9a-f]+)\}/g)].map(([, first, last]) => [Number(first), Number(last)] as const);
    const differing: string[] = [];

    expect(ranges.length).toBeGreaterThan(20);
    for (let point = 0xa1; point <= 0x10ffff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const letter = String.fromCodePoint(point);
      const isRefused = (point & 0xfffe) === 0xfffe || ranges.some(([first, last]) => first <= point && point <= last);
      const isBlank = /\p{Zs}/u.test(letter);
      if (!isBlank && (visible(letter) !== letter) !== isRefused) differing.push(point.toString(16));
    }
    expect(differing).toEqual([]);
  });

  test('are isolated, whole or cut, and each letter keeps its marks', () => {
    const { container } = render(
      <>
        <DeviceId id="a-very-long-identifier" />
        <DeviceId id={`${'e\u0301'.repeat(9)}-${'n\u0303'.repeat(8)}`} isCut />
      </>,
    );
    const [whole, cut] = container.querySelectorAll('bdi');
    expect(whole!.textContent).toBe('a-very-long-identifier');
    expect([...cut!.children].map((part) => part.textContent)).toEqual([`${'e\u0301'.repeat(9)}-`, 'n\u0303'.repeat(8)]);
  });
});
