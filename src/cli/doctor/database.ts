import { existsSync } from 'node:fs';
import type { Config } from '../../config/config.ts';
import { readDatabaseAddress } from '../../config/database-address.ts';
import { withoutPassword } from '../../config/printable.ts';
import type { Clock } from '../../kit/clock.ts';
import { openDatabase } from '../../storage/sql/database.ts';
import type { Dialect } from '../../storage/sql/dialect.ts';
import { knexConfig, pooling } from '../../storage/sql/knex-config.ts';
import { isReadableByOthers } from '../../storage/sql/sqlite-file.ts';
import type { Stores } from '../../storage/stores.ts';
import { type Finding, fail, ok, reasonOf, skew, warn } from './finding.ts';

/** Version and time of the server; SQLite has no clock but ours. */
const QUESTION: Record<Dialect, string> = {
  sqlite: "select 'SQLite ' || sqlite_version() as version, null as seconds",
  postgres: 'select version() as version, extract(epoch from clock_timestamp())::float as seconds',
  mariadb: 'select version() as version, unix_timestamp(sysdate(3)) as seconds',
};

export async function examineDatabase(config: Config, clock: Clock): Promise<Finding[]> {
  const address = readDatabaseAddress(config.databaseUrl);
  const { dialect } = address;
  if (address.dialect === 'sqlite' && !address.file.startsWith(':memory:') && !existsSync(address.file)) {
    return [fail('database', `${address.file} does not exist`, 'Start the server or run: gatehouse migrate up')];
  }
  const database = openDatabase({
    dialect,
    config: knexConfig({ databaseUrl: config.databaseUrl, poolSize: 1 }),
    ...pooling(address),
  });
  try {
    const [row] = await database.rows<{ version: string; seconds: number | string | null }>(QUESTION[dialect], []);
    const version = row?.version ?? 'unknown version';
    const seconds = row?.seconds ?? null;
    return [
      ...examineRights(config.databaseUrl),
      ok('database', dialect === 'mariadb' ? `MariaDB or MySQL ${version}` : version),
      ...(seconds === null ? [] : skew('database', Number(seconds) * 1000, clock.nowMs())),
    ];
  } catch (error) {
    return [
      fail(
        'database',
        `${withoutPassword(config.databaseUrl)} cannot be used: ${reasonOf(error)}`,
        'Is it running, and are address, user and password of DATABASE_URL right?',
      ),
    ];
  } finally {
    await database.close();
  }
}

function examineRights(databaseUrl: string): Finding[] {
  const address = readDatabaseAddress(databaseUrl);
  if (address.dialect !== 'sqlite' || !isReadableByOthers(address.file)) return [];
  const advice = 'The next start takes that right away. Or run: chmod 600, and make copies under umask 077.';
  return [warn('database', `${address.file} can be read by every user of this machine`, advice)];
}

export async function examineTables({ migrations }: Stores, { production }: Config): Promise<Finding> {
  const pending = await migrations.pending();
  if (pending.length === 0) return ok('tables', 'up to date');
  const detail = `${pending.length} migrations are not applied: ${pending.join(', ')}`;
  const advice = 'Run: gatehouse migrate up';
  return production
    ? fail('tables', detail, advice)
    : warn('tables', detail, `${advice}. In development the next start does it.`);
}
