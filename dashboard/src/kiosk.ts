/* A screen on a wall: `#/boards?kiosk` has no controls, no pointer, large letters, and does not sleep. `?kiosk=20` shows
 * one board after another, each for 20 s; `?kiosk=temperature` that one alone. It is one as long as the page is open. */
import { useEffect, useState } from 'preact/compat';

const LEAST_S = 2;
const param = new URLSearchParams(window.location.hash.split(/\?(.*)/s)[1]).get('kiosk');
const seconds = Number(param) > 0 ? Math.max(LEAST_S, Number(param)) : 0;

/* Where the browser can, and lets us; a screen that was switched off and on again asks anew. */
function stayAwake(): void {
  if (document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => undefined);
}

if (param !== null) {
  document.documentElement.dataset.kiosk = '';
  document.addEventListener('visibilitychange', stayAwake);
  stayAwake();
}

/** Which of the features are on the screen now. */
export function useKiosk(features: string[]): string[] {
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    if (!seconds) return;
    const timer = setInterval(() => setTurn((n) => n + 1), seconds * 1000);
    return () => clearInterval(timer);
  }, []);
  if (seconds && features.length > 0) return [features[turn % features.length]!];
  return param && features.includes(param) ? [param] : features;
}
