/* One second hand for everything that shows an age, so that they turn together and one timer does. */
import { useSyncExternalStore } from 'preact/compat';

/* How far the server's clock is ahead of ours. Small differences are the way of the message. */
const TOLERATED_SKEW_MS = 2500;
const AT_ONCE = 12;
let skewMs = 0;

let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

/** The server's time, by what it told last. */
export const serverNow = (): number => Date.now() + skewMs;

/** An event of the server's moment `ms` has just come. */
export function learnServerTime(ms: number): void {
  const skew = ms - Date.now();
  skewMs = Math.abs(skew) > TOLERATED_SKEW_MS ? skew : 0;
}

function turn(): void {
  nowMs = serverNow();
  tell([...listeners]);
}

/** Some in each frame: with an age its row is laid out and painted anew. */
function tell(left: (() => void)[]): void {
  for (const listener of left.splice(0, AT_ONCE)) if (listeners.has(listener)) listener();
  if (left.length > 0) requestAnimationFrame(() => tell(left));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  nowMs = serverNow();
  timer ??= setInterval(turn, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  };
}

/** The server's time, renewed every second. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => nowMs);
