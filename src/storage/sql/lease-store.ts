import type { LeaseStore } from '../../domain/leases/lease-store.ts';
import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import type { Database } from './database.ts';

export function createLeaseStore({ database }: { database: Database }): LeaseStore {
  return {
    async acquire(name, holder, nowMs, ttlMs) {
      const endsAt = nowMs + ttlMs;
      const take =
        'update leases set holder = ?, ends_at = ? where name = ? and (holder = ? or ends_at <= ? or ends_at > ?)';
      const values = [holder, endsAt, name, holder, nowMs, endsAt + CLOCK_SKEW_MS];
      if ((await database.affected(take, values)) === 1) return true;
      // Nobody ever held it, or somebody does: the primary key tells, and lets one of several through.
      return database.insertIfAbsent('leases', { name, holder, ends_at: endsAt });
    },

    async release(name, holder) {
      await database.affected('delete from leases where name = ? and holder = ?', [name, holder]);
    },
  };
}
