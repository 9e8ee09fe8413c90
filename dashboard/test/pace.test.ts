import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { paced } from '../src/pace';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what comes first is drawn with the next frame, what comes soon after that when it is time', () => {
  const drawn: number[] = [];
  const begun = performance.now();
  const draw = paced(200, (one) => requestAnimationFrame(one));
  const ask = () => draw(() => drawn.push(performance.now() - begun));

  ask();
  vi.advanceTimersByTime(50);
  ask();
  vi.advanceTimersByTime(140);
  expect(drawn).toHaveLength(1);
  expect(drawn[0]).toBeLessThan(20);
  vi.advanceTimersByTime(50);
  expect(drawn).toHaveLength(2);
  expect(drawn[1]! - drawn[0]!).toBeGreaterThanOrEqual(200);
  vi.advanceTimersByTime(1000);
  ask();
  vi.advanceTimersByTime(20);
  expect(drawn).toHaveLength(3);
});
