/* One feature of several devices: a line each with its band, and what they say at the cursor. */
import { useMemo, useRef, type CSSProperties, type MutableRefObject } from 'preact/compat';
import type uPlot from 'uplot';
import type { ComparedPoints } from '../contract';
import { loneValues, placeAt, toCompared, type Compared } from '../compared';
import { decimalsFor, formatLoneValue, formatMoment, formatValue, nameFeature } from '../format';
import type { Range } from '../history';
import { visible } from '../ids';
import { overTime, Plot, type Colors, type Zooming } from '../plot';
import { tellLimits, useLimits, type Threshold } from '../thresholds';
import { DeviceId } from './DeviceId';

const dashes = [[], [8, 3], [2, 3], [10, 3, 2, 3]];
const dashOf = (device: number): number[] => dashes[device % dashes.length]!;

/** How the line of a device looks. */
export const Line = ({ device }: { device: number }) => (
  <svg viewBox="0 0 28 12" aria-hidden="true" style={{ '--color': `var(--series-${device + 1})` } as CSSProperties}>
    <path d="M0 6h28" stroke-dasharray={dashOf(device).join(' ')} />
  </svg>
);

interface ComparisonProps extends Zooming {
  answer: ComparedPoints;
  feature: string;
  range: Range | null;
}

export function Comparison({ answer, feature, range, onZoom, onReset }: ComparisonProps) {
  const compared = useMemo(() => toCompared(answer, feature), [answer, feature]);
  const name = nameFeature(feature);
  const limits = useLimits(feature);
  const figure = useRef<HTMLElement>(null);
  const latest = useRef({ compared, onZoom, onReset });
  latest.current = { compared, onZoom, onReset };
  const count = answer.devices.length;
  const build = useMemo(() => (colors: Colors) => options(colors, count, latest, limits, figure), [count, limits]);
  const data = useMemo(() => [compared.times, ...compared.series.flat()] as uPlot.AlignedData, [compared]);

  return (
    <figure className="history" ref={figure}>
      <figcaption>
        <strong>
          {name.label}
          {name.unit ? <span className="unit"> {name.unit}</span> : null}
        </strong>
        <output className="readout" aria-live="off" />
      </figcaption>
      {compared.times.length === 0 ? (
        <p className="nothing">No value in this time.</p>
      ) : (
        <>
          <Plot
            key={count}
            build={build}
            data={data}
            range={range && { min: range.from / 1000, max: range.to / 1000 }}
            height={15}
            label={`${name.label} over time. ${summarize(answer, compared)}${tellLimits(limits)}`}
          />
          <ul className="compared">
            {answer.devices.map(({ deviceId }, device) => (
              <li key={deviceId}>
                <Line device={device} />
                <DeviceId id={deviceId} />
                <output aria-live="off" />
              </li>
            ))}
          </ul>
        </>
      )}
    </figure>
  );
}

function summarize(answer: ComparedPoints, { columns }: Compared): string {
  return answer.devices
    .map(({ deviceId }, i) => {
      const own = columns[i]!;
      const mins = own.mins.filter((value) => value !== null);
      const maxs = own.maxs.filter((value) => value !== null);
      return mins.length === 0
        ? `${visible(deviceId)}: no value.`
        : `${visible(deviceId)}: between ${formatLoneValue(Math.min(...mins))} and ${formatLoneValue(Math.max(...maxs))}.`;
    })
    .join(' ');
}

interface Latest extends Zooming {
  compared: Compared;
}

/** Into the caption when, beside each device what it says then. */
function tell(figure: HTMLElement | null, { columns, times }: Compared, i: number | null): void {
  const [when, ...values] = figure?.querySelectorAll('output') ?? [];
  const time = i === null ? undefined : times[i];
  const found = columns.map((own) => {
    const place = time === undefined ? null : placeAt(own, time);
    return place === null ? null : [own.means[place]!, own.mins[place]!, own.maxs[place]!];
  });
  const decimals = decimalsFor(found.flatMap((value) => value ?? []));

  if (when) when.textContent = time === undefined ? '' : formatMoment(time * 1000);
  values.forEach((output, device) => {
    const [mean, min, max] = found[device] ?? [];
    const text = (value: number) => formatValue(value, decimals);
    output.textContent =
      time === undefined ? '' : mean === undefined ? 'no value' : min === max ? text(mean) : `${text(mean)} (${text(min!)} to ${text(max!)})`;
  });
}

/** A band lets those below it be seen. */
const paleOf = (color: string): string => color.replace(/^rgba?\(([^,]+, [^,]+, [^,)]+).*$/, 'rgba($1, 0.14)');

function options(
  colors: Colors,
  count: number,
  latest: MutableRefObject<Latest>,
  limits: readonly Threshold[],
  figure: MutableRefObject<HTMLElement | null>,
): Omit<uPlot.Options, 'width' | 'height'> {
  const none: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };
  const devices = Array.from({ length: count }, (_, device) => device);

  return {
    ...overTime(colors, 'compare', 6, latest, limits, (i) => tell(figure.current, latest.current.compared, i)),
    series: [
      {},
      ...devices.flatMap((device): uPlot.Series[] => {
        const color = colors.series[device]!;
        return [
          {
            stroke: color,
            width: 1.75,
            dash: dashOf(device),
            points: { show: true, size: 4, fill: color, filter: (plot) => loneValues([...plot.data[1 + 3 * device]!]) },
          },
          none,
          none,
        ];
      }),
    ],
    bands: devices.map((device) => ({ series: [2 + 3 * device, 3 + 3 * device] as [number, number], fill: paleOf(colors.series[device]!) })),
  };
}
