import { useNow } from '../clock';
import { formatAge, formatMoment } from '../format';

/** How long ago it was; the moment itself on hovering and for machines. */
export function Age({ at }: { at: string }) {
  const ms = Date.parse(at);
  const age = useNow() - ms;

  return (
    <time dateTime={at} title={formatMoment(ms)}>
      {formatAge(age)}
    </time>
  );
}
