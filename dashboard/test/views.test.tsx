import { readFileSync } from 'node:fs';
import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/preact';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Devices } from '../src/contract';
import { documentUrl } from '../src/rejected';
import { zoneName } from '../src/zone';
import { FakeSource, board, collector, furnish, health, openapi, reading, serve, status, type Reply } from './fakes';

/* The plots are for a browser; see the tests with one. */
vi.mock('../src/plot', () => ({ Plot: ({ label }: { label: string }) => <div role="img" aria-label={label} /> }));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'requestAnimationFrame', 'performance'] });
  vi.resetModules();
  furnish();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settle = (ms = 50) => vi.advanceTimersByTimeAsync(ms);

async function show(hash: string, replies: Record<string, Reply | (() => Reply)> = {}) {
  const asked = serve({ 'openapi.json': { body: openapi }, ...replies });
  window.location.hash = hash;
  const { App } = await import('../src/App');
  render(<App />);
  await settle();
  return asked;
}

async function say(...events: ['board' | 'status', object][]) {
  act(() => {
    for (const [type, data] of events) FakeSource.last.say(type, data);
  });
  await settle();
}

describe('boards of a span', () => {
  const past = (temperature: number) => reading('pump', temperature, 12 * 3_600_000);

  test('last night is two clicks, stands in the URL, and one click leads back to live', async () => {
    vi.setSystemTime(new Date(2026, 10, 27, 9, 30));
    const asked = await show('#/', { dashboard: { body: { temperature: [past(97.5)], pressure: [] } } });
    await say(['status', status()], ['board', board([reading('a', 1)])]);
    fireEvent.click(screen.getByText('Earlier'));
    fireEvent.click(screen.getByRole('button', { name: 'Last night', hidden: true }));
    await settle();
    const from = new Date(2026, 10, 26, 20).toISOString();
    const to = new Date(2026, 10, 27, 6).toISOString();
    const query = new URLSearchParams({ from, to });
    expect(window.location.hash).toBe(`#/boards?${query}`);
    expect(asked).toContain(`dashboard?${query}`);
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Highest last night');
    const link = screen.getByRole('link', { name: 'pump' });
    expect(link.getAttribute('href')).toBe(`#/device/pump?${query}`);
    expect(screen.getByText('97.5')).toBeTruthy();
    expect(screen.getByRole('table', { name: /^Pressure: highest from 26 Nov 2026, 20:00:00 to / })).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Back to live' }));
    await settle();
    expect(window.location.hash).toBe('#/boards');
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Highest in the past minute');
  });

  test('are of what two fields say, and of nothing where they make no sense', async () => {
    const asked = await show('#/', { dashboard: { body: { temperature: [past(3)] } } });
    await say(['status', status()]);
    fireEvent.click(screen.getByText('Earlier'));
    const [first, second] = [screen.getByLabelText('From'), screen.getByLabelText('To, not included')] as HTMLInputElement[];
    fireEvent.input(first!, { target: { value: '2026-11-26T22:15:00' } });
    fireEvent.input(second!, { target: { value: '2026-11-26T22:00:00' } });
    fireEvent.submit(first!.form!);
    await settle();
    expect(screen.getByText('The first moment must be before the second.')).toBeTruthy();
    expect(asked.some((path) => path.startsWith('dashboard'))).toBe(false);
    fireEvent.input(second!, { target: { value: '2026-11-26T22:45:00' } });
    fireEvent.submit(first!.form!);
    await settle();
    const query = new URLSearchParams({
      from: new Date(2026, 10, 26, 22, 15).toISOString(),
      to: new Date(2026, 10, 26, 22, 45).toISOString(),
    });
    expect(asked).toContain(`dashboard?${query}`);
  });

  test('say why there are none', async () => {
    const detail = 'readings recorded before 2026-11-20T00:00:00Z were dropped; from=2026-11-20T00:00:00Z, or later, is answered';
    await show('#/boards?from=2026-11-01T00:00:00Z&to=2026-11-21T00:00:00Z', { dashboard: { status: 410, body: { detail } } });
    expect(screen.getByRole('alert').textContent).toContain('or later, is answered');
    await show('#/boards?from=2026-11-02T00:00:00Z&to=2026-11-21T00:00:00Z&order=asc', { dashboard: { body: { temperature: [] } } });
    expect(screen.getAllByText('No reading in this span')).toBeTruthy();
  });
});

