import type { ThrottleStore } from '../../domain/limits/throttle-store.ts';
import { isFromTheFuture } from '../../kit/clock.ts';
import type { RedisConnection } from './connection.ts';

const counterKey = (key: string): string => `gh:h:${key}`;

/** One round trip each. The caller's clock decides; the lifetime of the key only cleans up. */
export function createRedisThrottleStore({ connection }: { connection: RedisConnection }): ThrottleStore {
  return {
    hit: (key, windowSeconds, nowMs) =>
      connection.run(async (redis) => {
        const windowMs = windowSeconds * 1000;
        const [attempts, previousAt] = await redis.countAttempt(counterKey(key), nowMs, nowMs + windowMs, windowMs);
        return { attempts, previousAtMs: previousAt === null ? null : Number(previousAt) };
      }),

    peek: (key, nowMs) =>
      connection.run(async (redis) => {
        const [attempts, lastAt, endsAt] = await redis.hmget(counterKey(key), 'n', 'at', 'e');
        if (!endsAt || Number(endsAt) <= nowMs || isFromTheFuture(Number(lastAt), nowMs)) return null;
        return { attempts: Number(attempts), previousAtMs: Number(lastAt) };
      }),

    async reset(key) {
      await connection.run((redis) => redis.del(counterKey(key)));
    },

    purge: async () => 0,
  };
}
