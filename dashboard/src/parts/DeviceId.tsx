/* An id that is cut in its middle where there is no room: ids of a fleet differ at their ends. */
const TAIL = 8;
const SHORT = 2 * TAIL;

export function DeviceId({ id }: { id: string }) {
  const letters = [...id];

  if (letters.length <= SHORT) return <>{id}</>;
  return (
    <span className="long-id">
      <span>{letters.slice(0, -TAIL).join('')}</span>
      <span>{letters.slice(-TAIL).join('')}</span>
    </span>
  );
}
