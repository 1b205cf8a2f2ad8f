import type { ApiKey } from '../../domain/api-keys/api-key.ts';
import type { ApiKeyStore, KeyWithOwner } from '../../domain/api-keys/api-key-store.ts';
import type { InsertOutcome } from '../../domain/idempotency/idempotent-request.ts';
import { ACCOUNT_COLUMNS, type AccountRow, toAccount } from './account-rows.ts';
import { API_KEY_COLUMNS, type ApiKeyRow, toApiKey, toApiKeyRow } from './api-key-rows.ts';
import { type Database, insertSql, marks, type Statements, type Value } from './database.ts';
import { insertOnce } from './idempotent-request-store.ts';
import { rowBatches } from './row-batches.ts';

type JoinedRow = ApiKeyRow & { [Column in keyof AccountRow as `account_${Column}`]: AccountRow[Column] };

type MadeRow = Pick<ApiKeyRow, 'id' | 'created_by' | 'rotated_by' | 'previous_by' | 'revoked_at' | 'suspended_at'>;

const SELECT = `select ${API_KEY_COLUMNS.join(', ')} from api_keys where`;

const SELECT_WITH_OWNER =
  `select ${API_KEY_COLUMNS.map((column) => `api_keys.${column}`).join(', ')}, ` +
  `${ACCOUNT_COLUMNS.map((column) => `accounts.${column} as account_${column}`).join(', ')} ` +
  'from api_keys join accounts on accounts.id = api_keys.owner_id where';

/** What never changes, and what counting uses writes at any time. */
const NOT_REPLACED = new Set<string>([
  ...['id', 'owner_id', 'created_by', 'created_at', 'version'],
  ...['last_used_at', 'previous_uses', 'previous_used_at', 'warned_days'],
]);
const REPLACED = API_KEY_COLUMNS.filter((column) => !NOT_REPLACED.has(column));

/** The uses of the secret before the last rotation are those of one that a new rotation makes the last but one. */
const UPDATE =
  'update api_keys set ' +
  'previous_uses = case when coalesce(rotated_at, -1) = ? then previous_uses else 0 end, ' +
  'previous_used_at = case when coalesce(rotated_at, -1) = ? then previous_used_at end, ' +
  `${REPLACED.map((column) => `${column} = ?`).join(', ')}, version = version + 1 where id = ? and version = ?`;

export function createApiKeyStore({ database }: { database: Database }): ApiKeyStore {
  async function findBy(column: 'id' | 'imported_digest', value: string): Promise<KeyWithOwner | null> {
    const [row] = await database.rows<JoinedRow>(`${SELECT_WITH_OWNER} api_keys.${column} = ?`, [value]);
    return row ? withOwner(row) : null;
  }

  return {
    async insert(key, request) {
      if (request) return insertOnce(database, request, (tx) => tx.insertIfAbsent('api_keys', toApiKeyRow(key)));
      return { kind: (await database.insertIfAbsent('api_keys', toApiKeyRow(key))) ? 'inserted' : 'taken' };
    },

    insertMade: (key, maker, request) =>
      whileUnchanged(() =>
        insertOnce(database, request, async (tx) => {
          await holdMaker(tx, maker);
          return tx.insertIfAbsent('api_keys', toApiKeyRow(key));
        }),
      ),

    insertMany: (keys) => insertMany(database, keys),
    find: (id) => findBy('id', id),
    findImported: (importedDigest) => findBy('imported_digest', importedDigest),

    async findManyImported(importedDigests) {
      if (importedDigests.length === 0) return [];
      // Few different lengths, so that few statements are prepared: the last one is asked for more than once.
      const length = 2 ** Math.ceil(Math.log2(importedDigests.length));
      const values = Array.from({ length }, (_, index) => importedDigests[index] ?? importedDigests.at(-1) ?? '');
      const sql = `${SELECT_WITH_OWNER} api_keys.imported_digest in (${marks(length)})`;
      return (await database.rows<JoinedRow>(sql, values)).map(withOwner);
    },

    async hasImported() {
      const sql = 'select 1 as one from api_keys where imported_digest is not null limit 1';
      return (await database.rows(sql, [])).length > 0;
    },

    async list({ ownerId, environment, after, limit }) {
      const values: Value[] = [ownerId];
      let where = 'owner_id = ?';
      if (environment !== undefined) {
        where += ' and environment = ?';
        values.push(environment);
      }
      if (after) {
        // The first condition is for the index: not every database sees a range in the second.
        where += ' and created_at <= ? and (created_at < ? or id < ?)';
        values.push(after.createdAt, after.createdAt, after.id);
      }
      const sql = `${SELECT} ${where} order by created_at desc, id desc limit ?`;
      return (await database.rows<ApiKeyRow>(sql, [...values, limit])).map(toApiKey);
    },

    async listOfNamespace(ownerId, environment, namespace, limit) {
      const sql = `${SELECT} owner_id = ? and namespace = ? and environment = ? limit ?`;
      return (await database.rows<ApiKeyRow>(sql, [ownerId, namespace, environment, limit])).map(toApiKey);
    },

    async countLive(ownerId, nowMs) {
      const sql =
        'select count(*) as count from api_keys where owner_id = ? and revoked_at is null and (expires_at is null or expires_at > ?)';
      const [row] = await database.rows<{ count: number }>(sql, [ownerId, nowMs]);
      return Number(row?.count ?? 0);
    },

    async listMadeByOthers(ownerId) {
      const sql =
        'select id, created_by, rotated_by, previous_by, revoked_at, suspended_at from api_keys ' +
        'where owner_id = ? and (created_by <> owner_id or rotated_by <> owner_id or previous_by <> owner_id)';
      const rows = await database.rows<MadeRow>(sql, [ownerId]);
      return rows.map((row) => ({
        id: row.id,
        createdBy: row.created_by,
        rotatedBy: row.rotated_by,
        previousBy: row.previous_by,
        revokedAt: row.revoked_at,
        suspendedAt: row.suspended_at,
      }));
    },

    async lastUses(ownerId) {
      const sql = 'select id, last_used_at from api_keys where owner_id = ? and last_used_at is not null';
      const rows = await database.rows<{ id: string; last_used_at: number }>(sql, [ownerId]);
      return new Map(rows.map((row) => [row.id, row.last_used_at]));
    },

    update: (key) => update(database, key),
    updateOnce: (key, request) => insertOnce(database, request, (tx) => update(tx, key)),

    updateMade: (key, maker, request) =>
      whileUnchanged(() =>
        insertOnce(database, request, async (tx) => {
          // Always in the same order, or two keys that change each other could wait for each other.
          if (maker.id < key.id) await holdMaker(tx, maker);
          const updated = await update(tx, key);
          if (maker.id > key.id) await holdMaker(tx, maker);
          return updated;
        }),
      ),

    async listExpiring(beforeMs, nowMs, days, limit) {
      const sql =
        `${SELECT} expires_at > ? and expires_at < ? and revoked_at is null and suspended_at is null ` +
        'and (warned_days is null or warned_days > ?) order by expires_at, id limit ?';
      return (await database.rows<ApiKeyRow>(sql, [nowMs, beforeMs, days, limit])).map(toApiKey);
    },

    async markWarned(id, days) {
      const sql = 'update api_keys set warned_days = ? where id = ? and (warned_days is null or warned_days > ?)';
      return (await database.affected(sql, [days, id, days])) === 1;
    },
  };
}

