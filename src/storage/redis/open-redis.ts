import type { RateLimitStore } from '../../domain/limits/rate-limit-store.ts';
import type { ThrottleStore } from '../../domain/limits/throttle-store.ts';
import type { DurableTokenStore } from '../../domain/tokens/token-store.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
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

const CONDITIONS = { OOM: 'full', MISCONF: 'unable to save', READONLY: 'read-only', NOREPLICAS: 'read-only' } as const;

/** Says in words that anybody may read why it takes no writes. */
function inCondition(error: unknown): unknown {
  const word = /\((\w+)\)$/.exec(String((error as { cause?: Error }).cause?.message))?.[1] ?? '';
  const condition = CONDITIONS[word as keyof typeof CONDITIONS];
  if (condition === undefined) return error;
  return new AppError('temporarily_unavailable', {
    internal: `redis is ${condition}`,
    retryAfterSeconds: 2,
    cause: error,
  });
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
      // A write: one that is a replica or full answers a PING.
      try {
        await connection.run((redis) => redis.set(`${connection.names.keys}ready`, '1', 'PX', 5000));
      } catch (error) {
        throw inCondition(error);
      }
    },
    roundTrips: connection.roundTrips,
    async close() {
      messages.close();
      await connection.close();
    },
  };
}
