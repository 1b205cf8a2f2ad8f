import { systemClock } from '../../kit/clock.ts';
import { AppError, StoreUnavailableError } from '../../kit/errors.ts';
import type { Database } from './database.ts';

/** A row of its own; nobody holds a lease of this name. */
const ROW = 'readiness';
/** A table that is damaged shows only where it is used: what a request met is believed for so long. */
const BELIEVED_MS = 10_000;

/**
 * Whether the database does what it is for: it takes a write, and has refused none of late for the state it is in. The error's
 * `internal` says which, in words that anybody may read.
 */
export function createProbe(database: Database): () => Promise<void> {
  return async () => {
    try {
      const row = { name: ROW, holder: ROW, ends_at: systemClock.nowMs() };
      await database.upsert('leases', row, ['name'], ['ends_at']);
    } catch (error) {
      const condition = database.refusedWithin(1000);
      throw condition && error instanceof StoreUnavailableError ? inCondition(condition, error) : error;
    }
    const condition = database.refusedWithin(BELIEVED_MS);
    // It takes writes: only a table may be damaged, or closed to us, beside the row that was just written.
    if (condition === 'damaged' || condition === 'not to be written') throw inCondition(condition);
  };
}

const inCondition = (condition: string, cause?: unknown): AppError =>
  new AppError('temporarily_unavailable', { internal: `database is ${condition}`, retryAfterSeconds: 2, cause });
