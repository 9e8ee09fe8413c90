/* A board from its changes: what `event: change` of /events says, put upon what was there. Pure. */
import type { BoardEvent, ChangeEvent } from './contract';

/** A board, and the event that it is as of. */
export interface HeldBoard extends BoardEvent {
  id: string;
}

/** The board after a change; null when it does not go upon this one. */
export function applyChange(board: HeldBoard, { upon, removed, added, ...head }: ChangeEvent, id: string): HeldBoard | null {
  if (board.id !== upon) return null;
  const gone = new Set(removed);
  const readings = board.readings.filter((_, place) => !gone.has(place));

  for (const { place, reading } of added) readings.splice(place, 0, reading);
  return { ...head, readings, id };
}
