/* How many devices are beyond a threshold: in the head of every view, and the list of all of them is a click away. */
import { formatCount, nameFeature } from '../format';
import { useLive } from '../live';
import { beyondHref } from '../router';
import { nameLimit } from '../thresholds';

export function BeyondMark() {
  const beyond = useLive((state) => state.thresholds)
    .filter(({ devices }) => devices)
    .sort((a, b) => b.devices! - a.devices!);
  const [most, ...others] = beyond.map((one) => ({
    ...one,
    words: `${one.devices === 1 ? 'device' : 'devices'} with ${nameFeature(one.feature).label} ${nameLimit(one)}`,
  }));

  if (!most) return null;
  return (
    <a className={`beyond ${most.side}`} href={beyondHref()} title={[most, ...others].map(({ devices, words }) => `${formatCount(devices!)} ${words}`).join('\n')}>
      {formatCount(most.devices!)}
      <span> {most.words}</span>
      {others.length ? ` +${others.length}` : null}
    </a>
  );
}
