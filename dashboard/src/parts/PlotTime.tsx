/* What time plots are of: a span by its name, which goes on with the time, or two moments; and the steps from there. */
import { serverNow } from '../clock';
import { chosenOf, moved, zoomed, type Range } from '../history';
import { navigate, type Route, type SpanName } from '../router';
import { Choice } from './Choice';
import { SpanChoice } from './SpanChoice';

const spans = [
  { value: 'hour', label: 'Hour' },
  { value: 'day', label: 'Day' },
  { value: 'week', label: 'Week' },
  { value: 'month', label: 'Month' },
  { value: 'all', label: 'All' },
] as const;

export function TimeChoice({ route }: { route: Extract<Route, { span: SpanName }> }) {
  const chosen = chosenOf(route);

  return (
    <>
      <Choice
        label="Time shown"
        options={spans}
        value={chosen ? null : route.span}
        onChoose={(span) => navigate({ ...route, span: span as SpanName, from: null, to: null })}
      />
      <SpanChoice label="From, to" span={chosen} onChoose={(to) => navigate({ ...route, ...to })} />
    </>
  );
}

const steps: { sign: string; name: string; of: (range: Range, now: number) => Range }[] = [
  { sign: '‹', name: 'Earlier', of: (range, now) => moved(range, -0.5, now) },
  { sign: '+', name: 'Zoom in', of: (range, now) => zoomed(range, 0.5, now) },
  { sign: '−', name: 'Zoom out', of: (range, now) => zoomed(range, 2, now) },
  { sign: '›', name: 'Later', of: (range, now) => moved(range, 0.5, now) },
];

export function ZoomButtons({ shown, onChoose }: { shown: Range | null; onChoose: (range: Range) => void }) {
  return (
    <div className="buttons" role="group" aria-label="Zoom">
      {steps.map(({ sign, name, of }) => (
        <button key={name} type="button" disabled={!shown} onClick={() => onChoose(of(shown!, serverNow()))} aria-label={name} title={name}>
          {sign}
        </button>
      ))}
    </div>
  );
}
