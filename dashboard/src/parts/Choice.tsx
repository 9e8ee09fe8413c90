/* One of a few: radio buttons in a row, which is what keyboards and screen readers take them for. */
import { useId } from 'preact/compat';

interface ChoiceProps {
  label: string;
  options: readonly { value: string; label: string }[];
  value: string | null;
  onChoose: (value: string) => void;
}

export function Choice({ label, options, value, onChoose }: ChoiceProps) {
  const name = useId();

  return (
    <fieldset className="choice">
      <legend className="unseen">{label}</legend>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            className="unseen"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChoose(option.value)}
          />
          <span>{option.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
