/* The steps of plots, asked for again while their time goes on. */
import { useEffect, useState } from 'preact/compat';
import { useHeld, useQuery, type Query } from './api';
import { serverNow } from './clock';
import { chosenOf, rangeOf, type Range } from './history';
import type { PlotTime } from './router';

export interface Plotted<T> {
  query: Query<T>;
  /** What was asked for; null: as far back as there is something. */
  range: Range | null;
}

/** `pathOf` is the question about a range; answers with another `key` are about something else. */
export function usePlotted<T>(time: PlotTime, key: string, tick: number, pathOf: (range: Range | null) => string): Plotted<T> {
  const chosen = chosenOf(time);
  const [now, setNow] = useState(serverNow);
  const range = chosen ?? rangeOf(time.span, now);
  const query = useHeld(useQuery<T>(pathOf(range), chosen ? 0 : tick), key);
  const { isLoading, isRested } = query;

  /* A named span goes on with the time, once the question before is answered; one that was chosen
   * stands still. */
  useEffect(() => {
    if (!isLoading && isRested()) setNow(serverNow());
    // eslint-disable-next-line react-hooks/exhaustive-deps -- with each tick, not with each answer: that would ask without end
  }, [tick, key]);
  return { query, range };
}
