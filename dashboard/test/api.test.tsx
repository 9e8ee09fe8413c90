import { act, renderHook } from '@testing-library/preact';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useQuery } from '../src/api';
import { serve } from './fakes';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/* Effects run after the next frame, and bodies are read in several turns of the loop. */
async function settle(ms = 0) {
  for (let i = 0; i < 5; i++) await vi.advanceTimersByTimeAsync(i === 0 ? ms : 20);
}

const problem = (status: number, detail: string, headers = {}) => ({ status, body: { detail }, headers });

test('an answer comes with its moment', async () => {
  serve({ a: { body: { n: 1 }, headers: { 'X-Data-As-Of': '2026-11-23T12:00:00Z' } } });
  const { result } = renderHook(() => useQuery('a'));

  expect(result.current.isLoading).toBe(true);
  await settle();
  expect(result.current).toMatchObject({ data: { n: 1 }, asOf: Date.UTC(2026, 10, 23, 12), isLoading: false, problem: null });
});

test('a problem is the sentence of the server', async () => {
  serve({ a: problem(404, 'there is no such device') });
  const { result } = renderHook(() => useQuery('a'));

  await settle();
  expect(result.current.problem).toMatchObject({ status: 404, detail: 'there is no such device', retryAfterS: null });
  expect(result.current.data).toBeNull();
});

test('what is refused for good is not asked again by itself', async () => {
  const asked = serve({ a: problem(404, 'there is no such device') });
  const { result, rerender } = renderHook(({ tick }) => useQuery('a', tick), { initialProps: { tick: 0 } });

  await settle();
  rerender({ tick: 1 });
  await settle(10_000);
  expect(asked).toHaveLength(1);
  act(() => result.current.reload());
  await settle();
  expect(asked).toHaveLength(2);
});

test('503 is asked again when the server says, and what was there stays', async () => {
  let isUp = true;
  const asked = serve({ a: () => (isUp ? { body: 1 } : problem(503, 'the database is not reachable', { 'Retry-After': '2' })) });
  const { result, rerender } = renderHook(({ tick }) => useQuery('a', tick), { initialProps: { tick: 0 } });

  await settle();
  isUp = false;
  await settle(100);
  rerender({ tick: 1 });
  await settle();
  expect(result.current).toMatchObject({ data: 1, problem: { status: 503, retryAfterS: 2 } });
  isUp = true;
  await settle(2000);
  expect(result.current).toMatchObject({ data: 1, problem: null });
  expect(asked).toHaveLength(3);
});

test('nobody there is a problem that says what to look at', async () => {
  serve({});
  const { result } = renderHook(() => useQuery('a'));

  await settle();
  expect(result.current.problem).toMatchObject({ status: 0 });
  expect(result.current.problem!.detail).toContain('httpapi');
});

test('the answer of another path is never shown', async () => {
  serve({ a: { body: 1 }, b: { body: 2 } });
  const { result, rerender } = renderHook(({ path }) => useQuery(path), { initialProps: { path: 'a' } });

  await settle();
  expect(result.current.data).toBe(1);
  rerender({ path: 'b' });
  expect(result.current.data).toBeNull();
  await settle();
  expect(result.current.data).toBe(2);
});

test('a question under way is not asked twice', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path);
    return new Promise(() => undefined);
  });
  const { rerender } = renderHook(({ tick }) => useQuery('a', tick), { initialProps: { tick: 0 } });

  for (let tick = 1; tick < 10; tick++) rerender({ tick });
  await settle();
  expect(asked).toHaveLength(1);
});
