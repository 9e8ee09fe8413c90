/* What httpapi answers, by the names that the page has for it. The types themselves are made of the contract: `make contract`. */
import type * as made from './contract.gen';

export type { BoardHistory, Change, ChangeEvent, Collector, ComparedPoints, Dashboard, Device, DeviceEntry, Devices } from './contract.gen';
export type { Groups, Heatmap, Thresholds } from './contract.gen';
export type { Point, ReadingPage, RejectedCounts, RejectedMessage, RejectedPage, Sequence, Span, Statuses, Trouble, ValueHistogram } from './contract.gen';

export type Status = keyof Omit<made.Statuses, 'none'>;
export type Order = made.BoardEvent['order'];
/** Of a board by deviation or rise, too. */
export type Reading = made.Reading | made.RankedReading;
/** The page shows boards of spans as it shows those of events. */
export type BoardEvent = Omit<made.BoardEvent, 'readings'> & { readings: Reading[] };
export type Points = made.ReadingPoints;

/** Without a token /health has the level alone; events always have all. */
export type Health = Required<made.Verdict>;
export type StatusEvent = Omit<made.StatusEvent, 'health'> & { health: Health };

/** The contract itself. */
export interface OpenApi {
  info: { version: string };
  components: { schemas: Record<string, { properties?: Record<string, { title?: string; 'x-unit'?: string }> }> };
  paths: Record<
    string,
    { get: { parameters: { name: string; schema: { enum?: string[]; items?: { enum?: string[] } } }[] } }
  >;
}
