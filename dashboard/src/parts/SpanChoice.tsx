/* Boards of another time than now: a few spans by name, and two fields. It is a <details>, so it opens by a click or
 * a key without a script; a choice closes it. */
import { useId, useRef, useState } from 'preact/compat';
import { serverNow } from '../clock';
import { ofField, presets, toField, type TimeSpan } from '../spans';
import { useZone } from '../zone';

interface SpanChoiceProps {
  /** What is shown; null where the boards are those of now. */
  span: TimeSpan | null;
  onChoose: (span: TimeSpan) => void;
  label?: string;
}

export function SpanChoice({ span, onChoose, label = 'Earlier' }: SpanChoiceProps) {
  const details = useRef<HTMLDetailsElement>(null);
  const [shown, setShown] = useState<TimeSpan>(() => span ?? presets[0]!.of(serverNow()));
  const [error, setError] = useState('');
  const zone = useZone();
  const id = useId();
  const choose = (chosen: TimeSpan) => {
    if (details.current) details.current.open = false;
    setError('');
    setShown(chosen);
    onChoose(chosen);
  };

  return (
    <details
      className="spans"
      ref={details}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !details.current?.open) return;
        details.current.open = false;
        details.current.querySelector('summary')?.focus();
      }}
    >
      <summary className="button">{label}</summary>
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          const fields = new FormData(event.currentTarget as HTMLFormElement);
          const [from, to] = ['from', 'to'].map((name) => ofField(fields.get(name) as string)) as [number, number];
          if (from < to) choose({ from, to });
          else setError('The first moment must be before the second.');
        }}
      >
        <div className="tools">
          {presets.map((preset) => (
            <button type="button" key={preset.label} onClick={() => choose(preset.of(serverNow()))}>
              {preset.label}
            </button>
          ))}
        </div>
        {(['from', 'to'] as const).map((name) => (
          <label key={name}>
            {name === 'from' ? 'From' : 'To, not included'}
            <input
              type="datetime-local"
              name={name}
              step="1"
              required
              defaultValue={toField((span ?? shown)[name])}
              key={`${(span ?? shown)[name]} ${zone}`}
              aria-describedby={`${id}-note`}
            />
          </label>
        ))}
        <p className="source" id={`${id}-note`} role={error ? 'alert' : undefined}>
          {error || `Times of ${zone}.`}
        </p>
        <button type="submit">Show</button>
      </form>
    </details>
  );
}
