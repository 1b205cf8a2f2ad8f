import type { LeaseStore } from '../../domain/leases/lease-store.ts';
import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import type { Database } from './database.ts';

/** It changes hands a few times a minute. */
const MOST_TRIES = 5;

export function createLeaseStore({ database }: { database: Database }): LeaseStore {
  return {
    async acquire(name, holder, nowMs, ttlMs) {
      const endsAt = nowMs + ttlMs;
      const free = '(holder = ? or ends_at <= ? or ends_at > ?)';
      const whenFree = [name, holder, nowMs, endsAt + CLOCK_SKEW_MS];
      const take = `update leases set holder = ?, ends_at = ? where name = ? and ${free}`;
      for (let tries = 0; tries < MOST_TRIES; tries += 1) {
        if ((await database.affected(take, [holder, endsAt, ...whenFree])) === 1) return true;
        // Nobody ever held it, or somebody does: the primary key tells, and lets one of several through.
        if (await database.insertIfAbsent('leases', { name, holder, ends_at: endsAt })) return true;
        const held = `select 1 as one from leases where name = ? and not ${free}`;
        if ((await database.rows(held, whenFree)).length > 0) return false;
        // It changed hands between two statements: the same holder asked twice at once, or it was released.
      }
      return false;
    },

    async release(name, holder) {
      await database.affected('delete from leases where name = ? and holder = ?', [name, holder]);
    },
  };
}
