import { expect, test } from 'vitest';
import { parseMetrics, sumOf } from '../src/metrics';

const text = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{route="page",code="200"} 3
requests_total{route="events",code="200"} 4
requests_total_of_another 100
up 1
odd +Inf
`;

test('series are read and summed by name', () => {
  const metrics = parseMetrics(text);

  expect(metrics.get('up')).toBe(1);
  expect(metrics.get('odd')).toBe(Infinity);
  expect(sumOf(metrics, 'requests_total')).toBe(7);
  expect(sumOf(metrics, 'absent')).toBe(0);
});
