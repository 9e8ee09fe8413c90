/* What httpapi answers; /openapi.json is the contract in full. */

export type Status = 'ON' | 'OFF' | 'ACTIVE' | 'INACTIVE';
export type Order = 'desc' | 'asc';

/** One reading, with a member per feature: null where the device did not send it. */
export interface Reading {
  deviceId: string;
  timestamp: string;
  status: Status | null;
  [feature: string]: string | number | null | Change | undefined;
}

/** How a reading was ranked by deviation or rise: it is so much above `against`, a mean or the lowest value before. */
export interface Change {
  change: number;
  against: number;
  againstAt: string | null;
}

/** Of a span: the best readings of each feature. */
export type Dashboard = Record<string, (Reading & { value?: Change })[]>;

export interface BoardEvent {
  feature: string;
  interval: string;
  order: Order;
  asOf: string;
  source: 'boards' | 'database';
  readings: Reading[];
}

/** What is wrong, in sentences. */
export interface Trouble {
  code: string;
  level: 'warning' | 'broken';
  since: string | null;
  title: string;
  meaning: string;
  action: string;
}

export interface Health {
  level: 'ok' | 'warning' | 'broken';
  worst: Trouble | null;
  others: Trouble[];
}

export interface StatusEvent {
  source: 'boards' | 'database' | 'none';
  at: string;
  /** Null while nothing is known yet. */
  asOf: string | null;
  health: Health;
  reason: string;
  collectors: Collector[];
}

/** A collector that is lost has said nothing but that. */
export interface Collector {
  collectorId: string;
  isLive: boolean;
  state: 'warming' | 'live' | 'degraded' | 'stopped' | 'lost' | string;
  asOf?: string;
  startedAt?: string;
  version?: string;
  features?: string[];
  intervals?: { name: string; lengthMs: number | null }[];
  limit?: number;
  lowest?: boolean;
  subscribe?: string;
  devices?: number;
  messages?: number;
  received?: number;
  stored?: number;
  duplicates?: number;
  rejected?: number;
  rejectedByReason?: Record<string, number>;
  brokerDropped?: number | null;
  inFlight?: number;
  ratePerSecond?: number;
  lagMs?: number;
  lacks?: 'store' | 'source' | string;
  oldestUncommittedMs?: number;
}

/** Of a device that numbers its readings. */
export interface Sequence {
  highest: number;
  missing: number;
  repeats: number;
  restarts: number;
}

export interface DeviceEntry {
  deviceId: string;
  /** Null: all its messages were rejected. */
  firstSeenAt: string | null;
  firstReadingAt: string | null;
  lastReadingAt: string | null;
  /** By arrival, whatever its clock says. */
  lastHeardAt: string;
  /** Below 0 its clock is behind, or it sends late. */
  clockOffsetMs: number | null;
  readingsPastHour: number;
  rejectedPastHour: number;
  sequence?: Sequence | null;
  latest: Reading | null;
}

export interface Devices {
  devices: DeviceEntry[];
  /** How many fit the filters, on all pages. */
  total: number;
  next: string | null;
}

export type Statuses = Record<Status, number> & { none?: number };

export interface Device {
  deviceId: string;
  firstSeenAt: string | null;
  lastHeardAt: string;
  clockOffsetMs: number | null;
  rejectedPastHour: number;
  latest: Reading | null;
  peaks: Record<string, { highest: Reading | null; lowest: Reading | null }>;
  statuses: Statuses;
  sequence?: Sequence | null;
}

export interface Span {
  min: number;
  max: number;
  mean: number;
}

export interface Point {
  timestamp: string;
  count: number;
  [feature: string]: string | number | Span | null;
}

export interface Points {
  deviceId: string;
  from: string | null;
  to: string | null;
  stepMs: number | null;
  points: Point[];
}

export interface ReadingPage {
  deviceId: string;
  readings: Reading[];
  next: string | null;
}

export interface ValueHistogram {
  feature: string;
  count: number;
  edges: number[];
  counts: number[];
}

export interface OpenApi {
  info: { version: string };
  components: { schemas: Record<string, { properties?: Record<string, { title?: string; 'x-unit'?: string }> }> };
  paths: Record<
    string,
    { get: { parameters: { name: string; schema: { enum?: string[]; items?: { enum?: string[] } } }[] } }
  >;
}
