/* One feature over time: the mean as a line, what lies between minimum and maximum as a band. */
import { useMemo, useRef, type MutableRefObject } from 'preact/compat';
import type uPlot from 'uplot';
import type { Points } from '../contract';
import { decimalsFor, formatCount, formatLoneValue, formatMoment, formatValue, nameFeature } from '../format';
import { dotted, toColumns, type Columns, type Range } from '../history';
import { overTime, Plot, type Colors, type Zooming } from '../plot';
import { tellLimits, useLimits, type Threshold } from '../thresholds';

const MEANS = 1;
const MAXS = 2;
const MINS = 3;

interface HistoryProps extends Zooming {
  answer: Points;
  feature: string;
  range: Range | null;
}

export function History({ answer, feature, range, onZoom, onReset }: HistoryProps) {
  const columns = useMemo(() => toColumns(answer, feature), [answer, feature]);
  const name = nameFeature(feature);
  const limits = useLimits(feature);
  const readout = useRef<HTMLOutputElement>(null);
  const handlers = useLatest({ onZoom, onReset, columns });
  const build = useMemo(
    () => (colors: Colors) => options(colors, handlers, limits, (text) => readout.current && (readout.current.textContent = text)),
    [handlers, limits],
  );
  const data = useMemo<uPlot.AlignedData>(
    () => [columns.times, columns.means, columns.maxs, columns.mins],
    [columns],
  );
  const summary = summarize(columns) + tellLimits(limits);

  return (
    <figure className="history">
      <figcaption>
        <strong>
          {name.label}
          {name.unit ? <span className="unit"> {name.unit}</span> : null}
        </strong>
        <output ref={readout} className="readout" aria-live="off" />
      </figcaption>
      {columns.times.length === 0 ? (
        <p className="nothing">No value in this time.</p>
      ) : (
        <Plot
          build={build}
          data={data}
          range={range && { min: range.from / 1000, max: range.to / 1000 }}
          height={12.5}
          label={`${name.label} over time. ${summary}`}
        />
      )}
    </figure>
  );
}

function summarize(columns: Columns): string {
  const mins = columns.mins.filter((value) => value !== null);
  const maxs = columns.maxs.filter((value) => value !== null);

  if (mins.length === 0) return 'No value.';
  const low = formatLoneValue(Math.min(...mins));
  const high = formatLoneValue(Math.max(...maxs));
  const first = formatMoment(columns.times[0]! * 1000);
  const last = formatMoment(columns.times.at(-1)! * 1000);
  return `Between ${low} and ${high}, from ${first} to ${last}.`;
}

/** Callbacks that uPlot keeps, though each drawing brings new ones. */
function useLatest<T>(value: T): MutableRefObject<T> {
  const latest = useRef(value);
  latest.current = value;
  return latest;
}

interface Handlers extends Zooming {
  columns: Columns;
}

function readAt(columns: Columns, i: number): string {
  const min = columns.mins[i];
  const max = columns.maxs[i];
  const mean = columns.means[i];

  if (min == null || max == null || mean == null) return '';
  const when = formatMoment(columns.times[i]! * 1000);
  if (columns.counts[i] === 1) return `${when}   ${formatLoneValue(mean)}`;
  const decimals = decimalsFor([min, max]);
  return (
    `${when}   ${formatValue(min, decimals)} to ${formatValue(max, decimals)}, ` +
    `mean ${formatValue(mean, decimals)} of ${formatCount(columns.counts[i]!)}`
  );
}

function options(
  colors: Colors,
  handlers: MutableRefObject<Handlers>,
  limits: readonly Threshold[],
  tell: (text: string) => void,
): Omit<uPlot.Options, 'width' | 'height'> {
  const none: uPlot.Series = { stroke: 'transparent', width: 0, points: { show: false } };

  return {
    ...overTime(colors, 'history', 7, handlers, limits, (i) => tell(i === null ? '' : readAt(handlers.current.columns, i))),
    series: [
      {},
      {
        stroke: colors.accent,
        width: 1.5,
        points: { show: true, size: 4, fill: colors.accent, filter: (plot) => dotted([...plot.data[MEANS]!], plot.bbox.width / devicePixelRatio) },
      },
      none,
      none,
    ],
    bands: [{ series: [MAXS, MINS], fill: colors.band }],
  };
}
