/* Questions over HTTP, and their failures as sentences. */
import { useCallback, useEffect, useRef, useState } from 'preact/compat';

export interface Answer<T> {
  data: T;
  asOf: number | null;
}

/** What was wrong, as RFC 9457 has it; status 0 when nobody answered. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly retryAfterS: number | null,
  ) {
    super(detail);
    this.name = 'Problem';
  }
}

const GIVE_UP_MS = 20_000;
const RETRY_S = 3;

/** `path` is relative to the page, so that a prefix stays in front of it. */
async function request(path: string, signal: AbortSignal): Promise<Response> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), GIVE_UP_MS);
  const stop = () => limit.abort();
  signal.addEventListener('abort', stop);
  try {
    return await fetch(path, { signal: limit.signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Problem(
      0,
      limit.signal.aborted
        ? `No answer within ${GIVE_UP_MS / 1000} s.`
        : 'Highwater does not answer. Is httpapi running, and the network up?',
      RETRY_S,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

async function asProblem(response: Response): Promise<Problem> {
  const retryAfter = Number(response.headers.get('Retry-After'));
  const body: unknown = await response.json().catch(() => null);
  const detail =
    body !== null && typeof body === 'object' && 'detail' in body && typeof body.detail === 'string'
      ? body.detail
      : `HTTP status ${response.status} ${response.statusText}`;

  return new Problem(response.status, detail, retryAfter > 0 ? retryAfter : response.status >= 500 ? RETRY_S : null);
}

export async function getJson<T>(path: string, signal: AbortSignal): Promise<Answer<T>> {
  const response = await request(path, signal);

  if (!response.ok) throw await asProblem(response);
  const asOf = Date.parse(response.headers.get('X-Data-As-Of') ?? '');
  return { data: (await response.json()) as T, asOf: Number.isFinite(asOf) ? asOf : null };
}

export async function getText(path: string, signal: AbortSignal): Promise<Answer<string>> {
  const response = await request(path, signal);

  if (!response.ok) throw await asProblem(response);
  return { data: await response.text(), asOf: null };
}

export interface Query<T> {
  data: T | null;
  asOf: number | null;
  problem: Problem | null;
  isLoading: boolean;
  /** False for a while after an answer that took long, and after a refusal. */
  isRested: () => boolean;
  reload: () => void;
}

interface Held<T> {
  path: string | null;
  answer: Answer<T> | null;
  problem: Problem | null;
  isLoading: boolean;
}

type Get<T> = (path: string, signal: AbortSignal) => Promise<Answer<T>>;

/** Asks when `path` changes, and again when `tick` does: then the old answer stays until the new one
 * is there, and a question is never asked twice at once, however fast the ticks. A server that says
 * when to come again is asked again then. */
export function useQuery<T>(path: string | null, tick = 0, get: Get<T> = getJson): Query<T> {
  const [held, setHeld] = useState<Held<T>>({ path: null, answer: null, problem: null, isLoading: false });
  const [again, setAgain] = useState(0);
  const running = useRef<{ path: string; abort: AbortController } | null>(null);
  const restUntil = useRef(0);

  const isRested = useCallback(() => performance.now() >= restUntil.current, []);
  const reload = useCallback(() => {
    restUntil.current = 0;
    setAgain((n) => n + 1);
  }, []);

  useEffect(() => {
    if (path === null) {
      running.current?.abort.abort();
      running.current = null;
      return;
    }
    if (running.current?.path === path || (held.path === path && !isRested())) return;
    running.current?.abort.abort();
    const run = { path, abort: new AbortController() };
    const startedAt = performance.now();
    running.current = run;
    setHeld((was) => ({ ...was, isLoading: true }));
    get(path, run.abort.signal).then(
      (answer) => {
        if (running.current !== run) return;
        running.current = null;
        restUntil.current = performance.now() + 5 * (performance.now() - startedAt);
        setHeld({ path, answer, problem: null, isLoading: false });
      },
      (error: unknown) => {
        if (running.current !== run) return;
        running.current = null;
        const problem = error instanceof Problem ? error : new Problem(0, String(error), null);
        // What is refused for good is asked again only by reload().
        restUntil.current = problem.retryAfterS === null ? Infinity : 0;
        setHeld((was) => ({
          path,
          answer: was.path === path && problem.status !== 404 ? was.answer : null,
          problem,
          isLoading: false,
        }));
      },
    );
    // eslint-disable-next-line react-hooks/exhaustive-deps -- held.path changes by the answers of this very effect
  }, [path, tick, again, get, isRested]);

  useEffect(
    () => () => {
      running.current?.abort.abort();
      running.current = null;
    },
    [],
  );

  const retryAfterS = held.problem?.retryAfterS ?? null;
  useEffect(() => {
    if (retryAfterS === null) return;
    const timer = setTimeout(() => setAgain((n) => n + 1), retryAfterS * 1000);
    return () => clearTimeout(timer);
  }, [held, retryAfterS]);

  const isOurs = held.path === path;
  return {
    data: isOurs ? (held.answer?.data ?? null) : null,
    asOf: isOurs ? (held.answer?.asOf ?? null) : null,
    problem: isOurs ? held.problem : null,
    isLoading: held.isLoading || (path !== null && !isOurs),
    isRested,
    reload,
  };
}

/** Keeps the last answer about the same thing on the screen until the next one is there. */
export function useHeld<T extends { data: unknown }>(query: T, key: string): T {
  const [held, setHeld] = useState<{ key: string; data: T['data'] }>({ key, data: null });

  if (query.data !== null && (held.data !== query.data || held.key !== key)) setHeld({ key, data: query.data });
  return query.data === null && held.key === key ? { ...query, data: held.data } : query;
}
