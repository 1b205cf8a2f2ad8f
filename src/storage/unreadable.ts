import type { Log } from '../kit/log.ts';
import { createSeldom } from '../kit/seldom.ts';

/** What another version or another program put where ours is expected. */
export type UnreadableKind = 'message' | 'record' | 'row';

/** It is passed over, counted and logged now and then; it never fails what is under way, and never shows its content. */
export interface Unreadable {
  note(kind: UnreadableKind, where: string): void;
  /** How many so far. */
  counts(): Readonly<Record<UnreadableKind, number>>;
}

export function createUnreadable(log: Log): Unreadable {
  const counts = { message: 0, record: 0, row: 0 };
  const seldom = createSeldom({ most: 5, withinMs: 60_000 });
  return {
    note(kind, where) {
      counts[kind] += 1;
      const line = seldom(kind);
      if (line)
        log.warn({ kind, where, ...line }, 'a shared store holds something that is not understood; it is passed over');
    },
    counts: () => counts,
  };
}