describe('boards', () => {
  const full = () => [
    ['board', board([reading('b', 2), reading('a', 1)])] as ['board', object],
    ['board', board([reading('a', 1)], { feature: 'pressure' })] as ['board', object],
  ];

  test('say that they load', async () => {
    await show('#/');
    expect(screen.getByText('Loading the boards …')).toBeTruthy();
  });

  test('say that nobody answers, and what to look at', async () => {
    serve({});
    const { App } = await import('../src/App');
    render(<App />);
    await settle();
    expect(screen.getByRole('alert').textContent).toContain('Highwater does not answer');
    expect(screen.getByRole('button', { name: 'Try now' })).toBeTruthy();
  });

  test('show each feature, as of when and from where', async () => {
    await show('#/');
    await say(['status', status()], ...full());
    expect(screen.getAllByRole('table')).toHaveLength(2);
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Highest in the past minute');
    expect(screen.getByText(/^As of/).textContent).toMatch(/^As of \d\d:\d\d:\d\d \([^)]+\), from the collector: 15 devices$/);
    expect(screen.getByText('Live')).toBeTruthy();
  });

  test('switch the interval, in the URL too', async () => {
    await show('#/');
    await say(['status', status()], ...full());
    fireEvent.click(screen.getByRole('radio', { name: 'Past hour' }));
    await settle();
    expect(window.location.hash).toBe('#/boards/past_hour');
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_hour');
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Highest in the past hour');
  });

  test('offer the lowest where a collector keeps them', async () => {
    await show('#/');
    await say(['status', status()], ...full());
    expect(screen.queryByRole('radio', { name: 'Lowest' })).toBeNull();
    await say(['status', status({ collectors: [collector({ lowest: true })] })]);
    fireEvent.click(screen.getByRole('radio', { name: 'Lowest' }));
    await settle();
    expect(FakeSource.last.url).toBe('events?changes=true&interval=past_minute&order=asc');
  });

  test('stay when the connection is lost, which is said', async () => {
    await show('#/');
    await say(['status', status()], ...full());
    act(() => FakeSource.last.fail());
    await settle();
    expect(screen.getByText('Connection lost')).toBeTruthy();
    expect(screen.getByText('Reconnecting')).toBeTruthy();
    expect(screen.getAllByRole('table')).toHaveLength(2);
    await settle(400);
    await say(['status', status()]);
    expect(screen.queryByText('Connection lost')).toBeNull();
  });

  test('say when nothing was sent, and offer to look further back', async () => {
    await show('#/');
    await say(['status', status()], ['board', board([])], ['board', board([], { feature: 'pressure' })]);
    expect(screen.getByText('No reading in the past minute')).toBeTruthy();
    expect(screen.getByText('devices/<deviceId>/readings')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'Look at: past hour' }));
    await settle();
    expect(window.location.hash).toBe('#/boards/past_hour');
  });

  test('know that there is no such interval', async () => {
    await show('#/boards/past_year');
    expect(screen.getByText('There is no interval “past_year”.')).toBeTruthy();
  });
});

