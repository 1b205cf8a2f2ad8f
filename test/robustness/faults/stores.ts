/** Stores that restart, die, refuse to write or are held by somebody else. */
import { Redis } from 'ioredis';
import knex from 'knex';
import { knexConfig } from '../../../src/storage/sql/knex-config.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import type { ServerProcess } from '../../support/servers/server-process.ts';
import type { SqlServer } from '../../support/servers/sql-server.ts';
import type { Deployment } from '../deployment.ts';
import { between, type Fault, type Place } from './fault.ts';

const onServer = ({ database }: Place): boolean => database !== 'sqlite';
const RESTART_MS = 1_500;

function restarts(
  store: string,
  concerns: (place: Place) => boolean,
  of: (deployment: Deployment) => ServerProcess,
  losesMemory: boolean,
): Fault[] {
  return (['SIGTERM', 'SIGKILL'] as const).map((signal) => ({
    name: `${store}: restart ${signal === 'SIGTERM' ? 'in order' : 'after SIGKILL'}`,
    of: 'surroundings',
    concerns,
    draw: between(100, 4_000),
    marks: () => ({ losesMemory }),
    healsInMs: RESTART_MS,
    async inject(deployment) {
      const server = of(deployment);
      // PostgreSQL takes SIGTERM as "when everybody has gone".
      const quick = deployment.place.database === 'postgres' && store === 'database' ? 'SIGINT' : 'SIGTERM';
      await server.kill(signal === 'SIGKILL' ? signal : quick);
      return () => server.restart();
    },
  }));
}

const sqlOf = ({ world: { sql } }: Deployment): SqlServer => required(sql);
const redisOf = ({ world: { redis } }: Deployment): RedisServer => required(redis);

function required<T>(server: T | null): T {
  if (!server) throw new Error('there is no such server here');
  return server;
}

async function onRedis(deployment: Deployment, ask: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(redisOf(deployment).url, { maxRetriesPerRequest: 2 });
  redis.on('error', () => {});
  try {
    await ask(redis);
  } finally {
    redis.disconnect();
  }
}

export const STORE_FAULTS: readonly Fault[] = [
  ...restarts('database', onServer, sqlOf, false),
  ...restarts('Redis', ({ redis }) => redis, redisOf, true),
  {
    name: 'database: read-only, as after a failover',
    of: 'surroundings',
    concerns: onServer,
    draw: between(1_000, 5_000),
    healsInMs: 500,
    async inject(deployment) {
      const sql = sqlOf(deployment);
      const set = async (on: boolean): Promise<void> => {
        if (deployment.place.database === 'mariadb') return sql.administer(`set global read_only = ${on ? 1 : 0}`);
        await sql.administer(
          `alter system ${on ? 'set default_transaction_read_only = on' : 'reset default_transaction_read_only'}`,
        );
        await sql.administer('select pg_reload_conf()');
      };
      await set(true);
      return () => set(false);
    },
  },
  {
    name: 'database: every connection ended by its administrator',
    of: 'surroundings',
    concerns: ({ database }) => database === 'postgres',
    draw: between(200, 1_000),
    healsInMs: 500,
    async inject(deployment) {
      await sqlOf(deployment).administer(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'gatehouse'",
      );
      return async () => {};
    },
  },
  {
    name: 'SQLite: locked by another program',
    of: 'surroundings',
    concerns: ({ database }) => database === 'sqlite',
    draw: between(500, 8_000),
    healsInMs: 500,
    async inject(deployment) {
      const db = knex(knexConfig({ databaseUrl: deployment.world.env.DATABASE_URL ?? '' }));
      await db.raw('begin immediate');
      return async () => {
        await db.raw('rollback');
        await db.destroy();
      };
    },
  },
  {
    name: 'Redis: no memory left',
    of: 'surroundings',
    concerns: ({ redis }) => redis,
    draw: between(1_000, 4_000),
    healsInMs: 500,
    async inject(deployment) {
      await onRedis(deployment, (redis) => redis.config('SET', 'maxmemory', '1'));
      return () => onRedis(deployment, (redis) => redis.config('SET', 'maxmemory', '0'));
    },
  },
  {
    name: 'Redis: frozen',
    of: 'surroundings',
    concerns: ({ redis }) => redis,
    draw: between(500, 5_000),
    healsInMs: 500,
    async inject(deployment) {
      await redisOf(deployment).kill('SIGSTOP');
      return () => redisOf(deployment).kill('SIGCONT');
    },
  },
];
