/* How often which value: a histogram, and what most values do not exceed. */
import { useMemo, useRef } from 'preact/compat';
import uPlot from 'uplot';
import type { ValueHistogram } from '../contract';
import { decimalsFor, formatCount, formatLoneValue, formatValue, nameFeature } from '../format';
import { Plot, countAxis, valueAxis, type Colors } from '../plot';

export function ValueBars({ histogram }: { histogram: ValueHistogram }) {
  const { edges, counts, count, quantiles } = histogram;
  const name = nameFeature(histogram.feature);
  const readout = useRef<HTMLOutputElement>(null);
  const latest = useRef(histogram);
  latest.current = histogram;
  const data = useMemo<uPlot.AlignedData>(() => [counts.map((_, i) => (edges[i]! + edges[i + 1]!) / 2), counts], [edges, counts]);
  const build = useMemo(
    () => (colors: Colors) => options(colors, (i) => readout.current && (readout.current.textContent = readAt(latest.current, i))),
    [],
  );
  const range = useMemo(() => rangeOf(edges), [edges]);
  const peak = counts.indexOf(Math.max(...counts));
  const decimals = decimalsFor(quantiles.map(({ value }) => value));

  return (
    <figure>
      <figcaption>
        <strong>
          {name.label}
          {name.unit ? <span className="unit"> {name.unit}</span> : null}
        </strong>
        <output ref={readout} className="readout" aria-live="off" />
      </figcaption>
      {count === 0 ? (
        <p className="nothing">No value in this time.</p>
      ) : (
        <>
          <Plot
            build={build}
            data={data}
            range={range}
            height={11}
            label={
              `Histogram of ${name.label.toLowerCase()}: ${formatCount(count)} readings from ` +
              `${formatLoneValue(edges[0]!)} to ${formatLoneValue(edges.at(-1)!)}, most of them ` +
              `(${formatCount(counts[peak]!)}) between ${formatLoneValue(edges[peak]!)} and ${formatLoneValue(edges[peak + 1]!)}`
            }
          />
          <dl className="quantiles">
            {quantiles.map(({ quantile, value, error }) => (
              <div key={quantile}>
                <dt>{100 * quantile} % up to</dt>
                <dd>
                  {formatValue(value, decimals)}
                  {error > 0 ? <small title="The value is not farther from this"> ± {formatLoneValue(error)}</small> : null}
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </figure>
  );
}

/** All bins, whole; some room where all values are equal. */
function rangeOf(edges: readonly number[]): { min: number; max: number } {
  const min = edges[0] ?? 0;
  const max = edges.at(-1) ?? 1;
  return min < max ? { min, max } : { min: min - 0.5, max: max + 0.5 };
}

const longest = (...values: number[]): number => Math.max(...values.map((value) => String(Math.round(value)).length));

function readAt({ edges, counts, count }: ValueHistogram, i: number | null): string {
  const bin = i === null ? undefined : counts[i];
  if (i === null || bin === undefined) return '';
  const decimals = decimalsFor(edges);
  return (
    `${formatValue(edges[i]!, decimals)} to ${formatValue(edges[i + 1]!, decimals)}   ` +
    `${formatCount(bin)} (${((100 * bin) / count).toFixed(1)} %)`
  );
}

function options(colors: Colors, tell: (i: number | null) => void): Omit<uPlot.Options, 'width' | 'height'> {
  return {
    legend: { show: false },
    padding: [8, 10, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { time: false }, y: { range: (_, _low, high) => [0, Math.max(1, high) * 1.05] } },
    axes: [
      {
        ...valueAxis(colors),
        grid: { show: false },
        ticks: { stroke: colors.line, width: 1, size: 4 },
        gap: 4,
        space: (_, _axis, low, high) => colors.rem * Math.max(3.6, 1 + 0.6 * (longest(low, high) + 2)),
        size: 1.8 * colors.rem,
      },
      countAxis(colors),
    ],
    series: [
      {},
      { stroke: colors.bar, fill: colors.bar, width: 0, paths: uPlot.paths.bars!({ size: [0.9, 120], gap: 0 }), points: { show: false } },
    ],
    hooks: {
      setCursor: [(plot) => tell((plot.cursor.left ?? -1) < 0 ? null : (plot.cursor.idx ?? null))],
    },
  };
}
