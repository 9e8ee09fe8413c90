import { nameStatus } from '../format';

/** A filled mark for what works, a hollow one for what does not, and the word. */
export function StatusMark({ status }: { status: string | null }) {
  const kind = status === 'ON' || status === 'ACTIVE' ? 'full' : status ? 'hollow' : 'absent';

  return (
    <span className={`status status-${kind}`} title={nameStatus(status)}>
      <i aria-hidden="true" />
      <span>{nameStatus(status)}</span>
    </span>
  );
}