/** Undoes what was stored before. */
class MakerChanged extends Error {}

async function whileUnchanged(change: () => Promise<InsertOutcome>): ReturnType<ApiKeyStore['insertMade']> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof MakerChanged) return { kind: 'maker-changed' };
    throw error;
  }
}

/**
 * Changes nothing, and holds the row until the transaction ends: the next change of the key waits, and then sees what was made.
 * Every database takes this lock for an update; not every one has `for update`.
 */
async function holdMaker(tx: Statements, { id, version }: Pick<ApiKey, 'id' | 'version'>): Promise<void> {
  const sql = 'update api_keys set version = version where id = ? and version = ?';
  if ((await tx.affected(sql, [id, version])) !== 1) throw new MakerChanged();
}

async function update(statements: Statements, key: ApiKey): Promise<boolean> {
  const row = toApiKeyRow(key);
  const values = REPLACED.map((column) => row[column] as Value);
  const rotatedAt = key.rotatedAt ?? -1;
  return (await statements.affected(UPDATE, [rotatedAt, rotatedAt, ...values, key.id, key.version])) === 1;
}

const withOwner = (row: JoinedRow): KeyWithOwner => ({ key: toApiKey(row), owner: toAccount(ownerRow(row)) });

const ownerRow = (row: JoinedRow): AccountRow =>
  Object.fromEntries(ACCOUNT_COLUMNS.map((column) => [column, row[`account_${column}`]])) as unknown as AccountRow;

function insertMany(database: Database, keys: readonly ApiKey[]): Promise<string[]> {
  // Always in the same order, or two imports could wait for each other.
  const rows = keys.map(toApiKeyRow).sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
  if (rows.length === 0) return Promise.resolve([]);
  return database.transaction(async (tx) => {
    const inserted: string[] = [];
    if (database.dialect === 'mariadb') {
      // It cannot tell which of several rows it left out.
      for (const row of rows) if (await tx.insertIfAbsent('api_keys', row)) inserted.push(String(row.id));
      return inserted;
    }
    for (const batch of rowBatches(rows)) {
      const sql = `${insertSql('api_keys', batch[0], batch.length)} on conflict do nothing returning id`;
      const added = await tx.rows<{ id: string }>(sql, batch.flatMap(Object.values));
      inserted.push(...added.map(({ id }) => id));
    }
    return inserted;
  });
}
