/* URLs are hashes, `#/device/device_1?span=day`: so the page works behind any prefix of a proxy and
 * the server needs no rule for it, and still back, forward, bookmarks and sharing work. */
import { useSyncExternalStore } from 'preact/compat';
import type { Order } from './contract';

export const deviceSorts = ['deviceId', 'lastHeardAt', 'clockOffsetMs', 'missing', 'rejectedPastHour'] as const;
export type DeviceSort = (typeof deviceSorts)[number];
export const deviceStates = ['silent', 'losing', 'refused'] as const;
export type DeviceState = (typeof deviceStates)[number];

export interface DevicesRoute {
  view: 'devices';
  q: string;
  after: string;
  sort: DeviceSort;
  order: Order;
  state: DeviceState | null;
  /** Only those that say they are of it. */
  group?: string;
}

export const bys = ['maximum', 'deviation', 'rise'] as const;
export type By = (typeof bys)[number];

/** What is '' is not asked for. */
export interface RejectedRoute {
  view: 'rejected';
  reason: string;
  device: string;
  after: string;
}

/** Of one threshold, or of all: then both are ''. */
export interface ThresholdsRoute {
  view: 'thresholds';
  feature: string;
  side: 'above' | 'below' | '';
  q?: string;
  group?: string;
  after: string;
}

export const spans = ['hour', 'day', 'week', 'month', 'all'] as const;
export type SpanName = (typeof spans)[number];

/** As many as a plot has colours and /readings takes. */
export const MOST_COMPARED = 8;

/** What plots are of: a span that ends now, or, where they are chosen, two moments. */
export interface PlotTime {
  span: SpanName;
  from: number | null;
  to: number | null;
}

export interface CompareRoute extends PlotTime {
  view: 'compare';
  devices: string[];
}

export type Route =
  | { view: 'boards'; interval: string | null; order: Order; group?: string }
  | { view: 'span'; from: number; to: number; order: Order; by?: By; group?: string } /* boards, too, of no interval */
  | ({ view: 'device'; deviceId: string } & PlotTime)
  | CompareRoute
  | DevicesRoute
  | { view: 'system' }
  | RejectedRoute
  | ThresholdsRoute
  | { view: 'unknown'; path: string };

const moment = (text: string | null): number | null => {
  const ms = text === null ? NaN : Date.parse(text);
  return Number.isFinite(ms) ? ms : null;
};

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);
  const [view = '', ...rest] = path.split('/').map(decode);
  const params = new URLSearchParams(query);

  const from = moment(params.get('from'));
  const to = moment(params.get('to'));
  const range = from !== null && to !== null && from < to ? { from, to } : null;
  const group = params.get('group') ? { group: params.get('group')! } : {};

  if (view === '' || view === 'boards') {
    const order: Order = params.get('order') === 'asc' ? 'asc' : 'desc';
    const by = bys.find((name) => name === params.get('by') && name !== 'maximum');
    return range
      ? { view: 'span', ...range, order, ...(by ? { by } : {}), ...group }
      : { view: 'boards', interval: rest[0] || null, order, ...group };
  }
  const time: PlotTime = { span: spans.find((name) => name === params.get('span')) ?? 'hour', from: range?.from ?? null, to: range?.to ?? null };
  if (view === 'device' && rest[0]) return { view: 'device', deviceId: rest[0], ...time };
  if (view === 'compare') {
    const devices = [...new Set(params.getAll('device').filter(Boolean))].slice(0, MOST_COMPARED);
    return { view: 'compare', devices, ...time };
  }
  if (view === 'devices')
    return {
      view: 'devices',
      q: params.get('q') ?? '',
      after: params.get('after') ?? '',
      sort: deviceSorts.find((name) => name === params.get('sort')) ?? 'deviceId',
      order: params.get('order') === 'desc' ? 'desc' : 'asc',
      state: deviceStates.find((name) => name === params.get('status')) ?? null,
      ...group,
    };
  if (view === 'system') return { view: 'system' };
  if (view === 'rejected')
    return { view: 'rejected', reason: rest[0] ?? '', device: params.get('device') ?? '', after: params.get('after') ?? '' };
  if (view === 'thresholds') {
    const side = params.get('side');
    return {
      view: 'thresholds',
      feature: params.get('feature') ?? '',
      side: side === 'above' || side === 'below' ? side : '',
      ...(params.get('q') ? { q: params.get('q')! } : {}),
      ...group,
      after: params.get('after') ?? '',
    };
  }
  return { view: 'unknown', path };
}

