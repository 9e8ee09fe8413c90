import { act, cleanup, render, screen } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { toLines } from '../src/lines';
import { live } from '../src/live';
import { Board } from '../src/parts/Board';
import { BeyondMark } from '../src/parts/Beyond';
import { valueRange } from '../src/plot';
import { nameLimit, unite } from '../src/thresholds';
import { Beyond } from '../src/views/Beyond';
import { System } from '../src/views/System';
import { board, collector, FakeSource, furnish, openapi, reading, serve, status } from './fakes';

vi.mock('uplot', () => ({ default: class {} }));
vi.mock('../src/plot', async (original) => ({ ...(await original<object>()), Plot: () => null }));

const hot = (devices?: number) => ({ feature: 'temperature', above: 90, back: 88, ...(devices === undefined ? {} : { devices }) });
const low = (devices: number) => ({ feature: 'pressure', below: 2, back: 2, devices });

beforeEach(furnish);
afterEach(() => {
  cleanup();
  live.close();
});

/** What collectors say, on the stream. */
async function say(...collectors: ReturnType<typeof collector>[]): Promise<void> {
  if (FakeSource.all.length === 0) {
    serve({ 'openapi.json': { body: openapi } });
    live.watch(null, 'desc');
    await act(() => new Promise((resolve) => setTimeout(resolve, 20)));
  }
  await act(async () => {
    FakeSource.last.say('status', status({ collectors }));
    await new Promise((resolve) => setTimeout(resolve, 40));
  });
}

describe('thresholds of collectors', () => {
  test('are one each, and what live ones say adds up', () => {
    const united = unite([collector({ thresholds: [hot(3), low(0)] }), collector({ thresholds: [hot(2)] }), collector({ isLive: false, thresholds: [hot(50)] })]);
    expect(united).toEqual([
      { feature: 'temperature', side: 'above', limit: 90, back: 88, devices: 5 },
      { feature: 'pressure', side: 'below', limit: 2, back: 2, devices: 0 },
    ]);
    expect(unite([collector({ thresholds: [hot()] }), collector()])).toMatchObject([{ devices: null }]);
    expect(unite([collector({ thresholds: [hot(1), { ...hot(1), above: 91 }] })])).toHaveLength(2);
  });

  test('are counted in the head, the one with most devices in words, until nobody is beyond or nobody knows', async () => {
    render(<BeyondMark />);
    await say(collector({ thresholds: [hot(0), low(0)] }));
    expect(screen.queryByRole('link')).toBeNull();
    await say(collector({ thresholds: [hot(1), low(1200)] }));
    const link = screen.getByRole('link');
    expect(link.textContent).toBe('1,200 devices with Pressure below 2 +1');
    expect(link.title).toBe('1,200 devices with Pressure below 2\n1 device with Temperature above 90');
    expect(link.className).toBe('beyond below');
    await say(collector({ isLive: false, state: 'lost' }));
    expect(screen.queryByRole('link')).toBeNull();
  });

  test('are named as exactly as they were set', () => {
    const name = (above: number) => nameLimit(unite([collector({ thresholds: [{ feature: 'temperature', above, back: above }] })])[0]!);
    expect([-0.5, 90.00001, 1e-9, 1234567].map(name)).toEqual(['above −0.5', 'above 90.00001', 'above 1e−9', 'above 1234567']);
  });

  test('stand in System with where they are left, and stay there when their collector is lost', async () => {
    render(<System />);
    await say(collector({ thresholds: [hot(3)] }));
    const cells = () => screen.getByRole('region', { name: 'Thresholds' }).querySelector('tbody tr')!.textContent;
    expect(cells()).toBe('Temperature above 90at 88 or below3');
    await say(collector({ isLive: false, state: 'lost' }));
    expect(cells()).toBe('Temperature above 90at 88 or belownot known');
    await say(collector());
    expect(screen.queryByRole('region', { name: 'Thresholds' })).toBeNull();
  });
});

