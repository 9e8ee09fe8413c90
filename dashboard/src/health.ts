/* One verdict for all views: what httpapi says of itself, or, when it says nothing, that. */
import type { Trouble } from './contract';
import type { LiveState } from './live';

export interface Verdict {
  level: 'waiting' | 'ok' | 'warning' | 'broken';
  /** Null when there is nothing to say. */
  worst: Omit<Trouble, 'level'> | null;
  others: readonly Trouble[];
}

/** Of the state of a page at `host`. */
export function judge({ link, lostAt, status }: Pick<LiveState, 'link' | 'lostAt' | 'status'>, host: string): Verdict {
  if (link === 'connecting') return { level: 'waiting', worst: null, others: [] };
  if (link === 'live') return status ? { ...status.health } : { level: 'waiting', worst: null, others: [] };
  return {
    level: 'broken',
    worst: {
      code: 'link_lost',
      since: lostAt === null ? null : new Date(lostAt).toISOString(),
      title: status ? 'Connection lost' : 'Highwater does not answer',
      meaning: status
        ? 'This page hears nothing from httpapi: what you see is from before, and whether readings are stored is not known here.'
        : 'This page has heard nothing from httpapi yet.',
      action: `Is httpapi running at ${host}, and the network up? The page tries again by itself.`,
    },
    others: [],
  };
}
