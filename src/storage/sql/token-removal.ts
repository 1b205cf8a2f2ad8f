import { type Database, marks, type Statements } from './database.ts';

type Owner = 'account_id' | 'client_id';

interface OwnedRow {
  kind: string;
  id: string;
  grant_id: string | null;
}

/**
 * Records removed together. An account has fewer, so that its removal is one step; a client may have a million, which
 * no time limit would let pass in one.
 */
const BATCH = 1000;

/**
 * Removes every record of an account or client, and what hangs on its grants under another or no owner. Returns the
 * ids of those grants.
 */
export async function removeByOwner(database: Database, owner: Owner, value: string): Promise<string[]> {
  const grants = new Set<string>();
  for (;;) {
    const removed = await removeBatch(database, owner, value);
    for (const { grant_id } of removed) if (grant_id !== null) grants.add(grant_id);
    // Until nothing is found: a code that was redeemed meanwhile has left a grant that the statement before could not see.
    if (removed.length === 0) return [...grants];
  }
}

/** Removes the codes and grants of a sign-in and what hangs on them, in the same way. */
export async function removeBySession(database: Database, uid: string, clientId?: string): Promise<string[]> {
  const grants = new Set<string>();
  const condition = `uid = ? and kind in ('Grant', 'AuthorizationCode')${clientId === undefined ? '' : ' and client_id = ?'}`;
  const values = clientId === undefined ? [uid] : [uid, clientId];
  for (;;) {
    const sql = `select grant_id from token_records where ${condition} and grant_id is not null limit ${BATCH}`;
    const found = await database.rows<Pick<OwnedRow, 'grant_id'>>(sql, values);
    if (found.length === 0) return [...grants];
    await removeHanging(database, found);
    for (const { grant_id } of found) if (grant_id !== null) grants.add(grant_id);
  }
}

function removeBatch(database: Database, owner: Owner, value: string): Promise<Pick<OwnedRow, 'grant_id'>[]> {
  switch (database.dialect) {
    case 'postgres':
      return database.rows(
        `with owned as (select kind, id from token_records where ${owner} = ? limit ${BATCH} for update), ` +
          'own as (delete from token_records using owned ' +
          'where token_records.kind = owned.kind and token_records.id = owned.id returning grant_id), ' +
          'hanging as (delete from token_records using (select distinct grant_id from own) as grants ' +
          `where token_records.grant_id = grants.grant_id and token_records.${owner} is distinct from ?) ` +
          'select grant_id from own',
        [value, value],
      );
    case 'sqlite':
      return database.transaction(async (tx) => {
        const owned = `select rowid from token_records where ${owner} = ? limit ${BATCH}`;
        const sql = `delete from token_records where rowid in (${owned}) returning grant_id`;
        const removed = await tx.rows<OwnedRow>(sql, [value]);
        await removeHanging(tx, removed);
        return removed;
      });
    case 'mariadb':
      return database.transaction(async (tx) => {
        const sql = `select kind, id, grant_id from token_records where ${owner} = ? limit ${BATCH} for update`;
        const owned = await tx.rows<OwnedRow>(sql, [value]);
        for (const kind of new Set(owned.map((row) => row.kind))) {
          const ids = owned.filter((row) => row.kind === kind).map((row) => row.id);
          await tx.affected(`delete from token_records where kind = ? and id in (${marks(ids.length)})`, [
            kind,
            ...ids,
          ]);
        }
        await removeHanging(tx, owned);
        return owned;
      });
  }
}

async function removeHanging(tx: Statements, removed: readonly Pick<OwnedRow, 'grant_id'>[]): Promise<void> {
  const grants = [...new Set(removed.flatMap(({ grant_id }) => (grant_id === null ? [] : [grant_id])))];
  if (grants.length === 0) return;
  await tx.affected(`delete from token_records where grant_id in (${marks(grants.length)})`, grants);
}
