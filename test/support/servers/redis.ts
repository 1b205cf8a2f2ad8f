import { Redis } from 'ioredis';
import { freePort } from '../free-port.ts';
import { findBinary } from './find-binary.ts';
import { createServerFolder, type ServerFolder, type ServerProcess, startServerProcess } from './server-process.ts';

export interface RedisServer extends ServerProcess {
  readonly url: string;
  /** Every key of every database with its value, as text a leak test can search. */
  dump(): Promise<string>;
  /** Empties the server. */
  flush(): Promise<void>;
}

export function redisAvailable(): boolean {
  return findBinary('redis-server', 'valkey-server') !== undefined;
}

/** Memory only: a restart forgets everything unless `extraArgs` turns persistence on. `argsIn`: more that need the folder. */
export async function startRedis({
  extraArgs = [],
  argsIn = () => [],
}: {
  extraArgs?: string[];
  argsIn?: (folder: ServerFolder) => string[];
} = {}): Promise<RedisServer> {
  const binary = findBinary('redis-server', 'valkey-server');
  if (!binary) throw new Error('Redis is not installed');
  const folder = createServerFolder('redis', 'redis');
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;

  async function withConnection<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
    // The rejected call tells; without a listener the client would print it as well.
    redis.on('error', () => {});
    try {
      await redis.connect();
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  const server = await startServerProcess({
    binary,
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder.path],
      ...['--maxmemory-policy', 'noeviction', '--save', '', '--appendonly', 'no', ...extraArgs, ...argsIn(folder)],
    ],
    folder,
    stopSignal: 'SIGTERM',
    isReady: () =>
      withConnection(async (redis) => {
        await redis.ping();
      }),
  });

  return Object.assign(server, {
    url,
    dump: () => withConnection(dumpAll),
    flush: () =>
      withConnection(async (redis) => {
        await redis.flushall();
      }),
  });
}

async function dumpAll(redis: Redis): Promise<string> {
  const lines: string[] = [];
  const databases = Array.from((await redis.info('keyspace')).matchAll(/^db(\d+):/gm), ([, index]) => Number(index));
  for (const database of databases) {
    await redis.select(database);
    for await (const keys of redis.scanStream() as AsyncIterable<string[]>) {
      for (const key of keys) lines.push(`${database} ${key} ${await contentOf(redis, key)}`);
    }
  }
  return lines.join('\n');
}

async function contentOf(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return String(await redis.get(key));
    case 'hash':
      return JSON.stringify(await redis.hgetall(key));
    case 'list':
      return JSON.stringify(await redis.lrange(key, 0, -1));
    case 'set':
      return JSON.stringify(await redis.smembers(key));
    case 'zset':
      return JSON.stringify(await redis.zrange(key, '0', '-1', 'WITHSCORES'));
    case 'stream':
      return JSON.stringify(await redis.xrange(key, '-', '+'));
    // It expired since it was listed.
    case 'none':
      return '';
    default:
      throw new Error(`cannot dump ${key}, a ${type}`);
  }
}
