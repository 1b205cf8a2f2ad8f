import { setTimeout as delay } from 'node:timers/promises';
import type { Knex } from 'knex';
import { ConfigError } from '../../config/problems.ts';
import type { Migrations } from '../stores.ts';
import type { Dialect } from './dialect.ts';
import { classify, translate } from './failures.ts';
import { othersAreBusy, withSessionLock } from './migration-lock.ts';
import { MIGRATION_NAMES } from './migrations/index.ts';

const TABLE = 'knex_migrations';
const LOCK_TABLE = 'knex_migrations_lock';

const POLL_MS = 250;
/** A lock row that a killed process left is taken over when nobody has been at work for so long. */
const QUIET_MS = 5000;

interface MigratorInput {
  dialect: Dialect;
  /** Calls `use` with a knex whose statements may take as long as a schema change takes. */
  withKnex<T>(use: (knex: Knex) => Promise<T>): Promise<T>;
  /** How long `up` waits for another process that migrates. */
  lockWaitMs?: number;
}

export function createMigrator({ dialect, withKnex, lockWaitMs = 60_000 }: MigratorInput): Migrations {
  const run = async <T>(use: (knex: Knex) => Promise<T>): Promise<T> => {
    try {
      return await withKnex(use);
    } catch (error) {
      throw translate(error, new WeakMap());
    }
  };

  const status: Migrations['status'] = () =>
    run(async (knex) => {
      const rows: { name: string; migration_time: Date | string | number | null }[] = (await knex.schema.hasTable(
        TABLE,
      ))
        ? await knex(TABLE).select('name', 'migration_time')
        : [];
      return MIGRATION_NAMES.map((name) => {
        const row = rows.find((candidate) => candidate.name === name);
        return { name, appliedAt: row ? new Date(row.migration_time ?? 0).getTime() : null };
      });
    });

  return {
    status,
    pending: async () => (await status()).filter(({ appliedAt }) => appliedAt === null).map(({ name }) => name),
    up: () =>
      run(async (knex) => {
        await prepareLock(knex, dialect);
        return withSessionLock({ knex, dialect, waitMs: lockWaitMs }, async () => {
          // How long nobody can be seen to migrate, though the row says so.
          let quietMs = 0;
          for (let waitedMs = 0; ; waitedMs += POLL_MS, quietMs += POLL_MS) {
            try {
              const [, applied] = (await knex.migrate.latest()) as [number, string[]];
              return applied;
            } catch (error) {
              if (!(error instanceof Error) || error.name !== 'MigrationLocked') throw error;
              if (waitedMs >= lockWaitMs) throw new ConfigError([LOCK_TAKEN]);
              if (await othersAreBusy(knex, dialect)) quietMs = 0;
              if (quietMs >= QUIET_MS) await knex.raw(`update ${LOCK_TABLE} set is_locked = 0`);
              else await delay(POLL_MS);
            }
          }
        });
      }),
  };
}

const LOCK_TAKEN =
  'DATABASE_URL: another process is still migrating this database; wait for its end and try again. ' +
  'What a migration that was killed has done is kept, and the next one goes on from there.';

const INT_KEY: Record<Dialect, string> = {
  sqlite: 'integer primary key autoincrement',
  postgres: 'serial primary key',
  mariadb: 'int unsigned auto_increment primary key',
};

/**
 * Makes knex's own tables. knex looks first and creates then, so two processes that start together on an empty database
 * could fail, or write two lock rows, after which nobody can take the lock.
 */
async function prepareLock(knex: Knex, dialect: Dialect): Promise<void> {
  const index = dialect === 'mariadb' ? '`index`' : '"index"';
  const statements = [
    `create table if not exists ${TABLE} (id ${INT_KEY[dialect]}, name varchar(255), batch int, ` +
      `migration_time ${dialect === 'postgres' ? 'timestamptz' : 'timestamp'}${dialect === 'mariadb' ? ' null' : ''})`,
    `create table if not exists ${LOCK_TABLE} (${index} ${INT_KEY[dialect]}, is_locked int)`,
    `insert into ${LOCK_TABLE} (${index}, is_locked) select 1, 0 ${dialect === 'mariadb' ? 'from dual ' : ''}` +
      `where not exists (select 1 from ${LOCK_TABLE})`,
  ];
  for (const statement of statements) {
    for (let tried = 1; ; tried += 1) {
      try {
        await knex.raw(statement);
        break;
      } catch (error) {
        // `if not exists` still fails when another process creates the same table at the same moment.
        if (tried === 20 || !isRace(error)) throw error;
        await delay(50);
      }
    }
  }
}

const RACE_CODES = new Set(['42P07', '42710', 'XX000', 'ER_TABLE_EXISTS_ERROR']);

function isRace(error: unknown): boolean {
  const failure = classify(error);
  const code = (error as { code?: string }).code ?? '';
  return failure === 'duplicate' || failure === 'conflict' || RACE_CODES.has(code);
}
