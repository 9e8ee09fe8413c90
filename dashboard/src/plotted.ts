/* The steps of plots, asked for again while their time goes on. */
import { useEffect, useMemo } from 'preact/compat';
import { getJson, useHeld, useQuery, type Query } from './api';
import { serverNow } from './clock';
import { Growing, type Steps } from './growing';
import { chosenOf, lengthOf, rangeOf, type Range } from './history';
import { useLive } from './live';
import type { PlotTime } from './router';

const POINTS = 500;

export interface Plotted<T> {
  query: Query<T>;
  /** What is drawn, or will be; null: as far back as there is something, which is not known yet. */
  range: Range | null;
  /** Which steps these are, for who asks for the same. */
  steps: { of: Range | null; points: number };
}

/** `pathOf` is the question about at most so many steps of a range, null of all; answers with another `key` are about something else. */
export function usePlotted<T extends Steps>(time: PlotTime, key: string, tick: number, pathOf: (range: Range | null, points: number) => string): Plotted<T> {
  const { span, from, to } = time;
  const chosen = chosenOf(time);
  const isLost = useLive((state) => state.link === 'lost');
  const path = `${key} ${span} ${from} ${to}`;
  const growing = useMemo(
    () => new Growing<T>((range, points, signal) => getJson<T>(pathOf(chosen ?? range, points), signal), chosen ? null : lengthOf(span), POINTS),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- it says what the question is about
    [path],
  );
  const get = useMemo(() => (_: string, signal: AbortSignal) => growing.get(signal), [growing]);
  const query = useHeld(useQuery<T>(path, chosen ? 0 : tick, get), `${key} ${span}`);
  const { data, asOf } = query;
  const shown: Range | null = data?.from && data.to ? { from: Date.parse(data.from), to: Date.parse(data.to) } : null;

  useEffect(() => {
    if (isLost) growing.restart();
  }, [isLost, growing]);

  /* of all the last reading is the end; the last step of what goes on ends later than now */
  const end = shown && (span === 'all' ? shown.to + 1 : Math.min(shown.to, asOf ?? shown.to));
  const of = chosen ?? (span === 'all' ? null : shown);
  const step = !chosen && data?.stepMs;
  return {
    query,
    range: chosen ?? (shown ? { from: shown.from, to: end! } : rangeOf(span, serverNow())),
    steps: { of, points: of && step ? Math.round((of.to - of.from) / step) : POINTS },
  };
}
