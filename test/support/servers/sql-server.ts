import knex, { type Knex } from 'knex';
import type { ServerProcess } from './server-process.ts';

export interface SqlServer extends ServerProcess {
  /** The server's first database. */
  readonly url: string;
  /** Creates an empty database in the same server and returns its URL. */
  createDatabase(): Promise<string>;
  /** Runs a statement as the server's administrator. */
  administer(statement: string): Promise<void>;
  /** Everything in one database, schema and rows, as text a leak test can search. */
  dump(databaseUrl?: string): Promise<string>;
}

/** The account Gatehouse would get: owner of its databases, no administrator. */
export const ACCOUNT = 'gatehouse';

/** The rejected call tells what failed: waiting for a server to get ready would print every attempt. */
const SILENT = { warn() {}, error() {}, deprecate() {}, debug() {} };

/** Runs one piece of work on a connection of its own. */
export async function withConnection<T>(
  client: 'pg' | 'mysql2',
  url: string,
  work: (db: Knex) => Promise<T>,
): Promise<T> {
  const db = knex({ client, connection: url, pool: { min: 0, max: 1 }, acquireConnectionTimeout: 10_000, log: SILENT });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}
