import type { Database } from './database.ts';
import type { Dialect } from './dialect.ts';

interface Batch {
  table: string;
  /** The primary key. */
  key: readonly string[];
  /** Indexed. */
  column: string;
  /** Exclusive. */
  before: number;
  limit: number;
}

/** PostgreSQL passes over rows that somebody else holds, so several purging processes do not wait for one another. */
const STATEMENTS: Record<Dialect, (batch: Batch) => string> = {
  postgres: ({ table, key, column }) =>
    `with old as (select ${key.join(', ')} from ${table} where ${column} < ? order by ${column} limit ? for update skip locked) ` +
    `delete from ${table} using old where ${key.map((name) => `${table}.${name} = old.${name}`).join(' and ')}`,
  sqlite: ({ table, column }) =>
    `delete from ${table} where rowid in (select rowid from ${table} where ${column} < ? order by ${column} limit ?)`,
  mariadb: ({ table, column }) => `delete from ${table} where ${column} < ? order by ${column} limit ?`,
};

/** Deletes the oldest rows, few at a time so that no lock is held for long; returns how many. */
export const deleteBatch = (database: Database, batch: Batch): Promise<number> =>
  database.affected(STATEMENTS[database.dialect](batch), [batch.before, batch.limit]);