describe('the list of who is beyond', () => {
  const one = (deviceId: string, more: object) => ({ deviceId, value: 1.5, since: '2026-11-27T10:00:00.000000Z', collectorId: 'a', about: null, ...more });
  const answer = {
    thresholds: [],
    total: 1234,
    isComplete: false,
    notHeard: ['b'],
    next: '7_8',
    devices: [one('pump-1', { feature: 'temperature', above: 90, value: 93.25, about: { label: 'In the cellar', group: null, location: null } }), one('x', { feature: 'pressure', below: 2 })],
  };
  const route = { view: 'thresholds', feature: '', side: '', after: '' } as const;

  test('has device, threshold and value of each, and says whose are missing', async () => {
    await say(collector({ thresholds: [hot(1), low(1233)] }));
    serve({ 'openapi.json': { body: openapi }, thresholds: { body: answer } });
    render(<Beyond route={route} />);
    await say(collector({ thresholds: [hot(1), low(1233)] }));
    const rows = screen.getAllByRole('row').map((row) => [...row.children].slice(0, 3).map((cell) => cell.textContent));
    expect(rows.slice(1)).toEqual([
      ['pump-1 In the cellar', 'Temperature above 90', '93.25'],
      ['x', 'Pressure below 2', '1.5'],
    ]);
    expect(screen.getByText('1,234 now, by what devices sent last')).toBeTruthy();
    expect(screen.getByRole('status').textContent).toContain('The collector b is not live');
    expect(screen.getByRole('link', { name: '50 before these' }).getAttribute('href')).toBe('#/thresholds?after=7_8');
  });

  test('is of a group and a text when asked for, and says so where it has nobody', async () => {
    await say(collector({ thresholds: [hot(1)] }));
    const asked = serve({ 'openapi.json': { body: openapi }, groups: { body: { groups: [], total: 0 } }, thresholds: { body: { ...answer, notHeard: [], devices: [], total: 0, next: null } } });
    render(<Beyond route={{ ...route, feature: 'temperature', q: 'pump', group: 'Hall A' }} />);
    await say(collector({ thresholds: [hot(1)] }));
    /* once, or twice where two seconds are over meanwhile */
    expect([...new Set(asked.filter((path) => path.startsWith('thresholds')))]).toEqual(['thresholds?limit=50&feature=temperature&q=pump&group=Hall+A']);
    expect(screen.getByText('0 found, by what devices sent last')).toBeTruthy();
    expect(screen.getByText('No device is beyond a threshold that has “pump” in its id or label, of the group “Hall A”')).toBeTruthy();
    expect(screen.getByRole('link', { name: 'All devices' }).getAttribute('href')).toBe('#/thresholds?feature=temperature');
  });

  test('says that there is no threshold, or nobody beyond it', async () => {
    await say(collector());
    serve({ 'openapi.json': { body: openapi }, thresholds: { body: { ...answer, notHeard: [], devices: [], total: 0, next: null } } });
    render(<Beyond route={route} />);
    await say(collector());
    expect(screen.getByText('No threshold is set')).toBeTruthy();
    await say(collector({ thresholds: [hot(0)] }));
    expect(screen.getByText('No device is beyond a threshold')).toBeTruthy();
  });
});

describe('what is beyond a threshold', () => {
  const value = (device: string) => screen.getByRole('link', { name: device }).closest('tr')!.querySelector('.value')!;

  test('is marked on a board, in words, too; and no change between values is', async () => {
    const boards = board([reading('a', 90.5), reading('b', 90)]);
    const { rerender } = render(<Board board={boards} places={10} />);
    await say(collector({ thresholds: [hot(1), low(1)] }));
    expect([value('a').className, value('b').className]).toEqual(['value beyond above', 'value']);
    expect(value('a').textContent).toMatch(/90\.5 above 90$/);
    rerender(<Board board={boards} places={10} explain={() => 'a change'} />);
    expect(value('a').className).toBe('value');
  });

  test('has the threshold in its line, where that is between its values', async () => {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const series = (deviceId: string, min: number, max: number) => ({ deviceId, feature: 'temperature', min: [min], max: [max] });
    const lines = toLines({ asOf: at(0), from: at(-3_600_000), to: at(0), stepMs: 3_600_000, labels: {}, series: [series('a', 80, 100), series('b', 10, 20), series('c', 95, 99)] });
    render(<Board board={board([reading('a', 95, 60_000), reading('b', 15, 60_000), reading('c', 96, 60_000)])} places={10} lines={lines} />);
    await say(collector({ thresholds: [hot(1)] }));
    expect([...document.querySelectorAll('.limit')].map((line) => line.getAttribute('d'))).toEqual(['M0 50h100']);
  });

  test('has room on a plot unless it is far away', () => {
    const limit = (of: number) => [{ limit: of }];
    expect(valueRange(0, 10, limit(20))).toEqual([-1.6, 21.6]);
    expect(valueRange(0, 10, limit(-10))).toEqual([-11.6, 11.6]);
    expect(valueRange(0, 10, limit(20.1))).toEqual(valueRange(0, 10));
    expect(valueRange(5, 5, limit(6))).toEqual([4.75, 5.25]);
  });
});
