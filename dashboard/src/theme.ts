/* Light or dark: as the system has it, unless somebody chose. public/theme.js reads the choice before the first drawing. */
import { useSyncExternalStore } from 'preact/compat';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const KEY = 'theme';
const root = document.documentElement;
const listeners = new Set<() => void>();

const readTheme = (): Theme => themes.find((theme) => theme === root.dataset.theme) ?? 'system';
const isDark = (): boolean =>
  readTheme() === 'system' ? window.matchMedia('(prefers-color-scheme: dark)').matches : readTheme() === 'dark';

/* What the browser draws itself around the page; and what has been painted dark, for those who print it. */
function tell(): void {
  root.toggleAttribute('data-dark', isDark());
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name=theme-color]'))
    meta.content = getComputedStyle(document.body).backgroundColor;
  for (const listener of listeners) listener();
}

export function setTheme(theme: Theme): void {
  if (theme === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    /* it lasts as long as the page */
  }
  tell();
}

function subscribe(onChange: () => void): () => void {
  if (listeners.size === 0) {
    window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tell);
    tell();
  }
  listeners.add(onChange);
  return () => listeners.delete(onChange);
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, readTheme);
export const useIsDark = (): boolean => useSyncExternalStore(subscribe, isDark);
