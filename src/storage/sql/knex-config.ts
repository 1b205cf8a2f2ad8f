import { createRequire } from 'node:module';
import type { Knex } from 'knex';
import {
  type DatabaseAddress,
  readDatabaseAddress,
  type ServerAddress,
  type SqliteAddress,
} from '../../config/database-address.ts';
import { createConnectionLife, type PooledConnection } from './connection-life.ts';
import { mariadbConnection, postgresConnection } from './driver-options.ts';
import { migrationSource } from './migrations/index.ts';
import { type GuardedConnection, guardQueries } from './query-guard.ts';
import { isInMemory } from './sqlite-file.ts';
import { keepStatements, type SqliteConnection } from './sqlite-statements.ts';

/** Milliseconds; 0 switches a limit off. */
export interface SqlTimeouts {
  connectMs: number;
  /** Waiting for a free connection of the pool. */
  acquireMs: number;
  /** One statement, on the server. */
  statementMs: number;
  /** Waiting for a row lock. */
  lockMs: number;
}

export const SQL_TIMEOUTS: SqlTimeouts = { connectMs: 2000, acquireMs: 2000, statementMs: 3000, lockMs: 2000 };

/** How much longer the client waits than the server: only a server that hangs gets there. */
const GUARD_SLACK_MS = 1000;

interface ConfigInput {
  databaseUrl: string;
  poolSize?: number;
  timeouts?: SqlTimeouts;
  log?: (message: unknown) => void;
}

const silent = (): void => {};

/** The knex configuration for a database URL. Opens nothing; knex loads only the driver that it names. */
export function knexConfig({
  databaseUrl,
  poolSize = 10,
  timeouts = SQL_TIMEOUTS,
  log = silent,
}: ConfigInput): Knex.Config {
  const address = readDatabaseAddress(databaseUrl);
  return {
    ...(address.dialect === 'sqlite' ? sqlite(address) : SERVERS[address.dialect](address, poolSize, timeouts)),
    acquireConnectionTimeout: timeouts.acquireMs,
    // Otherwise knex writes the bound values, which may be secret, into the messages of errors.
    compileSqlOnError: false,
    migrations: { migrationSource, disableMigrationsListValidation: true },
    // knex prints by itself what it is not told to give to somebody.
    log: { debug: log, warn: log, error: log, deprecate: log },
  };
}

const sqlite = ({ file }: SqliteAddress): Knex.Config => ({
  client: 'sqlite3',
  // Never makes a file: one that is gone would come back empty.
  connection: { filename: file, ...(isInMemory(file) ? {} : { flags: ['OPEN_READWRITE'] }) },
  useNullAsDefault: true,
  // One connection: SQLite has one writer, and a database in memory lives as long as its connection.
  pool: { min: 1, max: 1, afterCreate: setUpSqlite },
});

const SERVERS: Record<
  ServerAddress['dialect'],
  (address: ServerAddress, poolSize: number, timeouts: SqlTimeouts) => Knex.Config
> = {
  postgres: (address, poolSize, timeouts) => ({
    client: 'pg',
    connection: {
      ...postgresConnection(address),
      connectionTimeoutMillis: timeouts.connectMs,
      keepAlive: true,
      types: { getTypeParser: postgresParser() },
    } as Knex.PgConnectionConfig,
    pool: poolOf(poolSize, timeouts, (connection, done) => {
      // With a pooler by transaction the next statement may meet another connection, and this one somebody else.
      if (!address.postgres.prepared) done(null, connection);
      else connection.query(postgresLimits(timeouts, 'set'), (error) => done(error, connection));
    }),
  }),

  mariadb: (address, poolSize, timeouts) => ({
    client: 'mysql2',
    connection: {
      ...mariadbConnection(address),
      charset: 'utf8mb4',
      timezone: 'Z',
      connectTimeout: timeouts.connectMs,
      supportBigNumbers: true,
    } as Knex.MySql2ConnectionConfig,
    pool: poolOf(poolSize, timeouts, (connection, done) => setUpMariadb(connection, timeouts, done)),
  }),
};