describe('what is wrong', () => {
  const away = () => status({ source: 'database', health: health('broker_away', 'The broker is away'), collectors: [collector({ isLive: false })] });

  test.each(['#/', '#/devices', '#/device/pump', '#/system', '#/rejected/not_json', '#/nowhere'])('is said in the head of %s', async (view) => {
    await show(view);
    await say(['status', status()]);
    const mark = within(screen.getAllByRole('banner')[0]!);
    expect(mark.getByText('Live')).toBeTruthy();
    await say(['status', away()]);
    expect(mark.queryByText('Live')).toBeNull();
    expect(mark.getByText('The broker is away')).toBeTruthy();
    expect(mark.getByText('1 min')).toBeTruthy();
    const notice = screen.getAllByRole('alert')[0]!;
    expect(notice.textContent).toMatch(/^The broker is away · since .*It means this.Do that.$/);
    await say(['status', status()]);
    expect(mark.getByText('Live')).toBeTruthy();
    expect(screen.queryByText('The broker is away')).toBeNull();
  });

  test('is a warning when all that is shown is true', async () => {
    await show('#/');
    await say(['status', status({ health: health('collector_warming', 'A collector is warming up', { level: 'warning', since: null }) })]);
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getAllByText('A collector is warming up')).toHaveLength(2);
  });

  test('names the others, too', async () => {
    const other = health('broker_away', 'The broker is away').worst!;
    await show('#/devices');
    await say(['status', status({ source: 'none', asOf: null, health: health('database_away', 'The database is away', {}, other) })]);
    expect(screen.getByText('Also: The broker is away.')).toBeTruthy();
  });

  test('is that nobody answers, when nobody does, whatever was said before', async () => {
    await show('#/devices');
    await say(['status', away()]);
    act(() => FakeSource.last.fail());
    await settle();
    expect(screen.queryByText('The broker is away')).toBeNull();
    expect(screen.getAllByRole('alert')[0]!.textContent).toContain('whether readings are stored is not known here');
    fireEvent.click(screen.getByRole('button', { name: 'Try now' }));
    await settle();
    expect(FakeSource.all).toHaveLength(2);
  });

  test('the clock of the page goes on while the as-of stands still', async () => {
    await show('#/');
    const asOf = new Date(Date.now() - 600_000).toISOString();
    await say(['status', status({ source: 'none', asOf, health: health('database_away', 'The database is away', { since: asOf }) })]);
    await settle(3000);
    expect(within(screen.getAllByRole('banner')[0]!).getByText('10 min')).toBeTruthy();
  });

  test('without the broker nothing is claimed of collectors', async () => {
    await show('#/system');
    await say(['status', away()]);
    const rows = within(screen.getByRole('region', { name: 'Collectors' })).getAllByRole('row');
    expect(rows[1]!.textContent).toContain('UnknownNothing is heard of it without the broker');
  });

  test('without a collector nothing is claimed of what was rejected', async () => {
    await show('#/system');
    await say(['status', status({ source: 'database', health: health('collector_lost', 'The collector ended unexpectedly'), collectors: [{ collectorId: 'c', isLive: false, state: 'lost' }] })]);
    expect(screen.queryByText(/Nothing was rejected/)).toBeNull();
    expect(screen.getByText(/No collector says now what it has rejected/)).toBeTruthy();
    expect(screen.getAllByText('No collector says so now')).toHaveLength(3);
  });

  test('a store that stands still is no live collector', async () => {
    await show('#/system');
    await say(['status', status({ health: health('store_stands', 'The store stands still'), collectors: [collector({ lacks: 'store' })] })]);
    const rows = within(screen.getByRole('region', { name: 'Collectors' })).getAllByRole('row');
    expect(rows[1]!.textContent).toContain('Standing stillIts database is away, or stands still');
  });
});

describe('boards of a group', () => {
  const groups = { body: { groups: [{ group: 'Hall A', devices: 7 }], total: 1 } };
  const dashboard = { body: { temperature: [reading('b', 7)], pressure: [] }, headers: { 'X-Data-As-Of': new Date().toISOString() } };

  test('are asked of the database, again and again, and the page says so', async () => {
    const asked = await show('#/boards/past_hour?group=Hall+A', { groups, dashboard });
    const boards = () => asked.filter((path) => path === 'dashboard?interval=past_hour&group=Hall+A').length;

    expect(boards()).toBe(1);
    expect(asked).toContain('boards/history?interval=past_hour&group=Hall+A&points=60');
    expect(screen.getByText(/from the database,\s+asked every 3 seconds/).textContent).toContain('Group “Hall A”');
    expect(within(screen.getByRole('table', { name: 'Temperature: highest in the past hour' })).getByText('b')).toBeTruthy();
    for (let i = 0; i < 8; i++) {
      await settle(1000);
      await say(['status', status()]);
    }
    expect(boards()).toBeGreaterThan(1);
    fireEvent.change(screen.getByRole('combobox', { name: 'Group' }), { target: { value: '' } });
    await settle();
    expect(window.location.hash).toBe('#/boards/past_hour');
  });

  test('of a span, too; and a group of nobody is told', async () => {
    const span = 'from=2026-11-01T00%3A00%3A00.000Z&to=2026-11-02T00%3A00%3A00.000Z';
    const asked = await show(`#/boards?${span}&group=x`, { groups, dashboard: { body: { temperature: [], pressure: [] } } });
    expect(asked).toContain(`dashboard?${span}&group=x`);
    expect(screen.getByText(/No device of the group “/)).toBeTruthy();
    fireEvent.change(screen.getByRole('combobox', { name: 'Group' }), { target: { value: 'Hall A' } });
    await settle();
    expect(window.location.hash).toBe(`#/boards?${span}&group=Hall+A`);
  });
});

