import { act, cleanup, fireEvent, render, screen } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Boundary } from '../src/parts/Boundary';
import { furnish, openapi, serve } from './fakes';

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  furnish();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  localStorage.clear();
  delete document.documentElement.dataset.theme;
  delete document.documentElement.dataset.kiosk;
  window.location.hash = '';
});

describe('a view that throws', () => {
  let isBroken = true;
  const View = () => {
    if (isBroken) throw new Error('no such member');
    return <h1>A view</h1>;
  };

  beforeEach(() => {
    isBroken = true;
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    render(
      <>
        <nav>Views</nav>
        <Boundary>
          <View />
        </Boundary>
      </>,
    );
  });

  test('leaves a sentence in its place, and the rest of the page', () => {
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('This view cannot be drawn');
    expect(screen.getByRole('alert').textContent).toContain('no such member');
    expect(screen.getByText('Views')).toBeTruthy();
    expect(console.error).toHaveBeenCalled();
  });

  test('comes back with a button', () => {
    isBroken = false;
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('A view');
  });

  test('comes back by itself: a wall has no button', () => {
    isBroken = false;
    act(() => void vi.advanceTimersByTime(30_000));
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('A view');
  });
});

test('a view that throws is within its boundary, the head of the page is not', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  vi.doMock('../src/views/System', () => ({
    System: () => {
      throw new Error('no such member');
    },
  }));
  serve({ 'openapi.json': { body: openapi } });
  window.location.hash = '#/system';
  const { App } = await import('../src/App');
  render(<App />);
  await vi.advanceTimersByTimeAsync(50);
  expect(screen.getByText('This view cannot be drawn')).toBeTruthy();
  expect(screen.getByRole('link', { name: 'Devices' })).toBeTruthy();
  vi.doUnmock('../src/views/System');
});

describe('colours', () => {
  test('are those of the system, light, dark, and what was chosen is kept', async () => {
    const { ThemeSwitch } = await import('../src/parts/ThemeSwitch');
    render(<ThemeSwitch />);
    const button = screen.getByRole('button');
    const seen = [];

    for (let i = 0; i < 3; i++) {
      fireEvent.click(button);
      act(() => void vi.runOnlyPendingTimers());
      seen.push([document.documentElement.dataset.theme, localStorage.getItem('theme'), document.documentElement.hasAttribute('data-dark')]);
    }
    expect(seen).toEqual([
      ['light', 'light', false],
      ['dark', 'dark', true],
      [undefined, null, false],
    ]);
  });
});

describe('a kiosk', () => {
  const shown = async (hash: string) => {
    window.location.hash = hash;
    const { useKiosk } = await import('../src/kiosk');
    const Show = () => <p>{useKiosk(['temperature', 'pressure']).join(' ')}</p>;
    render(<Show />);
    return () => document.querySelector('p')!.textContent;
  };

  test.each([
    ['#/boards', 'temperature pressure', false],
    ['#/boards?kiosk', 'temperature pressure', true],
    ['#/boards?order=asc&kiosk=pressure', 'pressure', true],
    ['#/boards?kiosk=nothing', 'temperature pressure', true],
  ])('%s shows %s', async (hash, features, isKiosk) => {
    expect((await shown(hash))()).toBe(features);
    expect('kiosk' in document.documentElement.dataset).toBe(isKiosk);
  });

  test('turns from one board to the next', async () => {
    const now = await shown('#/boards?kiosk=20');
    expect(now()).toBe('temperature');
    await act(async () => void (await vi.advanceTimersByTimeAsync(20_000)));
    expect(now()).toBe('pressure');
    await act(async () => void (await vi.advanceTimersByTimeAsync(20_000)));
    expect(now()).toBe('temperature');
  });

  test('does not sleep', async () => {
    const request = vi.fn(() => Promise.resolve());
    vi.stubGlobal('navigator', { ...window.navigator, wakeLock: { request } });
    await shown('#/boards?kiosk');
    expect(request).toHaveBeenCalledWith('screen');
  });
});
