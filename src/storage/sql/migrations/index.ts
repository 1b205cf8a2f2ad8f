import type { Knex } from 'knex';
import * as initial from './0001-initial.ts';
import * as apiCredentials from './0002-api-credentials.ts';
import * as rowMacs from './0003-row-macs.ts';
import * as deployment from './0007-deployment.ts';
import * as rotatedBy from './0010-rotated-by.ts';

/** Every migration, in order. A number is never reused; a migration that was released is never edited. */
const MIGRATIONS: Readonly<Record<string, { up(knex: Knex): Promise<void> }>> = {
  '0001-initial': initial,
  '0002-api-credentials': apiCredentials,
  '0003-row-macs': rowMacs,
  '0007-deployment': deployment,
  '0010-rotated-by': rotatedBy,
};

export const MIGRATION_NAMES: readonly string[] = Object.keys(MIGRATIONS);

/** Expand, then contract: an older version must run on a newer schema, so there is no way down. */
async function down(): Promise<never> {
  throw new Error('migrations are not undone; an older version runs on the newer schema');
}

/** Explicit, so that a package, a bundle and a type-stripped source all see the same list. */
export const migrationSource: Knex.MigrationSource<{ file: string }> = {
  // The command line prints `file`.
  getMigrations: async () => MIGRATION_NAMES.map((file) => ({ file })),
  getMigrationName: ({ file }) => file,
  async getMigration({ file }) {
    const migration = MIGRATIONS[file];
    if (!migration) throw new RangeError(`there is no migration ${file}`);
    return { up: (knex) => migration.up(knex), down };
  },
};
