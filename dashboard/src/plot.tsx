/* uPlot as a component: made when it is first drawn, again for other colours or another zone, fed after that. */
import { useEffect, useLayoutEffect, useRef } from 'preact/compat';
import uPlot from 'uplot';
import { formatClock, formatShort } from './format';
import type { Range } from './history';
import { useIsDark } from './theme';
import { nameLimit, type Threshold } from './thresholds';
import { useZone, writer } from './zone';

export interface Colors {
  text: string;
  dim: string;
  line: string;
  accent: string;
  bar: string;
  band: string;
  fill: string;
  bad: string;
  /** Of lines that are compared. */
  series: string[];
  font: string;
  rem: number;
}

export function readColors(): Colors {
  const probe = document.body.appendChild(document.createElement('i'));
  /* The property itself says both colours, light-dark(); what is drawn with it says one. */
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
  const colors = {
    text: read('--text'),
    dim: read('--dim'),
    line: read('--line'),
    accent: read('--accent'),
    bar: read('--bar'),
    band: read('--band'),
    fill: read('--fill'),
    bad: read('--bad'),
    series: Array.from({ length: 8 }, (_, i) => read(`--series-${i + 1}`)),
    font: `${Math.round(size * 0.8)}px ${getComputedStyle(document.body).fontFamily}`,
    rem: size,
  };

  probe.remove();
  return colors;
}

const clock = writer({ hour: '2-digit', minute: '2-digit' });
const day = writer({ day: 'numeric', month: 'short' });
const month = writer({ month: 'short', year: 'numeric' });

/** Ticks of a time axis: as much of the moment as their distance calls for, the day where it changes. */
export function timeTicks(ticks: readonly number[], distance: number): string[] {
  let last = '';

  return ticks.map((tick) => {
    const ms = tick * 1000;
    if (distance >= 28 * 86_400) return month(ms);
    const today = day(ms);
    if (distance >= 86_400) return today;
    const text = distance < 1 ? `${formatClock(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, '0')}` : distance < 60 ? formatClock(ms) : clock(ms);
    const isNewDay = today !== last && last !== '';
    last = today;
    return isNewDay ? `${text}\n${today}` : text;
  });
}

/** None of the texts that would be cut at an edge: a letter is about half as wide as the font is high. */
export function whole(plot: uPlot, ticks: readonly number[], texts: readonly string[], rem: number): string[] {
  const left = plot.bbox.left / devicePixelRatio;

  return texts.map((text, i) => {
    const half = (0.48 * rem * Math.max(...text.split('\n').map((line) => line.length))) / 2;
    const at = left + plot.valToPos(ticks[i]!, 'x');
    return at - half < 0 || at + half > plot.width ? '' : text;
  });
}

export function timeAxis(colors: Colors): uPlot.Axis {
  return {
    stroke: colors.dim,
    font: colors.font,
    grid: { stroke: colors.line, width: 1 },
    ticks: { stroke: colors.line, width: 1, size: 4 },
    gap: 4,
    size: 2.4 * colors.rem,
    space: (_, _axis, from, to) => (to - from < 10 ? 6.4 : 4.8) * colors.rem, /* thousandths are long */
    values: (plot, ticks, _axis, _space, distance) => whole(plot, ticks, timeTicks(ticks, distance), colors.rem),
  };
}

export function valueAxis(colors: Colors, format?: (value: number) => string): uPlot.Axis {
  return {
    stroke: colors.dim,
    font: colors.font,
    grid: { stroke: colors.line, width: 1 },
    ticks: { show: false },
    gap: 6,
    space: 2.2 * colors.rem,
    /* the same for most, so that plots below each other have their times below each other */
    size: (_, values) => colors.rem * (1 + 0.45 * Math.max(5, ...(values ?? []).map((value) => value.length))),
    ...(format ? { values: (_: uPlot, ticks: number[]) => ticks.map(format) } : {}),
  };
}

