import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import { createLocalMessages } from './local-messages.ts';
import { createRelayedMessages, type Relay } from './relayed-messages.ts';
import type { SqlTimeouts } from './sql/knex-config.ts';
import { openSql } from './sql/open-sql.ts';
import type { Stores } from './stores.ts';
import { createUnreadable } from './unreadable.ts';

export interface StorageInput {
  /** See src/config/database-address.ts. */
  databaseUrl: string;
  /** See src/config/redis-address.ts. Without it SQL holds everything. */
  redisUrl?: string;
  /** What keys and channels in Redis begin with; default: the name of the deployment. */
  redisPrefix?: string;
  log: Log;
  clock: Clock;
  /** Without Redis: the line to the other processes of this machine. */
  relay?: Relay;
  /** SQL connections of this process, 10 unless told. SQLite always has one. */
  poolSize?: number;
  /** Milliseconds. */
  timeouts?: Partial<SqlTimeouts> & { redisCommandMs?: number };
}

/**
 * Opens the stores. A server that is down does not stop it: the stores throw StoreUnavailableError until it is back.
 * Creates no tables; see `migrations`.
 */
export async function openStorage(input: StorageInput): Promise<Stores> {
  const unreadable = createUnreadable(input.log);
  const { statementCount, close, ...stores } = openSql(input);
  if (input.redisUrl === undefined) {
    return {
      ...stores,
      messages: input.relay
        ? createRelayedMessages({ relay: input.relay, log: input.log })
        : createLocalMessages(input),
      unreadable,
      counters: { sqlStatements: statementCount, redisRoundTrips: () => 0 },
      [Symbol.asyncDispose]: close,
    };
  }

  // Loaded only by those who have a Redis.
  const { openRedisStores } = await import('./redis/open-redis.ts');
  const redis = await openRedisStores({ ...input, redisUrl: input.redisUrl, tokens: stores.tokens, unreadable });
  return {
    ...stores,
    tokens: redis.tokens,
    throttle: redis.throttle,
    rateLimits: redis.rateLimits,
    messages: redis.messages,
    unreadable,
    join: redis.join,
    async ping() {
      await Promise.all([stores.ping(), redis.ping()]);
    },
    counters: { sqlStatements: statementCount, redisRoundTrips: redis.roundTrips },
    async [Symbol.asyncDispose]() {
      await Promise.all([close(), redis.close()]);
    },
  };
}