type Done = (error: Error | null, connection: unknown) => void;

/** No connection gets older than this, in milliseconds, so that each finds its way to where the name leads by now. */
const OLDEST_MS = 600_000;

function poolOf(
  max: number,
  timeouts: SqlTimeouts,
  setUp: (connection: PooledConnection, done: Done) => void,
): Knex.PoolConfig {
  const life = createConnectionLife();
  return {
    min: 0,
    max,
    createTimeoutMillis: timeouts.connectMs,
    maxConnectionLifetimeMillis: OLDEST_MS,
    // Those that were opened together must not all be opened anew together.
    maxConnectionLifetimeJitterMillis: OLDEST_MS / 5,
    afterCreate: (connection: PooledConnection, done: Done) => {
      guard(connection, timeouts);
      life.adopt(connection);
      setUp(connection, done);
    },
    validate: (connection: PooledConnection) => life.isUsable(connection),
  } as Knex.PoolConfig;
}

function setUpSqlite(connection: SqliteConnection, done: Done, attempt = 1): void {
  // FULL: an acknowledged commit survives a power cut. The change to WAL fails at once, whatever the busy timeout says,
  // when two processes make it together.
  const pragmas = 'busy_timeout = 5000; journal_mode = WAL; synchronous = FULL; foreign_keys = ON;';
  connection.exec(pragmas.replaceAll(/(\w+ =)/g, 'PRAGMA $1'), (error) => {
    if (error?.code === 'SQLITE_BUSY' && attempt < 50) {
      setTimeout(setUpSqlite, 20, connection, done, attempt + 1);
    } else {
      keepStatements(connection);
      done(error, connection);
    }
  });
}

/** Not in the startup packet: PgBouncer refuses parameters there that it does not track. 0 is no limit. */
const postgresLimits = ({ statementMs, lockMs }: SqlTimeouts, set: 'set' | 'set local'): string =>
  Object.entries({
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: statementMs * 2,
  })
    .map(([name, ms]) => `${set} ${name} = ${ms}`)
    .join('; ');

/** What openDatabase needs to know: behind a pooler by transaction nothing may be left on a connection. */
export const pooling = (
  address: DatabaseAddress,
  timeouts: SqlTimeouts = SQL_TIMEOUTS,
): { prepared: boolean; limitsOfTransaction?: string } =>
  address.dialect !== 'postgres' || address.postgres.prepared
    ? { prepared: true }
    : { prepared: false, limitsOfTransaction: postgresLimits(timeouts, 'set local') };

function setUpMariadb(connection: GuardedConnection, timeouts: SqlTimeouts, done: Done): void {
  const seconds = (ms: number): number => (ms === 0 ? 31_536_000 : Math.ceil(ms / 1000));
  // Strict: a value that does not fit is an error, not cut short. The part in /*M! */ is for MariaDB, whose limit covers
  // every statement; MySQL's, in milliseconds, covers SELECT only.
  const session =
    `SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', ` +
    `innodb_lock_wait_timeout = ${seconds(timeouts.lockMs)}` +
    `/*M! , max_statement_time = ${timeouts.statementMs / 1000} */`;
  // Fewer gap locks, so fewer deadlocks; single statements do all that must be atomic.
  const isolation = 'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED';
  connection.query(session, (error) => {
    if (error) return done(error, connection);
    connection.query(isolation, (failure) => done(failure, connection));
  });
}

function guard(connection: GuardedConnection, { statementMs }: SqlTimeouts): void {
  if (statementMs > 0) guardQueries(connection, statementMs + GUARD_SLACK_MS);
}

type TypeParser = (value: string) => unknown;
type GetTypeParser = (oid: number, format?: string) => TypeParser;

const INT8 = 20;

/** pg gives bigint as text, since it may not fit; ours are times and counts, which do. */
function postgresParser(): GetTypeParser {
  const pg = createRequire(import.meta.url)('pg') as { types: { getTypeParser: GetTypeParser } };
  return (oid, format) => (oid === INT8 ? Number : pg.types.getTypeParser(oid, format));
}
