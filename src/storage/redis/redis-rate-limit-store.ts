import type { RateLimitStore } from '../../domain/limits/rate-limit-store.ts';
import { cellOf, stateOfCounter } from '../cell-rate.ts';
import type { RedisConnection } from './connection.ts';

/** One round trip each, by the clock of the Redis server. Counters leave by themselves when they are full again. */
export function createRedisRateLimitStore({ connection }: { connection: RedisConnection }): RateLimitStore {
  /** The braces keep all counters of one caller on one node of a cluster. */
  const counterKey = (owner: string, id: string): string => `${connection.names.keys}r:{${owner}}:${id}`;
  return {
    async take(owner, counters) {
      if (counters.length === 0) return [];
      const cells = counters.map(cellOf);
      const answers = await connection.run((redis) =>
        redis.takeFromCounters(
          counters.length,
          ...counters.map(({ id }) => counterKey(owner, id)),
          ...cells.flatMap(({ interval, capacity }) => [interval, capacity]),
        ),
      );
      return counters.map((counter, index) => {
        const [allowed, ahead] = answers[index] ?? [0, 0];
        return stateOfCounter(counter, ahead, allowed === 1);
      });
    },

    purge: async () => 0,
  };
}
