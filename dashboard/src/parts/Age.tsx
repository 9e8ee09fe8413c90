import { useNow } from '../clock';
import { formatAge, formatMoment } from '../format';

/** How long ago it was; the moment itself on hovering and for machines. */
export const Age = ({ at }: { at: string }) => <AgeAt at={at} now={useNow()} />;

/** For who is drawn again by others than the clock. */
export function AgeAt({ at, now }: { at: string; now: number }) {
  const ms = Date.parse(at);

  return (
    <time dateTime={at} title={formatMoment(ms)}>
      {formatAge(now - ms)}
    </time>
  );
}