/** Of things that are counted: no ticks between whole numbers. */
export const countAxis = (colors: Colors): uPlot.Axis => ({
  ...valueAxis(colors, formatShort),
  incrs: Array.from({ length: 12 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat(),
});

export interface Zooming {
  onZoom: (range: Range) => void;
  onReset: () => void;
}

/** Some air above and below, also of values that are all the same; and room for limits that are no farther away than
 * the values are from each other. */
export function valueRange(low: number | null, high: number | null, limits: readonly { limit: number }[] = []): [number, number] {
  if (low === null || high === null) return [0, 1];
  const near = limits.flatMap(({ limit }) => (limit >= 2 * low - high && limit <= 2 * high - low ? limit : []));
  const [least, most] = [Math.min(low, ...near), Math.max(high, ...near)];
  const air = most > least ? 0.08 * (most - least) : 0.05 * Math.abs(low) || 0.5;
  return [least - air, most + air];
}

/** A line at each limit, with its name, and red beyond. */
const drawLimits = ({ bad, font, rem }: Colors, limits: readonly Threshold[]) => (plot: uPlot) => {
  const { ctx, bbox } = plot;
  const bottom = bbox.top + bbox.height;

  ctx.save();
  ctx.fillStyle = bad;
  ctx.font = font.replace(/^\d+/, (size) => `${Number(size) * devicePixelRatio}`);
  ctx.textAlign = 'left';
  for (const one of limits) {
    const at = plot.valToPos(one.limit, 'y', true);
    const y = Math.min(bottom, Math.max(bbox.top, at));
    const hasRoomAbove = y - bbox.top > 1.2 * rem * devicePixelRatio;

    ctx.globalAlpha = 0.12;
    ctx.fillRect(bbox.left, one.side === 'above' ? bbox.top : y, bbox.width, one.side === 'above' ? y - bbox.top : bottom - y);
    if (y !== at) continue;
    ctx.globalAlpha = 1;
    ctx.fillRect(bbox.left, y, bbox.width, devicePixelRatio);
    ctx.textBaseline = hasRoomAbove ? 'bottom' : 'top';
    ctx.fillText(nameLimit(one), bbox.left + 0.3 * rem * devicePixelRatio, y + (hasRoomAbove ? -1 : 3) * devicePixelRatio);
  }
  ctx.restore();
};

/** What all plots over time do: drag zooms, a double click takes that back, and those of a `group` share a cursor, of
 * which `tell` is told. uPlot keeps the callbacks, though each drawing brings new ones. */
export function overTime(
  colors: Colors,
  group: string,
  dotSize: number,
  zooming: { current: Zooming },
  limits: readonly Threshold[],
  tell: (i: number | null) => void,
): Pick<uPlot.Options, 'legend' | 'padding' | 'cursor' | 'scales' | 'axes' | 'hooks'> {
  return {
    legend: { show: false },
    padding: [8, 12, 0, 0],
    cursor: {
      sync: { key: group, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      y: false,
      points: { size: dotSize },
      bind: {
        dblclick: () => () => {
          zooming.current.onReset();
          return null;
        },
      },
    },
    scales: { x: { time: true }, y: { range: (_, low, high) => valueRange(low, high, limits) } },
    axes: [timeAxis(colors), valueAxis(colors)],
    hooks: {
      draw: [drawLimits(colors, limits)],
      setCursor: [
        (plot) => {
          const i = plot.cursor.idx;
          tell(i == null || (plot.cursor.left ?? -1) < 0 ? null : i);
        },
      ],
      setSelect: [
        (plot) => {
          if (plot.select.width < 4 || plot.data[0].length === 0) return;
          const from = plot.posToVal(plot.select.left, 'x') * 1000;
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x') * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (to - from >= 10) zooming.current.onZoom({ from: Math.round(from), to: Math.round(to) });
        },
      ],
    },
  };
}

/* uPlot looks for round times with the functions of a date that are of the browser's zone. */
const ownDate = (seconds: number): Date => new Date(seconds * 1000);
const utcDate = (seconds: number): Date => uPlot.tzDate(ownDate(seconds), 'UTC');

interface PlotProps {
  /** Everything but the size; called again for other colours. Must not change otherwise. */
  build: (colors: Colors) => Omit<uPlot.Options, 'width' | 'height'>;
  data: uPlot.AlignedData;
  /** Of the x axis, when it is not that of the data. */
  range?: { min: number; max: number } | null;
  height: number; /* in rem */
  label: string;
}

export function Plot({ build, data, range, height, label }: PlotProps) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = useIsDark();
  const zone = useZone();
  const latest = useRef({ data, range });
  const { min, max } = range ?? {};
  latest.current = { data, range };

  useLayoutEffect(() => {
    const element = host.current!;
    const size = () => ({
      width: Math.max(120, element.clientWidth),
      height: height * parseFloat(getComputedStyle(document.documentElement).fontSize),
    });
    const { data, range } = latest.current; /* those of later drawings come below */
    const made = new uPlot({ ...build(readColors()), ...size(), tzDate: zone === 'UTC' ? utcDate : ownDate }, data, element);
    const watcher = new ResizeObserver(() => made.setSize(size()));

    plot.current = made;
    if (range) made.setScale('x', range);
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [build, isDark, zone, height]);

  useEffect(() => {
    plot.current?.batch(() => {
      const hasRange = min !== undefined && max !== undefined;
      plot.current!.setData(data, !hasRange);
      if (hasRange) plot.current!.setScale('x', { min, max });
    });
  }, [data, min, max]);

  return <div className="plot" ref={host} role="img" aria-label={label} />;
}