describe('devices', () => {
  const entry = (deviceId: string) => ({
    deviceId,
    about: null,
    firstSeenAt: '2026-11-01T00:00:00Z',
    firstReadingAt: '2026-11-01T00:00:00Z',
    lastReadingAt: new Date(Date.now() - 5000).toISOString(),
    lastHeardAt: new Date(Date.now() - 5000).toISOString(),
    clockOffsetMs: 0,
    readingsPastHour: 1234,
    rejectedPastHour: 0,
    latest: null,
    sequence: null,
  });
  const page = (next: string | null, ...ids: string[]): Devices => ({ devices: ids.map(entry), total: ids.length, next });

  test('are called what they say, and chosen by their group', async () => {
    const body = page(null, 'a');
    body.devices[0]!.about = { label: 'Pump \u202e3', group: 'Hall A', location: null };
    const asked = await show('#/devices', {
      'devices?limit=50': { body },
      groups: { body: { groups: [{ group: 'Hall A', devices: 7 }], total: 1 } },
      'devices?limit=50&group=Hall+A': { body },
    });

    await screen.findByText(/^Pump .*3$/);
    fireEvent.change(await screen.findByRole('combobox', { name: 'Group' }), { target: { value: 'Hall A' } });
    await vi.waitFor(() => expect(asked).toContain('devices?limit=50&group=Hall+A'));
    expect(window.location.hash).toBe('#/devices?group=Hall+A');
  });

  test('are ticked on any page, eight at most, and compared', async () => {
    const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => `d${from + i}`);
    await show('#/devices', { 'devices?limit=50': { body: page('d6', ...ids(1, 6)) }, 'devices?limit=50&after=d6': { body: page(null, ...ids(7, 3)) } });
    for (const id of ids(1, 6)) fireEvent.click(screen.getByRole('checkbox', { name: `Compare ${id}` }));
    fireEvent.click(screen.getByRole('checkbox', { name: 'Compare d2' }));
    fireEvent.click(screen.getByRole('link', { name: 'Next 50' }));
    await settle();
    for (const id of ids(7, 3)) fireEvent.click(screen.getByRole('checkbox', { name: `Compare ${id}` }));
    const compare = screen.getByRole('link', { name: 'Compare 8' }).getAttribute('href');
    expect(compare).toBe('#/compare?' + ['d1', 'd3', 'd4', 'd5', 'd6', 'd7', 'd8', 'd9'].map((id) => `device=${id}`).join('&'));
    fireEvent.click(screen.getByRole('link', { name: 'Previous 50' }));
    await settle();
    expect((screen.getByRole('checkbox', { name: 'Compare d2' }) as HTMLInputElement).disabled).toBe(true);
    expect((screen.getByRole('checkbox', { name: 'Compare d1' }) as HTMLInputElement).checked).toBe(true);
    fireEvent.click(screen.getByRole('button', { name: 'Untick all' }));
    expect(screen.queryByRole('link', { name: /^Compare/ })).toBeNull();
  });

  test('their readings are had as a file where the filter can be asked for', async () => {
    const file = () => screen.queryByRole('link', { name: 'Readings as CSV' })?.getAttribute('href');
    const many = { ...page(null, 'a b'), total: 51 };
    await show('#/devices', { devices: { body: many }, groups: { body: { groups: [], total: 0 } } });
    expect(file()).toBe('readings?format=csv');
    window.location.hash = '#/devices?group=A%26B';
    await settle();
    expect(file()).toBe('readings?group=A%26B&format=csv');
    window.location.hash = '#/devices?q=a&group=A';
    await settle();
    expect(file()).toBeUndefined();
    many.total = 1;
    window.location.hash = '#/devices?status=silent';
    await settle();
    expect(file()).toBe('readings?deviceId=a+b&format=csv');
  });

  test('are listed and paged', async () => {
    const asked = await show('#/devices', {
      'devices?limit=50': { body: page('b', 'a', 'b') },
      'devices?limit=50&after=b': { body: page(null, 'c') },
    });
    expect(screen.getAllByRole('rowheader').map((cell) => cell.textContent)).toEqual(['a', 'b']);
    expect(screen.getAllByText('1,234')).toHaveLength(2);
    fireEvent.click(screen.getByRole('link', { name: 'Next 50' }));
    await settle();
    expect(asked.at(-1)).toBe('devices?limit=50&after=b');
    expect(screen.getByRole('rowheader').textContent).toBe('c');
    expect(screen.getByRole('link', { name: 'Previous 50' }).getAttribute('href')).toBe('#/devices');
  });

  test('a page that was not come to by the one before leads to the first', async () => {
    await show('#/devices?after=x', { devices: { body: page(null, 'y') } });
    expect(screen.getByRole('link', { name: 'First page' }).getAttribute('href')).toBe('#/devices');
  });

  test('are ordered by a click on a column, and turned round by another', async () => {
    const asked = await show('#/devices?after=x', { devices: { body: page(null, 'y') } });
    fireEvent.click(screen.getByRole('button', { name: 'Missing' }));
    await settle();
    expect(asked.at(-1)).toBe('devices?limit=50&sort=missing&order=desc');
    expect(screen.getByRole('columnheader', { name: 'Missing' }).getAttribute('aria-sort')).toBe('descending');
    fireEvent.click(screen.getByRole('button', { name: 'Missing' }));
    await settle();
    expect(asked.at(-1)).toBe('devices?limit=50&sort=missing');
    fireEvent.click(screen.getByRole('radio', { name: 'Silent' }));
    await settle();
    expect(asked.at(-1)).toBe('devices?limit=50&status=silent&sort=missing');
  });

  test('that are late, lose or are refused say so', async () => {
    const late = { ...entry('late'), clockOffsetMs: -7_500_000 };
    const losing = { ...entry('losing'), sequence: { highest: 9, missing: 4, repeats: 0, restarts: 0 } };
    const refused = { ...entry('refused'), firstSeenAt: null, firstReadingAt: null, lastReadingAt: null, clockOffsetMs: null, rejectedPastHour: 1030 };
    await show('#/devices', { devices: { body: { devices: [late, losing, refused], total: 3, next: null } } });
    const cells = (id: string) => within(screen.getByRole('row', { name: new RegExp(`^Compare ${id} `) })).getAllByRole('cell').slice(1).map((cell) => cell.textContent);
    expect(cells('late')).toEqual(['5 s ago', '1,234', '–', '0', '2 h 5 min behind', expect.any(String)]);
    expect(cells('losing').slice(2, 4)).toEqual(['4', '0']);
    expect(cells('refused').slice(2)).toEqual(['–', '1,030', '–', 'none']);
  });

  test('are asked about again while the page is looked at', async () => {
    const asked = await show('#/devices', { devices: { body: page(null, 'y') } });
    const before = asked.filter((path) => path.startsWith('devices')).length;
    for (let i = 0; i < 6; i++) {
      await settle(1000);
      await say(['status', status()]);
    }
    expect(asked.filter((path) => path.startsWith('devices')).length).toBeGreaterThan(before + 1);
  });

  test('are searched for when the typing rests', async () => {
    const asked = await show('#/devices', { devices: { body: page(null, 'pump-1') } });
    const before = asked.length;
    const box = screen.getByRole('searchbox', { name: 'Search devices by id or label' });

    for (const text of ['p', 'pu', 'pum']) {
      fireEvent.input(box, { target: { value: text } });
      await settle(100);
    }
    expect(asked).toHaveLength(before);
    await settle(300);
    expect(asked.slice(before)).toEqual(['devices?limit=50&q=pum']);
    expect(window.location.hash).toBe('#/devices?q=pum');
  });

  test('say when none is found, and when there is none yet', async () => {
    await show('#/devices?q=zzz', { devices: { body: page(null) } });
    expect(screen.getByText('No device has “zzz” in its id or label')).toBeTruthy();
    act(() => {
      window.location.hash = '#/devices';
    });
    await settle();
    expect(screen.getByText('No device yet')).toBeTruthy();
  });

  test('say what the server says when it cannot', async () => {
    await show('#/devices', { devices: { status: 503, body: { detail: 'the database is not reachable' }, headers: { 'Retry-After': '2' } } });
    expect(screen.getByRole('alert').textContent).toContain('The database is not reachable. Asking again every 2 s.');
  });
});

