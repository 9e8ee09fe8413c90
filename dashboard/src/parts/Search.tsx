/* A part of an id or label. What is typed is looked for once the typing rests; the URL follows without a step of its own. */
import { useEffect, useRef, useState } from 'preact/compat';
import { LONGEST_ID } from '../ids';

const TYPING_MS = 250;

interface SearchProps {
  q: string;
  onSearch: (text: string) => void;
}

export function Search({ q, onSearch }: SearchProps) {
  const [text, setText] = useState(q);
  const [told, setTold] = useState(q);
  const search = useRef(onSearch);

  search.current = onSearch;
  if (q !== told) {
    /* the back button, or a link */
    setTold(q);
    setText(q);
  }
  useEffect(() => {
    if (text.trim() === q) return;
    const timer = setTimeout(() => {
      setTold(text.trim());
      search.current(text.trim());
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, q]);

  return (
    <label className="search">
      <span className="unseen">Search devices by id or label</span>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="7" cy="7" r="4.5" />
        <path d="m10.5 10.5 3.5 3.5" />
      </svg>
      <input
        type="search"
        placeholder="Part of an id or label"
        maxLength={LONGEST_ID}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        autoComplete="off"
        spellcheck={false}
      />
    </label>
  );
}
