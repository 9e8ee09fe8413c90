/* One button for three: as the system has it, light, dark. */
import { setTheme, themes, useTheme } from '../theme';

export function ThemeSwitch() {
  const theme = useTheme();
  const next = themes[(themes.indexOf(theme) + 1) % themes.length]!;
  const label = `Colours: ${theme}. Change to ${next}`;

  return (
    <button type="button" className="theme" onClick={() => setTheme(next)} aria-label={label} title={label}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="6" />
        {theme === 'light' ? null : <path d={theme === 'dark' ? 'M8 2a6 6 0 0 0 0 12A6 6 0 0 0 8 2' : 'M8 2a6 6 0 0 0 0 12Z'} />}
      </svg>
    </button>
  );
}