describe('a device', () => {
  const latest = () => reading('pump 1', 20.5, 4000);
  const replies = (): Record<string, Reply> => ({
    'devices/pump%201': {
      body: {
        deviceId: 'pump 1',
        firstSeenAt: '2026-11-01T00:00:00Z',
        latest: latest(),
        peaks: { temperature: { highest: reading('pump 1', 99.5, 60_000), lowest: null }, pressure: { highest: null, lowest: null } },
        statuses: { ON: 3, OFF: 1, ACTIVE: 0, INACTIVE: 0 },
        sequence: { highest: 40, missing: 2, repeats: 1, restarts: 0 },
        storage: { since: '2026-11-01T00:00:00Z', retentionMs: 90 * 86_400_000, estimatedBytes: 12_400_000 },
      },
    },
    'devices/pump%201/histogram?from': { body: { 'pump 1': { ON: 3, OFF: 1, ACTIVE: 0, INACTIVE: 0 } } },
    'devices/pump%201/distribution?feature=temperature': {
      body: {
        feature: 'temperature',
        count: 4,
        edges: [0, 10, 20],
        counts: [1, 3],
        quantiles: [
          { quantile: 0.5, value: 12.25, error: 0 },
          { quantile: 0.95, value: 20, error: 0 },
          { quantile: 0.99, value: 20, error: 0.0049 },
        ],
      },
    },
    'devices/pump%201/distribution?feature=pressure': {
      body: { feature: 'pressure', count: 0, edges: [], counts: [], quantiles: [] },
    },
    'devices/pump%201/points?from': {
      body: {
        deviceId: 'pump 1',
        from: '2026-11-23T11:00:00Z',
        to: '2026-11-23T12:00:00Z',
        stepMs: 7200,
        points: [{ timestamp: '2026-11-23T11:30:00Z', count: 4, temperature: { min: 1, max: 99.5, mean: 20 }, pressure: null }],
      },
    },
    'devices/pump%201/readings?limit=20': { body: { deviceId: 'pump 1', readings: [latest()], next: null } },
  });

  test('shows its latest reading, peaks, statuses, values, history and numbering', async () => {
    await show('#/device/pump%201', replies());
    await settle(100);
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('pump 1');
    expect(screen.getByText('20.5', { selector: '.big' })).toBeTruthy();
    expect(screen.getByText('99.5', { selector: 'b' })).toBeTruthy();
    const bars = screen.getByRole('table', { name: 'Readings by status' });
    expect(within(bars).getAllByRole('row').slice(1).map((row) => row.textContent)).toEqual([
      'On375.0 %',
      'Off125.0 %',
      'Active00.0 %',
      'Inactive00.0 %',
    ]);
    expect(screen.getByRole('img', { name: /Histogram of temperature: 4 readings from 0 to 20, most of them \(3\) between 10 and 20/ })).toBeTruthy();
    expect(screen.getByRole('img', { name: /Temperature over time. Between 1 and 99.5/ })).toBeTruthy();
    expect(screen.getAllByText('No value in this time.')).toHaveLength(2);
    expect([...document.querySelectorAll('.quantiles div')].map((one) => one.textContent)).toEqual([
      '50 % up to12.25',
      '95 % up to20.00',
      '99 % up to20.00 ± 0.0049',
    ]);
    expect(screen.getByText('Missing').nextSibling!.textContent).toBe('2');
    expect(screen.getByText(/7.2 seconds a step/).textContent).toContain(`(${zoneName()})`);
  });

  test.each([
    [{}, /^Readings since .*, kept for 90 days, by whole partitions, about 12 MB on disk: their share of what all readings take$/],
    [{ retentionMs: 0, estimatedBytes: null }, /^Readings since [^,]*, [^,]*, kept for ever$/],
    [{ retentionMs: null, estimatedBytes: null }, /^Readings since [^,]*, [^,]*$/],
    [{ since: null, estimatedBytes: 0 }, /^No reading is stored any more, kept for 90 days, by whole partitions, about 0 kB/],
  ])('says what there is of its readings, and nothing that nobody knows: %o', async (storage, text) => {
    const given = replies();
    const { body } = given['devices/pump%201'] as { body: { storage: object } };
    body.storage = { ...body.storage, ...storage };
    await show('#/device/pump%201', given);
    expect(screen.getByText(text)).toBeTruthy();
  });

  test('has histograms, readings and CSV of the time that its plots show', async () => {
    const asked = await show('#/device/pump%201?from=2026-11-23T11:00:00Z&to=2026-11-23T12:00:00Z', {
      ...replies(),
      'devices/pump%201/points?points': replies()['devices/pump%201/points?from']!,
      'devices/pump%201/histogram': replies()['devices/pump%201/histogram?from']!,
    });
    const time = 'from=2026-11-23T11:00:00.000Z&to=2026-11-23T12:00:00.000Z';

    await settle(100);
    expect(asked).toContain(`devices/pump%201/histogram?${time}`);
    expect(asked).toContain(`devices/pump%201/distribution?feature=temperature&bins=24&quantiles=0.5,0.95,0.99&${time}`);
    expect(asked).toContain(`devices/pump%201/readings?limit=20&${time}`);
    expect(screen.getByRole('link', { name: 'This time as CSV' }).getAttribute('href')).toBe(`devices/pump%201/readings?format=csv&${time}`);
    fireEvent.click(screen.getByRole('radio', { name: 'All' }));
    await settle(100);
    expect(asked).toContain('devices/pump%201/histogram');
    expect(screen.getByRole('link', { name: 'All as CSV' }).getAttribute('href')).toBe('devices/pump%201/readings?format=csv');
  });

  test('asks for the last steps of its history, and for all of them when the stream was lost', async () => {
    vi.setSystemTime(new Date('2026-11-23T12:00:00Z'));
    const asked = await show('#/device/pump%201', replies());
    const points = () => asked.filter((path) => path.includes('/points')).map((path) => Number(new URLSearchParams(path.split('?')[1]).get('points')) > 400);
    const ticks = async () => {
      for (let i = 0; i < 5; i++) await say(['status', status()]);
      await settle(1000);
    };

    await settle(1000);
    expect(points()).toEqual([true]);
    await ticks();
    await ticks();
    expect(points().slice(0, 2)).toEqual([true, false]);
    const before = points().length;
    act(() => FakeSource.last.fail());
    await settle(5000);
    await ticks();
    expect(points().slice(before)).toContain(true);
  });

  test('zooms and moves by buttons, and goes back', async () => {
    await show('#/device/pump%201', replies());
    await settle(100);
    fireEvent.click(screen.getByRole('button', { name: 'Zoom in' }));
    await settle(100);
    expect(window.location.hash).toMatch(/from=.*&to=/);
    fireEvent.click(screen.getByRole('button', { name: 'Back to the past hour' }));
    await settle(100);
    expect(window.location.hash).toBe('#/device/pump%201');
  });

  test('that does not exist is said to be none', async () => {
    await show('#/device/nobody', { devices: { status: 404, body: { detail: 'there is no such device' } } });
    expect(screen.getByText('No such device')).toBeTruthy();
    expect(screen.getByRole('link', { name: 'Search' }).getAttribute('href')).toBe('#/devices?q=nobody');
  });
});

