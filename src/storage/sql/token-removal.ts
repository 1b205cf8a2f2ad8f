import type { Database, Statements } from './database.ts';
import { marks } from './database.ts';

type Owner = 'account_id' | 'client_id';

interface GrantRow {
  grant_id: string | null;
}

/**
 * Removes every record of an account or client, and what hangs on its grants under another or no owner. Returns the
 * ids of those grants.
 */
export async function removeByOwner(database: Database, owner: Owner, value: string): Promise<string[]> {
  switch (database.dialect) {
    case 'postgres': {
      const sql =
        `with grants as materialized (select distinct grant_id from token_records where ${owner} = ? and grant_id is not null), ` +
        `own as (delete from token_records where ${owner} = ?), ` +
        'hanging as (delete from token_records using grants where token_records.grant_id = grants.grant_id ' +
        `and token_records.${owner} is distinct from ?) ` +
        'select grant_id from grants';
      return grantIds(await database.rows<GrantRow>(sql, [value, value, value]));
    }
    case 'sqlite':
      return database.transaction(async (tx) => {
        const sql = `delete from token_records where ${owner} = ? returning grant_id`;
        const grants = grantIds(await tx.rows<GrantRow>(sql, [value]));
        await removeGrants(tx, grants);
        return grants;
      });
    case 'mariadb':
      return database.transaction(async (tx) => {
        const sql = `select distinct grant_id from token_records where ${owner} = ? for update`;
        const grants = grantIds(await tx.rows<GrantRow>(sql, [value]));
        await tx.affected(`delete from token_records where ${owner} = ?`, [value]);
        await removeGrants(tx, grants);
        return grants;
      });
  }
}

const grantIds = (rows: readonly GrantRow[]): string[] => [
  ...new Set(rows.flatMap(({ grant_id }) => (grant_id === null ? [] : [grant_id]))),
];

/** Under SQLite's oldest limit of bound values in one statement. */
const MOST_GRANTS = 500;

async function removeGrants(tx: Statements, grants: readonly string[]): Promise<void> {
  for (let from = 0; from < grants.length; from += MOST_GRANTS) {
    const some = grants.slice(from, from + MOST_GRANTS);
    await tx.affected(`delete from token_records where grant_id in (${marks(some.length)})`, some);
  }
}
