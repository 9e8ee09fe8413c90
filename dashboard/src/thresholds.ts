/* THRESHOLDS of the collectors: one of each, and how many devices are beyond it. */
import { useMemo } from 'preact/compat';
import type { Collector } from './contract';
import { nameFeature } from './format';
import { useLive } from './live';
import { formatRoute } from './router';

export interface Threshold {
  feature: string;
  side: 'above' | 'below';
  limit: number;
  /** From here on it is left. */
  back: number;
  /** Null: nobody says so now. */
  devices: number | null;
}

/** Each device is told of by one collector, so what live ones say adds up. */
export function unite(collectors: readonly Collector[]): Threshold[] {
  const found = new Map<string, Threshold>();

  for (const { isLive, thresholds = [] } of collectors) {
    for (const { feature, above, below, back, devices } of thresholds) {
      const key = `${feature} ${above} ${below} ${back}`;
      const one = found.get(key) ?? { feature, side: below === undefined ? 'above' : 'below', limit: (below ?? above)!, back, devices: null };

      if (isLive && devices !== undefined) one.devices = (one.devices ?? 0) + devices;
      found.set(key, one);
    }
  }
  return [...found.values()];
}

export const isBeyond = ({ side, limit }: Threshold, value: number): boolean => (side === 'above' ? value > limit : value < limit);

/* exactly as it was set: a limit that is rounded would be another */
export const withUnit = (feature: string, value: number): string => `${String(value).replaceAll('-', '−')} ${nameFeature(feature).unit}`.trim();

/** "above 90 °C" */
export const nameLimit = ({ feature, side, limit }: Pick<Threshold, 'feature' | 'side' | 'limit'>): string => `${side} ${withUnit(feature, limit)}`;
export const nameBack = ({ feature, side, back }: Threshold): string => `at ${withUnit(feature, back)} or ${side === 'above' ? 'below' : 'above'}`;

/** Where those are in red that are farthest beyond. */
export const boardsHref = ({ side }: Threshold): string => formatRoute({ view: 'boards', interval: null, order: side === 'above' ? 'desc' : 'asc' });

/** For who sees no plot. */
export const tellLimits = (limits: readonly Threshold[]): string => limits.map((one) => ` Threshold: ${nameLimit(one)}.`).join('');

/** Those of a feature, the same ones as long as their limits are: how many devices are beyond is not looked at. */
export function useLimits(feature: string): readonly Threshold[] {
  const all = useLive((state) => state.thresholds);
  const text = JSON.stringify(all.flatMap((one) => (one.feature === feature ? { ...one, devices: null } : [])));

  return useMemo(() => JSON.parse(text) as Threshold[], [text]);
}
