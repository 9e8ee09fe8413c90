import type uPlot from 'uplot';
import { describe, expect, test, vi } from 'vitest';
import { whole } from '../src/plot';

/* It asks the browser for its media when it is loaded. */
vi.mock('uplot', () => ({ default: class {} }));

describe('the texts of a time axis', () => {
  const plot = { bbox: { left: 40 * devicePixelRatio }, width: 640, valToPos: (at: number) => at } as unknown as uPlot;

  test.each([
    [300, '06:25', '06:25'],
    [590, '06:25', ''] /* its end would lie beyond the right edge */,
    [570, '06:25', '06:25'],
    [570, '06:27:19.000', ''],
    [570, '06:25\n27 Nov', '06:25\n27 Nov'],
    [-30, '06:25', ''],
  ])('at %d %j is drawn as %j', (at, text, drawn) => expect(whole(plot, [at], [text], 16)).toEqual([drawn]));
});