describe('the system', () => {
  test('shows totals, collectors, reasons and drops', async () => {
    await show('#/system');
    await say([
      'status',
      status({
        collectors: [
          collector({ rejectedByReason: { not_json: 1, wrong_type: 1 }, brokerDropped: 7 }),
          { collectorId: 'other', isLive: false, state: 'lost' },
        ],
      }),
    ]);
    const rows = within(screen.getByRole('region', { name: 'Collectors' })).getAllByRole('row');

    expect(rows[1]!.textContent).toContain('collectorLive8151001');
    expect(rows[2]!.textContent).toContain('Lost');
    expect(screen.getByText('not json').getAttribute('href')).toBe('#/rejected/not_json');
    expect(screen.getByText('Dropped by the broker').nextSibling!.textContent).toBe('7');
    expect(screen.getByText('Broker').nextSibling!.textContent).toBe('Connected');
  });

  test('says how to start a collector when there is none', async () => {
    await show('#/system');
    await say(['status', status({ source: 'database', reason: 'no collector is live', collectors: [] })]);
    expect(screen.getByText('No collector is heard')).toBeTruthy();
  });
});

describe('rejected messages', () => {
  const hour = () => new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000).toISOString();
  const message = (id: number, more: object = {}) => ({
    id,
    receivedAt: new Date().toISOString(),
    topic: 'devices/pump/readings',
    reason: 'not_json',
    detail: 'byte 1: no value begins so',
    deviceId: 'pump',
    payloadBytes: 4,
    payload: 'nope',
    payloadBase64: null,
    ...more,
  });
  const counts = (more: object = {}) => ({
    'rejected/counts': { body: { since: null, from: null, to: null, hours: [{ hour: hour(), reasons: { not_json: 3, no_value: 1030 } }], total: 1033, ...more } },
  });
  const advice = { [documentUrl]: { body: readFileSync('../docs/REJECTED.md', 'utf8') } };
  const page = (messages: object[], more: object = {}) => ({ ...advice, rejected: { body: { since: null, messages, next: null, ...more } } });

  test('are listed, and by a chip those of one reason, with what to do', async () => {
    const asked = await show('#/rejected', { ...counts(), ...page([message(1)]) });
    expect(screen.getByRole('img', { name: /most of them, 1,033, in the one from/ })).toBeTruthy();
    fireEvent.click(screen.getByRole('radio', { name: 'not json 3' }));
    await settle();
    expect(window.location.hash).toBe('#/rejected/not_json');
    expect(asked.at(-1)).toMatch(/^rejected\?reason=not_json&/);
    const advice = within(screen.getByRole('region', { name: 'What to do' }));
    expect(advice.getByText(/^Do: /)).toBeTruthy();
    expect(advice.getByText('collector --rejected --resubmit --reason not_json')).toBeTruthy();
    expect(document.title).toBe('Rejected · Highwater');
    expect(screen.getByRole('link', { name: 'Download' }).getAttribute('href')).toBe('rejected?reason=not_json&format=jsonl');
  });

  test('say where else it stands what to do, when that cannot be had', async () => {
    await show('#/rejected/not_json', { ...counts(), ...page([message(1)]), [documentUrl]: { status: 404, body: '' } });
    expect(screen.getByText(/stands in docs\/REJECTED.md, too/)).toBeTruthy();
    expect(screen.queryByText('This page does not know that reason')).toBeNull();
    expect(screen.getByText('nope')).toBeTruthy();
  });

  test('of a reason that the page does not know are no error', async () => {
    await show('#/rejected/of_tomorrow', { ...counts(), ...page([]) });
    expect(screen.getByText('This page does not know that reason')).toBeTruthy();
    expect(screen.getByRole<HTMLInputElement>('radio', { name: 'of tomorrow 0' }).checked).toBe(true);
    expect(screen.getByText('No such message is kept')).toBeTruthy();
  });

  test('say since when they are kept', async () => {
    const since = new Date(Date.now() - 3_600_000).toISOString();
    await show('#/rejected', { ...counts({ since }), ...page([], { since }) });
    expect(screen.getByText(/^Kept since .*; what was older is deleted$/)).toBeTruthy();
    expect(screen.getByText(/^counted since/)).toBeTruthy();
    expect(screen.getByText('No rejected message is kept')).toBeTruthy();
  });

  test('show what is no text as bytes, and of what is long how much', async () => {
    await show('#/rejected', { ...counts(), ...page([message(2, { payload: null, payloadBase64: btoa('\xff\xfe<b>'), payloadBytes: 262_144, deviceId: null })]) });
    const details = screen.getByText(/^0000 ff fe 3c/).closest('details')!;
    details.open = true;
    fireEvent(details, new Event('toggle'));
    expect(screen.getByText(/262,144 bytes, not UTF-8, of which these are the first 2,000; Download has all/)).toBeTruthy();
    expect(details.querySelector('pre')!.textContent).toMatch(/\.\.<b>$/);
    expect(screen.getByText('not known')).toBeTruthy();
  });

  test('follow each other until they are paused, and pages of older ones stand still', async () => {
    let id = 0;
    const asked = await show('#/rejected?device=a%20b', { ...counts(), rejected: () => ({ body: { since: null, messages: [message(++id, { payload: `message ${id}` })], next: '5_6' } }) });
    const pages = () => asked.filter((path) => path.startsWith('rejected?'));
    expect(pages()[0]).toMatch(/^rejected\?device=a\+b&limit=50&bytes=2000$/);
    for (let i = 0; i < 3; i++) await say(['status', status()]);
    expect(screen.getByText(`message ${id}`)).toBeTruthy();
    expect(id).toBeGreaterThan(1);
    fireEvent.click(screen.getByRole('button', { name: 'Pause' }));
    await settle();
    const until = id;
    for (let i = 0; i < 4; i++) await say(['status', status()]);
    expect(id).toBe(until);
    fireEvent.click(screen.getByRole('button', { name: 'Go on' }));
    for (let i = 0; i < 3; i++) await say(['status', status()]);
    expect(id).toBeGreaterThan(until);
    await settle();
    window.location.hash = screen.getByRole('link', { name: '50 before these' }).getAttribute('href')!;
    await settle();
    expect(pages().at(-1)).toMatch(/after=5_6$/);
    const older = id;
    for (let i = 0; i < 4; i++) await say(['status', status()]);
    expect(id).toBe(older);
    expect(screen.queryByRole('button', { name: 'Pause' })).toBeNull();
  });
});

test('an unknown view leads back', async () => {
  await show('#/nowhere');
  expect(screen.getByText('There is nothing here')).toBeTruthy();
});

test('another view has its title, and the focus', async () => {
  await show('#/');
  act(() => {
    window.location.hash = '#/system';
  });
  await settle();
  expect(document.title).toBe('System · Highwater');
  expect(document.activeElement).toBe(screen.getByRole('heading', { level: 1 }));
});

test('System says from when on it counts, and asks for nothing but the stream', async () => {
  const asked = await show('#/system');
  const startedAt = new Date(Date.now() - 90_000).toISOString();

  await say(['status', status({ collectors: [collector({ startedAt }), collector({ collectorId: 'other', startedAt })] })]);
  const text = document.body.textContent!;
  expect(text).toMatch(/206 received since \d\d:\d\d|of 206 received since/);
  expect(text).toContain('Requests answered since1,234');
  expect(text).toContain('1 busy of 3');
  expect(asked.filter((path) => path !== 'openapi.json')).toEqual([]);
});
