/* Prometheus text into numbers, as far as httpapi writes it: a name, perhaps labels, a value. */

export type Metrics = ReadonlyMap<string, number>;

export function parseMetrics(text: string): Metrics {
  const metrics = new Map<string, number>();

  for (const line of text.split('\n')) {
    const cut = line.lastIndexOf(' ');
    if (line.startsWith('#') || cut < 0) continue;
    const value = Number(line.slice(cut + 1).replace('Inf', 'Infinity'));
    if (!Number.isNaN(value)) metrics.set(line.slice(0, cut), value);
  }
  return metrics;
}

/** The sum over all labels. */
export function sumOf(metrics: Metrics, name: string): number {
  let sum = 0;

  for (const [series, value] of metrics) {
    if (series === name || series.startsWith(`${name}{`)) sum += value;
  }
  return sum;
}
