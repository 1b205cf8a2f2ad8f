import type { RateLimitStore } from '../../domain/limits/rate-limit-store.ts';
import type { ThrottleStore } from '../../domain/limits/throttle-store.ts';
import type { DurableTokenStore } from '../../domain/tokens/token-store.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Log } from '../../kit/log.ts';
import { createRoutedTokenStore } from '../routed-token-store.ts';
import type { Deployment, Messages } from '../stores.ts';
import type { Unreadable } from '../unreadable.ts';
import { openRedis } from './connection.ts';
import { namesOf } from './names.ts';
import { createRedisMessages } from './redis-messages.ts';
import { createRedisRateLimitStore } from './redis-rate-limit-store.ts';
import { createRedisThrottleStore } from './redis-throttle-store.ts';
import { createRedisTokenStore } from './redis-token-store.ts';

interface RedisStoresInput {
  redisUrl: string;
  log: Log;
  clock: Clock;
  timeouts?: { redisCommandMs?: number };
  /** The SQL part, which keeps what must last. */
  tokens: DurableTokenStore;
  redisPrefix?: string;
  unreadable: Unreadable;
}

export interface RedisStores {
  join(deployment: Deployment): void;
  tokens: DurableTokenStore;
  throttle: ThrottleStore;
  rateLimits: RateLimitStore;
  messages: Messages;
  ping(): Promise<void>;
  roundTrips(): number;
  close(): Promise<void>;
}

/** What Redis takes over from SQL. */
export async function openRedisStores({
  redisUrl,
  log,
  clock,
  timeouts,
  tokens,
  redisPrefix,
  unreadable,
}: RedisStoresInput): Promise<RedisStores> {
  const commandMs = timeouts?.redisCommandMs;
  const connection = await openRedis({ redisUrl, log, ...(commandMs === undefined ? {} : { commandMs }) });
  const messages = createRedisMessages({ connection, log, unreadable });
  return {
    tokens: createRoutedTokenStore({ sql: tokens, redis: createRedisTokenStore({ connection, clock, unreadable }) }),
    throttle: createRedisThrottleStore({ connection }),
    rateLimits: createRedisRateLimitStore({ connection }),
    messages,
    join(deployment) {
      connection.names = namesOf(deployment, redisPrefix ?? null);
    },
    async ping() {
      await connection.run((redis) => redis.ping());
    },
    roundTrips: connection.roundTrips,
    async close() {
      messages.close();
      await connection.close();
    },
  };
}
