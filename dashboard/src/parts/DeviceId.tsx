/* An id, or another name from outside: its direction is its own, what cannot be seen of it has a name. Where it may not
 * wrap (`isCut`) it is cut in its middle if there is no room: ids of a fleet differ at their ends. */
import { lettersOf, visible } from '../ids';

const TAIL = 8;
const SHORT = 2 * TAIL;

export function DeviceId({ id, isCut }: { id: string; isCut?: boolean }) {
  const shown = visible(id);
  const letters = lettersOf(shown);

  if (!isCut || letters.length <= SHORT) return <bdi>{shown}</bdi>;
  return (
    <bdi className="long-id">
      <span>{letters.slice(0, -TAIL).join('')}</span>
      <span>{letters.slice(-TAIL).join('')}</span>
    </bdi>
  );
}

/** What the device says it is called, behind its id. */
export const Called = ({ label }: { label: string | null | undefined }) =>
  label ? (
    <span className="called">
      {' '}
      <DeviceId id={label} />
    </span>
  ) : null;
