/* Several devices as the aligned columns of one plot. Pure. */
import type { ComparedPoints, Point } from './contract';
import { toColumns, type Columns } from './history';

export type Values = (number | null | undefined)[];

export interface Compared {
  times: number[];
  /** One of each device, in its own times. */
  columns: Columns[];
  /** Of each device, in `times`: mean, highest, lowest; null where the line breaks, undefined where it goes on. */
  series: [Values, Values, Values][];
}

export function toCompared(answer: ComparedPoints, feature: string): Compared {
  const columns = answer.devices.map(({ deviceId, points }) =>
    toColumns({ deviceId, from: answer.from, to: answer.to, stepMs: answer.stepMs, points: points as Point[] }, feature),
  );
  const times = [...new Set(columns.flatMap((one) => one.times))].sort((a, b) => a - b);
  const places = columns.map((one) => new Map(one.times.map((time, i) => [time, i])));

  return {
    times,
    columns,
    series: columns.map((one, device) => {
      const spread = (values: readonly (number | null)[]): Values =>
        widened(
          times.map((time) => {
            const place = places[device]!.get(time);
            return place === undefined ? undefined : values[place];
          }),
        );
      return [spread(one.means), spread(one.maxs), spread(one.mins)];
    }),
  };
}

/** A break reaches from the value before it to the next, over the times of others. */
function widened(values: Values): Values {
  let last = 0;
  let isBroken = false;

  values.forEach((value, i) => {
    if (value === null) isBroken = true;
    if (value == null) return;
    if (isBroken) values.fill(null, last + 1, i);
    last = i;
    isBroken = false;
  });
  return values;
}

const SILENT_DISTANCES = 4;

/** What a device says at a time: what it said last, unless it was silent then. */
export function placeAt({ times, means }: Columns, time: number): number | null {
  let place = -1;

  while (place + 1 < times.length && times[place + 1]! <= time) place++;
  if (place < 0 || means[place] === null) return null;
  const age = time - times[place]!;
  const usual = place > 0 ? (times[place]! - times[0]!) / place : 0;
  const isSilent = place + 1 < times.length ? means[place + 1] === null : age > SILENT_DISTANCES * usual;

  return age > 0 && isSilent ? null : place;
}

/** The points that no line reaches: those between breaks. */
export function loneValues(values: Values): number[] {
  const own = values.flatMap((value, i) => (value === undefined ? [] : [i]));

  return own.filter((i, n) => {
    const [before, after] = [own[n - 1], own[n + 1]];
    return values[i] !== null && (before === undefined || values[before] === null) && (after === undefined || values[after] === null);
  });
}
