import { isIP } from 'node:net';
import { Redis, type RedisOptions } from 'ioredis';
import { readRedisAddress } from '../../config/redis-address.ts';
import { StoreUnavailableError } from '../../kit/errors.ts';
import type { Log } from '../../kit/log.ts';
import { requireTime } from '../../kit/request-budget.ts';
import { tlsFailure } from '../tls-failure.ts';
import { tlsOptions } from '../tls-options.ts';
import { namesBefore, type RedisNames } from './names.ts';
import { redisReasonOf } from './reasons.ts';
import { SCRIPTS, type ScriptCommands } from './scripts.ts';

export type RedisClient = Redis & ScriptCommands;

/** The one door to Redis: limits the waiting, translates errors, counts round trips. */
export interface RedisConnection {
  /** Commands of one turn of the event loop, from all requests, go out in one write. */
  run<T>(work: (redis: RedisClient) => Promise<T>): Promise<T>;
  /** Another connection to the same server, for subscriptions. */
  openSubscriber(): Redis;
  /** What its keys and channels begin with. */
  names: RedisNames;
  roundTrips(): number;
  close(): Promise<void>;
}

interface ConnectionInput {
  redisUrl: string;
  log: Log;
  /** How long a command may take. */
  commandMs?: number;
}

const CONNECT_MS = 1000;
const LONGEST_RETRY_MS = 2000;

/** Waits for the first connection, and opens all the same when there is none: it comes by itself later. */
export async function openRedis({ redisUrl, log, commandMs = 1000 }: ConnectionInput): Promise<RedisConnection> {
  const redis = new Redis({
    ...driverOptions(redisUrl),
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    commandTimeout: commandMs,
    // A connection that swallows everything, after a failover or behind a firewall, is given up and made anew.
    socketTimeout: commandMs * 8,
    retryStrategy: (attempt) => Math.min(attempt * 100, LONGEST_RETRY_MS),
    // Down means down: nothing waits for Redis to come back. And nothing is sent twice: had the first copy been carried
    // out, the second would tell the one who consumed a code that somebody else had.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover the old primary may answer as a replica.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    enableAutoPipelining: true,
    scripts: SCRIPTS,
  }) as RedisClient;

  const outage = logOutages(redis, log);
  const roundTrips = countWrites(redis);
  redis.on('ready', () => void warnAboutEviction(redis, log));
  // The outage is logged already.
  await redis.connect().catch(() => undefined);

  return {
    names: namesBefore(),

    async run(work) {
      requireTime();
      const { wrongDatabase } = outage;
      // The driver would go on with database 0, which belongs to somebody else.
      if (wrongDatabase) throw new StoreUnavailableError('redis', wrongDatabase, redisReasonOf(wrongDatabase));
      try {
        return await work(redis);
      } catch (error) {
        throw translate(error, outage.error);
      }
    },

    openSubscriber() {
      const subscriber = redis.duplicate({
        lazyConnect: false,
        enableAutoPipelining: false,
        // A subscription asked for during an outage is made when it ends.
        enableOfflineQueue: true,
        maxRetriesPerRequest: null,
        commandTimeout: undefined,
        socketTimeout: undefined,
      });
      logOutages(subscriber, log);
      return subscriber;
    },

    roundTrips,

    async close() {
      await redis.quit().catch(() => redis.disconnect());
    },
  };
}

/** The address in the driver's own words: it never sees the text, of which it would take every word for an option. */
function driverOptions(redisUrl: string): RedisOptions {
  const { host, port, user, password, database, family, tls } = readRedisAddress(redisUrl);
  return {
    ...(host.startsWith('/') ? { path: host } : { host, port, family }),
    ...(user === null ? {} : { username: user }),
    ...(password === null ? {} : { password }),
    db: database,
    ...(tls === null
      ? {}
      : { tls: { ...tlsOptions(tls, host, 'REDIS_URL'), ...(isIP(host) === 0 ? { servername: host } : {}) } }),
  };
}

/** The server's refusals that have nothing to do with the command. */
const SERVER_STATE =
  /^(LOADING|READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOAUTH|WRONGPASS|NOPERM)\b/;

/** `why`: the connection's own failure. A command that found none has nothing to say about it. */
function translate(error: unknown, why: Error | null): Error {
  if (!(error instanceof Error)) return new StoreUnavailableError('redis', undefined);
  const refusal = error.name === 'ReplyError' ? null : tlsFailure(why);
  if (refusal) return new StoreUnavailableError('redis', refusal, refusal.message);
  if (error.name !== 'ReplyError') return new StoreUnavailableError('redis', error, redisReasonOf(why ?? error));
  // A reply may repeat the arguments, and ioredis hangs them on the error: only its first word goes on.
  const word = error.message.split(/\s/, 1)[0] ?? '';
  const safe = new Error(`redis refused a command (${word})`);
  return SERVER_STATE.test(error.message) ? new StoreUnavailableError('redis', safe, redisReasonOf(error)) : safe;
}

/** For reading a key that may hold something that is none of ours, of another type. */
export const orIfForeign = <T>(read: Promise<T>, instead: () => T): Promise<T> =>
  read.catch((error: unknown) => {
    if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return instead();
    throw error;
  });

/** One line when it goes and one when it is back, however many requests fail in between. */
function logOutages(redis: Redis, log: Log): Outage {
  const outage: Outage = { error: null, wrongDatabase: null };
  redis.on('error', (error: Error) => {
    const before = outage.error;
    outage.error = error;
    if (WRONG_DATABASE.test(error.message)) outage.wrongDatabase = error;
    if (before) return;
    const reason = tlsFailure(error)?.message ?? redisReasonOf(error);
    log.error({ err: error, ...(reason === undefined ? {} : { reason }) }, 'redis is not reachable');
  });
  redis.on('ready', () => {
    if (outage.error && !outage.wrongDatabase) log.info('redis is reachable again');
    outage.error = null;
  });
  redis.on('close', () => {
    outage.wrongDatabase = null;
  });
  return outage;
}

interface Outage {
  /** The last one since there was a connection. */
  error: Error | null;
  wrongDatabase: Error | null;
}

const WRONG_DATABASE = /DB index is out of range|invalid DB index/;

function countWrites(redis: Redis): () => number {
  let writes = 0;
  redis.on('ready', () => {
    // Every connection has a stream of its own; the handshake is over by now.
    const stream = redis.stream;
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean;
    stream.write = (...args: unknown[]) => {
      writes += 1;
      return write(...args);
    };
  });
  return () => writes;
}

/** An evicted replay marker would let a client assertion pass twice. */
async function warnAboutEviction(redis: Redis, log: Log): Promise<void> {
  try {
    const [, policy] = (await redis.config('GET', 'maxmemory-policy')) as string[];
    if (policy !== 'noeviction') log.warn({ policy }, 'redis may evict keys: set maxmemory-policy to noeviction');
  } catch {
    log.info('redis does not tell its maxmemory-policy; it must be noeviction');
  }
}
