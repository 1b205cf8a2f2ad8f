import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { LeaseStore } from './lease-store.ts';

export type Exclusively = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** Runs work that at most one process may do at a time; waits its turn for up to 20 seconds. */
export function createExclusively({
  leases,
  holder,
  clock,
}: {
  leases: LeaseStore;
  holder: string;
  clock: Clock;
}): Exclusively {
  let turn = 0;
  return async (name, work) => {
    // Two callers in one process are two holders.
    turn += 1;
    const me = `${holder}/${turn}`;
    for (let attempt = 0; !(await leases.acquire(name, me, clock.nowMs(), 15_000)); attempt += 1) {
      if (attempt === 200)
        throw new AppError('temporarily_unavailable', {
          public: `another process is busy with ${name}`,
          retryAfterSeconds: 15,
        });
      await sleep(100);
    }
    try {
      return await work();
    } finally {
      await leases.release(name, me);
    }
  };
}
