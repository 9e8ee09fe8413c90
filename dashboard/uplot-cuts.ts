/* uPlot without what the page has no use for: legends, other scales than linear ones, x upright, other shapes of lines than lines
 * and bars, its own words for times, what adds or hides lines later. Its own source has switches for a part of that, the package
 * has none. Most cuts are a condition that is always so here: the minifier finds what is never reached then. Each says how
 * often it fits, and one that no longer does fails the build: a new uPlot is looked at, not hoped for. */
type Cut = [what: string | RegExp, by: string, times?: number];

const cuts: Cut[] = [
  /* one kind of data, x across, linear */
  [/\bmode == 1\b/g, 'true', 16],
  [/\bmode == 2\b/g, 'false', 16],
  [/\b(?:scaleX|sx)\.ori == 0\b/g, 'true', 25],
  [/\bscaleX\.ori == 1\b/g, 'false', 9],
  [/scaleX\.dir \* \(true \? 1 : -1\)/g, '1', 5],
  [/\b(?:(?:sc|scale|wsc)\.|(?<!\.))distr ==  ?(?:2|3|4|100)\b|\bxScaleDistr == [234]\b/g, 'false', 36],
  [/\bsc\.distr == 1\b/g, 'true'],
  ['scaleX.distr != 2', 'true'],
  ['sc.distr >= 3', 'false'],
  ['if (scaleKey != xScaleKey || (false && !isTime))', 'if (false)'],
  ['let rangeIsArr = isArr(rn)', 'const rangeIsArr = false'],
  [/\b(?:scaleOpts|w?sc)\.from != null/g, 'false', 3],
  ['rangeNum(dataMin, dataMax, rangePad, true)', '[dataMin, dataMax]'],
  ['[_min, _max] = rangeNum(_min, _max, rangePad, true)', '_max = _min + 1'],
  ['genIncrs(2, -53, 53, [1]);', ''],

  /* no legend, no line that is near is told from others */
  ['const showLegend = legend.show;', 'const showLegend = false;'],
  [/if \(legend\.live\) \{\n\t\tconst getMultiVals[^]*?\n\t\}/g, ''],
  ['markers.width  = fnOrSelf(markers.width);', ''],
  ['markers.dash   = fnOrSelf(markers.dash);', ''],
  ['markers.stroke = fnOrSelf(markers.stroke);', ''],
  ['markers.fill   = fnOrSelf(markers.fill);', ''],
  ['\tmarkers: {\n\t\tshow: true,\n\t\twidth: 2,\n\t\tstroke: legendStroke,\n\t\tfill: legendFill,\n\t\tdash: "solid",\n\t},\n', ''],
  [/if \(true \|\| i > 0\) \{\n\t\t\tlet isTime[^}]*\}/g, ''],
  ['const cursorFocus = focus.prox >= 0;', 'const cursorFocus = false;'],
  ['const cursorOnePt = cursorFocus && points.one;', 'const cursorOnePt = false;'],
  ['series.some(s => s._focus) && ctxAlpha != focus.alpha', 'false'],
  ['let withProx = _prox >= 0 && _prox < inf;', 'const withProx = false;'],
  ['getBBox = points.bbox', 'getBBox = null'],

  /* words for times, and their ticks, are src/plot.tsx's */
  [/\bms == 1\b/g, 'false', 5],
  ['const [ timeIncrsMs, _timeAxisStampsMs, timeAxisSplitsMs ] = genTimeStuffs(1);', ''],
  [/const _timeAxisVals   = .*\n.*_timeSeriesVal .*\n/g, ''],
  [/const _timeAxisStamps = \[[^;]*\];/g, ''],
  ['\t\t_timeAxisStamps,\n', '\t\tnull,\n'],
  [/axis\.values = \([^;]*\);/g, 'axis.values = av || numAxisVals;'],
  ['uPlot.fmtDate = fmtDate;', ''],

  /* axes without names of their own, texts that lie */
  ['let angle = axis._rotate * -PI/180;', 'const angle = 0;'],
  ['axis._rotate = side == 2 ? axis.rotate(self, values, i, _space) : 0;', ''],
  [/axis\.label != null/g, 'false', 3],
  ['if (border.show)', 'if (false)'],
  ['(opts.padding || [autoPadSide,autoPadSide,autoPadSide,autoPadSide]).map(p => fnOrSelf(ifNull(p, autoPadSide)))', 'opts.padding.map(fnOrSelf)'],

  /* a drag is told to the page, which alone sets ranges; a double click, too */
  ['drag.setScale && hasSelect && chgSelect', 'false'],
  ['else if (cursor.lock)', 'else if (false)'],
  [/if \(cursor\._lock\)/g, 'if (false)', 6],
  ['let uni = drag.uni;', 'const uni = null;'],
  ['onMouse(dblclick, over, dblClick)', 'onMouse(dblclick, over, noop)'],
  ['events.dblclick = dblClick;', ''],
  [/events\["setSeries"\] = [^}]*\};/g, ''],

  /* bars of one colour, with corners */
  ['const { fill: dispFills, stroke: dispStrokes } = disp;', 'const dispFills = null, dispStrokes = null;'],
  ['let { x0, size } = disp;', 'const x0 = null, size = null;'],
  ['let { y0, y1 } = disp;', 'const y0 = null, y1 = null;'],
  ['endRad == 0 && baseRad == 0', 'true'],
  [/\b(?:stroke|fill)Path instanceof Map\b/g, 'false', 2],

  /* what nobody calls */
  [/\(opts\.plugins \|\| \[\]\)\.forEach\(p => \{[^]*?\n\t\}\);/g, '', 2],
  [/self\.(?:addSeries|delSeries|addBand|setBand|delBand|setSeries|setLegend) = \w+;/g, '', 7],
  [/self\.(?:redraw|setCursor) = [^]*?\n\t\};/g, '', 2],
  [/self\.(?:valToIdx|posToIdx) = .*;/g, '', 2],
  [/uPlot\.(?:join|rangeLog|rangeAsinh|rangeNum|assign|fmtNum|orient  |addGap|clipGaps) = \w+;/g, '', 9],
  ['uPlot.sync = _sync;', ''],
  ['\t\tpoints,\n\t};\n\n\t(paths', '\t};\n\n\t(paths'],
  [/\(paths\.(?:linear|stepped|spline)  ?= \w+\);/g, '', 3],
];

export const lessOfUPlot = {
  name: 'less-of-uplot',
  apply: 'build' as const,
  transform(code: string, id: string) {
    if (!id.endsWith('/uPlot.esm.js')) return null;
    return cuts.reduce((left, [what, by, times = 1]) => {
      const parts = left.split(what);
      if (parts.length !== times + 1) throw new Error(`uPlot has ${parts.length - 1} times, not ${times}: ${String(what)}`);
      return parts.join(by);
    }, code);
  },
};
