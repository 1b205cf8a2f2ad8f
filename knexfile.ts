import type { Knex } from 'knex';
import { readDatabaseAddress } from './src/config/database-address.ts';
import { knexConfig, SQL_TIMEOUTS } from './src/storage/sql/knex-config.ts';
import { createSqliteFile } from './src/storage/sql/sqlite-file.ts';

/** For the knex command line, which runs apart from the server and reads this one variable. */
const databaseUrl = (): string => process.env.DATABASE_URL ?? 'sqlite:data/gatehouse.sqlite';

export default async function config(): Promise<Knex.Config> {
  const url = databaseUrl();
  const address = readDatabaseAddress(url);
  if (address.dialect === 'sqlite') createSqliteFile(address.file);
  return {
    // A schema change takes the time it takes.
    ...knexConfig({ databaseUrl: url, poolSize: 2, timeouts: { ...SQL_TIMEOUTS, statementMs: 0, lockMs: 0 } }),
    seeds: { directory: './seeds', loadExtensions: ['.ts'] },
  };
}
