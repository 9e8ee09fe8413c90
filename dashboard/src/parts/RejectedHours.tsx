/* How many messages were rejected in each hour: a bar, in it the most frequent reasons. */
import { memo } from 'preact/compat';
import { formatCount, formatShortMoment, nameReason } from '../format';
import type { Tally } from '../rejected';
import { useZone } from '../zone';

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);

/** As many have a shade of their own; the others share the last one. */
export const SHADES = 4;

export const RejectedHours = memo(function RejectedHours({ tally: { hours, reasons } }: { tally: Tally }) {
  useZone();
  const sums = hours.map((hour) => sum(hour.counts));
  const most = Math.max(1, ...sums);
  const peak = hours[sums.indexOf(most)];

  return (
    <figure className="hours">
      <svg
        viewBox={`0 0 ${hours.length} 1`}
        preserveAspectRatio="none"
        role="img"
        aria-label={
          peak
            ? `Rejected messages in each hour: most of them, ${formatCount(most)}, in the one from ${formatShortMoment(peak.at)}`
            : 'Rejected messages in each hour: none'
        }
      >
        {hours.map(({ at, counts }, x) => {
          let below = 0;
          if (!sums[x]) return null;
          return (
            <g key={at}>
              <title>
                {[
                  `From ${formatShortMoment(at)}: ${formatCount(sums[x]!)}`,
                  ...counts.map((count, i) => (count ? `${nameReason(reasons[i]!.reason)}: ${formatCount(count)}` : '')).filter(Boolean),
                ].join('\n')}
              </title>
              <rect className="room" x={x} width="1" height="1" />
              {counts.map((count, i) => {
                below += count / most;
                return count ? (
                  <rect key={i} className={`shade-${Math.min(i, SHADES - 1)}`} x={x + 0.1} width="0.8" y={1 - below} height={count / most} />
                ) : null;
              })}
            </g>
          );
        })}
      </svg>
      <figcaption>
        <span>{formatShortMoment(hours[0]!.at)}</span>
        <span>{peak ? `Most in an hour: ${formatCount(most)}, from ${formatShortMoment(peak.at)}` : 'None'}</span>
        <span>now</span>
      </figcaption>
    </figure>
  );
});
