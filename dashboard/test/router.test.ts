import { expect, test } from 'vitest';
import { deviceHref, formatRoute, parseRoute, type Route } from '../src/router';

test.each<[string, Route]>([
  ['', { view: 'boards', interval: null, order: 'desc' }],
  ['#/', { view: 'boards', interval: null, order: 'desc' }],
  ['#/boards/past_hour', { view: 'boards', interval: 'past_hour', order: 'desc' }],
  ['#/boards/past_hour?order=asc', { view: 'boards', interval: 'past_hour', order: 'asc' }],
  [
    '#/boards?from=2026-11-23T20:00:00Z&to=2026-11-24T06:00:00.000Z&order=asc',
    { view: 'span', from: Date.UTC(2026, 10, 23, 20), to: Date.UTC(2026, 10, 24, 6), order: 'asc' },
  ],
  ['#/boards?from=2026-11-23T20:00:00Z', { view: 'boards', interval: null, order: 'desc' }],
  ['#/boards?from=2026-11-23T20:00:00Z&to=2026-11-23T20:00:00Z', { view: 'boards', interval: null, order: 'desc' }],
  ['#/device/device_1', { view: 'device', deviceId: 'device_1', span: 'hour', from: null, to: null }],
  ['#/device/a%3Fb%26c%25?span=day', { view: 'device', deviceId: 'a?b&c%', span: 'day', from: null, to: null }],
  ['#/devices?q=pump+1&after=pump-7', { view: 'devices', q: 'pump 1', after: 'pump-7', sort: 'deviceId', order: 'asc', state: null }],
  [
    '#/devices?status=losing&sort=missing&order=desc&after=4_pump-7',
    { view: 'devices', q: '', after: '4_pump-7', sort: 'missing', order: 'desc', state: 'losing' },
  ],
  ['#/system', { view: 'system' }],
  ['#/rejected/not_json', { view: 'rejected', reason: 'not_json', device: '', after: '' }],
  ['#/rejected', { view: 'rejected', reason: '', device: '', after: '' }],
  ['#/rejected/no_value?device=a%2Fb+c&after=1_2', { view: 'rejected', reason: 'no_value', device: 'a/b c', after: '1_2' }],
  ['#/nowhere/at/all', { view: 'unknown', path: 'nowhere/at/all' }],
  ['#/device/', { view: 'unknown', path: 'device/' }],
  ['#/device/%E0%A4', { view: 'device', deviceId: '%E0%A4', span: 'hour', from: null, to: null }],
])('%s is understood', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

test.each(['device_1', 'a/b?c', 'Gerät 7', '100%', '#1', "o'neil", '..', '日本'])('device id %s survives its URL', (deviceId) => {
  expect(parseRoute(deviceHref(deviceId))).toMatchObject({ view: 'device', deviceId });
});

test('a group survives its URL', () => {
  for (const route of [
    { view: 'boards', interval: 'past_hour', order: 'asc', group: 'a&b=c%' },
    { view: 'span', from: 0, to: 1000, order: 'desc', by: 'rise', group: '温 #' },
    { view: 'thresholds', feature: 'temperature', side: 'above', q: 'a b', group: 'x&y', after: '1_-2' },
  ] as const)
    expect(parseRoute(formatRoute(route))).toEqual(route);
});

test('a span survives its URL', () => {
  const route: Route = { view: 'span', from: Date.UTC(2026, 10, 23, 20), to: Date.UTC(2026, 10, 24, 6), order: 'asc' };

  expect(parseRoute(formatRoute(route))).toEqual(route);
});

test('a zoomed history survives its URL', () => {
  const from = Date.UTC(2026, 10, 23, 12);
  const route: Route = { view: 'device', deviceId: 'x', span: 'all', from, to: from + 1500 };

  expect(parseRoute(formatRoute(route))).toEqual(route);
});

test.each(['from=2026-11-23T12:00:00Z', 'from=x&to=y', 'from=2026-11-23T12:00:00Z&to=2026-11-23T11:00:00Z'])(
  'half a range is none: %s',
  (query) => {
    expect(parseRoute(`#/device/x?${query}`)).toMatchObject({ from: null, to: null });
  },
);
