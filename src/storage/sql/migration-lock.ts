import { setTimeout as delay } from 'node:timers/promises';
import type { Knex } from 'knex';
import { ConfigError } from '../../config/problems.ts';
import type { Dialect } from './dialect.ts';

const POLL_MS = 250;
/** The server's locks are for all its databases. */
const NAME = "concat('gatehouse-', left(md5(database()), 40))";

/**
 * Lets one process at a time do `work`. MariaDB and MySQL commit each change of a table by itself, so a migration that is killed
 * would leave the row by which knex locks: the lock that counts belongs to the session, and ends with it. The others migrate in
 * one transaction, which takes the row back.
 */
export async function withSessionLock<T>(
  { knex, dialect, waitMs }: { knex: Knex; dialect: Dialect; waitMs: number },
  work: () => Promise<T>,
): Promise<T> {
  if (dialect !== 'mariadb') return work();
  const connection = (await knex.client.acquireConnection()) as unknown;
  const ask = async (sql: string): Promise<unknown> => {
    const [rows] = (await knex.raw(sql).connection(connection)) as [{ got: number | null }[]];
    return rows[0]?.got;
  };
  try {
    for (let waited = 0; (await ask(`select get_lock(${NAME}, 0) as got`)) !== 1; waited += POLL_MS) {
      if (waited >= waitMs)
        throw new ConfigError(['DATABASE_URL: another process is still migrating this database; try again after it']);
      await delay(POLL_MS);
    }
    return await work();
  } finally {
    await ask(`select release_lock(${NAME}) as got`).catch(() => undefined);
    await knex.client.releaseConnection(connection);
  }
}

/**
 * Whether another session of this user is at work on this database: an earlier version, or the knex command line, migrates with
 * nothing but the row. In SQLite such a row is not seen before its transaction ends.
 */
export async function othersAreBusy(knex: Knex, dialect: Dialect): Promise<boolean> {
  if (dialect === 'sqlite') return false;
  const sql =
    dialect === 'postgres'
      ? "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'"
      : 'select 1 from information_schema.processlist where db = database() and id <> connection_id() ' +
        "and command <> 'Sleep'";
  const found = (await knex.raw(sql)) as { rows: unknown[] } | [unknown[]];
  return ('rows' in found ? found.rows : found[0]).length > 0;
}