function withQuery(path: string, params: Record<string, string | null>): string {
  const given = Object.entries(params).filter((pair): pair is [string, string] => !!pair[1]);
  return given.length ? `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(given)}` : path;
}

/** `name` once for each. */
export const withDevices = (path: string, name: string, ids: readonly string[]): string =>
  ids.length ? `${path}?${new URLSearchParams(ids.map((id) => [name, id]))}` : path;

const spanQuery = ({ span, from, to }: PlotTime) => ({
  span: span === 'hour' ? null : span,
  from: from === null ? null : new Date(from).toISOString(),
  to: to === null ? null : new Date(to).toISOString(),
});

/** Of that time, or of the past hour. */
export const compareHref = (devices: readonly string[], time: { from: number; to: number } | null = null): string =>
  formatRoute({ view: 'compare', devices: devices.slice(0, MOST_COMPARED), span: 'hour', from: time?.from ?? null, to: time?.to ?? null });

/** As /devices takes it, without what goes without saying. */
export const devicesQuery = (route: DevicesRoute): Record<string, string> => ({
  ...(route.q ? { q: route.q } : {}),
  ...(route.group ? { group: route.group } : {}),
  ...(route.state ? { status: route.state } : {}),
  ...(route.sort !== 'deviceId' ? { sort: route.sort } : {}),
  ...(route.order === 'desc' ? { order: 'desc' } : {}),
  ...(route.after ? { after: route.after } : {}),
});

/** As /thresholds takes it, without what is not asked for. */
export const thresholdsQuery = ({ feature, side, q, group, after }: ThresholdsRoute): Record<string, string> =>
  Object.fromEntries(Object.entries({ feature, side, q, group, after }).filter((pair): pair is [string, string] => !!pair[1]));

/** As /dashboard takes it, without what goes without saying. */
export const boardsQuery = (route: Extract<Route, { view: 'boards' | 'span' }>): Record<string, string> => ({
  ...(route.view === 'span' ? { from: new Date(route.from).toISOString(), to: new Date(route.to).toISOString() } : {}),
  ...(route.view === 'span' && route.by && route.by !== 'maximum' ? { by: route.by } : {}),
  ...(route.order === 'asc' ? { order: 'asc' } : {}),
  ...(route.group ? { group: route.group } : {}),
});

export function formatRoute(route: Route): string {
  switch (route.view) {
    case 'boards':
      return withQuery(route.interval ? `#/boards/${encodeURIComponent(route.interval)}` : '#/boards', boardsQuery(route));
    case 'span':
      return withQuery('#/boards', boardsQuery(route));
    case 'device':
      return withQuery(`#/device/${encodeURIComponent(route.deviceId)}`, spanQuery(route));
    case 'compare':
      return withQuery(withDevices('#/compare', 'device', route.devices), spanQuery(route));
    case 'devices':
      return withQuery('#/devices', devicesQuery(route));
    case 'system':
      return '#/system';
    case 'rejected':
      return withQuery(route.reason ? `#/rejected/${encodeURIComponent(route.reason)}` : '#/rejected', {
        device: route.device,
        after: route.after,
      });
    case 'thresholds':
      return withQuery('#/thresholds', thresholdsQuery(route));
    case 'unknown':
      return `#/${route.path}`;
  }
}

export const deviceHref = (deviceId: string): string =>
  formatRoute({ view: 'device', deviceId, span: 'hour', from: null, to: null });

/** Who is beyond: of that threshold. */
export const beyondHref = (feature = '', side: ThresholdsRoute['side'] = ''): string => formatRoute({ view: 'thresholds', feature, side, after: '' });

export const rejectedHref = (reason: string, device = ''): string => formatRoute({ view: 'rejected', reason, device, after: '' });

/** `replace` for what is no step of its own, such as each letter of a search. */
export function navigate(route: Route, how: 'push' | 'replace' = 'push'): void {
  const href = formatRoute(route);

  if (href === window.location.hash) return;
  if (how === 'replace') {
    window.history.replaceState(null, '', href);
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  } else {
    window.location.hash = href;
  }
}

let parsed: { hash: string; route: Route } | null = null;

function current(): Route {
  const hash = window.location.hash;
  if (parsed?.hash !== hash) parsed = { hash, route: parseRoute(hash) };
  return parsed.route;
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener('hashchange', onChange);
  return () => window.removeEventListener('hashchange', onChange);
}

export const useRoute = (): Route => useSyncExternalStore(subscribe, current);
