/* From which end boards rank, and over which interval: the same of boards as they go on, of a group, and of a span. */
import type { Order } from '../contract';
import { nameInterval } from '../format';
import { useLive } from '../live';
import { Choice } from './Choice';

export function OrderChoice({ order, isOfRises, onChoose }: { order: Order; isOfRises?: boolean; onChoose: (order: Order) => void }) {
  return (
    <Choice
      label="Order"
      options={[
        { value: 'desc', label: isOfRises ? 'Rises' : 'Highest' },
        { value: 'asc', label: isOfRises ? 'Falls' : 'Lowest' },
      ]}
      value={order}
      onChoose={onChoose as (order: string) => void}
    />
  );
}

/** Nothing until it is known which there are. */
export function IntervalChoice({ interval, onChoose }: { interval: string | null; onChoose: (interval: string) => void }) {
  const names = useLive((state) => state.names);

  return names ? (
    <Choice label="Interval" options={names.intervals.map((name) => ({ value: name, label: nameInterval(name) }))} value={interval} onChoose={onChoose} />
  ) : null;
}
