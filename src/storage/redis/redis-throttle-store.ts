import type { Counter, Counters, Settlement, ThrottleStore } from '../../domain/limits/throttle-store.ts';
import type { RedisConnection } from './connection.ts';

/**
 * The counters of one owner are one script, and the owners of one attempt go out together: one round trip. The caller's clock
 * decides; the lifetime of a key only cleans up.
 */
export function createRedisThrottleStore({ connection }: { connection: RedisConnection }): ThrottleStore {
  /** The braces keep all counters of one owner on one node of a cluster. */
  const keysOf = ({ owner, counters }: Counters): string[] =>
    counters.map(({ id }) => `${connection.names.keys}h:{${owner}}:${id}`);
  const settle = (taken: readonly Counters[], how: Settlement, takenAtMs: number): Promise<unknown> =>
    connection.run((redis) =>
      Promise.all(
        taken.map((group) =>
          redis.settleAttempt(
            group.counters.length,
            ...keysOf(group),
            takenAtMs,
            ...group.counters.map((counter) => settlementOf(counter, how)),
          ),
        ),
      ),
    );

  return {
    async take(taken, nowMs) {
      const waits = await connection.run((redis) =>
        Promise.all(
          taken.map((group) =>
            redis.takeAttempt(group.counters.length, ...keysOf(group), nowMs, ...group.counters.flatMap(numbersOf)),
          ),
        ),
      );
      const passed = taken.filter((_, index) => waits[index]?.every((wait) => wait === 0));
      if (passed.length > 0 && passed.length < taken.length) await settle(passed, 'give-back', nowMs);
      return waits.flat();
    },

    async settle(taken, how, takenAtMs) {
      await settle(taken, how, takenAtMs);
    },

    purge: async () => 0,
  };
}

/** As `takeAttempt` reads them. */
function numbersOf(counter: Counter): (string | number)[] {
  if (counter.kind === 'even') return ['even', counter.capacity, counter.wornCapacity, counter.intervalMs, 0];
  return ['growing', counter.freeAttempts, counter.firstDelayMs, counter.maxDelayMs, counter.windowMs];
}

/** As `settleAttempt` reads them: what an even counter is given back, or what happens to a growing one. */
function settlementOf(counter: Counter, how: Settlement): string | number {
  return counter.kind === 'even' ? counter.intervalMs : how;
}
