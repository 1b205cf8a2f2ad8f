import type { TokenRecord } from '../../domain/tokens/token-record.ts';
import type { DurableTokenStore } from '../../domain/tokens/token-store.ts';
import { newestFirst } from '../newest-first.ts';
import type { Database } from './database.ts';
import { deleteBatch } from './delete-batch.ts';
import { clearReceipts, createCommit } from './token-commit.ts';
import { removeByOwner, removeBySession } from './token-removal.ts';
import { TOKEN_COLUMNS, type TokenRow, toTokenRecord, toTokenRow } from './token-rows.ts';

const KEY = ['kind', 'id'];

/** What a save replaces: everything but the key, the time it came to be, and the marks of its use. */
const REPLACED = ['payload', 'grant_id', 'account_id', 'client_id', 'uid', 'user_code', 'expires_at', 'row_mac'];

const SELECT = `select ${TOKEN_COLUMNS} from token_records where`;

/** Every kind of record, in SQL. */
export function createTokenStore({ database }: { database: Database }): DurableTokenStore {
  const records = async (condition: string, values: readonly string[]): Promise<TokenRecord[]> =>
    (await database.rows<TokenRow>(`${SELECT} ${condition}`, values)).map(toTokenRecord);

  return {
    insert: (record) => database.insertIfAbsent('token_records', toTokenRow(record)),
    save: (record) => database.upsert('token_records', toTokenRow(record), KEY, REPLACED),
    async update(record, use) {
      const row = toTokenRow(record);
      const changed = use === undefined ? REPLACED : [...REPLACED, 'consumed_at'];
      const sql = `update token_records set ${changed.map((column) => `${column} = ?`).join(', ')} where kind = ? and id = ?`;
      const values = REPLACED.map((column) => row[column] ?? null);
      return use === undefined
        ? (await database.affected(sql, [...values, record.kind, record.id])) === 1
        : (await database.affected(`${sql} and consumed_at is null`, [
            ...values,
            use.consumeAtMs,
            record.kind,
            record.id,
          ])) === 1;
    },

    find: async (kind, id) => (await records('kind = ? and id = ?', [kind, id]))[0] ?? null,

    async findMany(keys) {
      if (keys.length === 0) return [];
      const condition = Array<string>(keys.length).fill('(kind = ? and id = ?)').join(' or ');
      return records(
        condition,
        keys.flatMap(({ kind, id }) => [kind, id]),
      );
    },

    findByUid: async (uid) => (await records("uid = ? and kind = 'Session'", [uid])).sort(newestFirst),
    findByUserCode: async (userCode) => (await records('user_code = ?', [userCode])).sort(newestFirst)[0] ?? null,

    async consume(kind, id, atMs) {
      const sql = 'update token_records set consumed_at = ? where kind = ? and id = ? and consumed_at is null';
      return (await database.affected(sql, [atMs, kind, id])) === 1;
    },

    remove: async (kind, id) =>
      (await database.affected('delete from token_records where kind = ? and id = ?', [kind, id])) === 1,

    async removeByGrant(grantId, grantKey) {
      // The Grant goes by its key alone, whether or not it names itself in `grant_id`.
      const hanging = "delete from token_records where (grant_id = ? and kind <> 'Grant')";
      if (grantKey === undefined) await database.affected(hanging, [grantId]);
      else await database.affected(`${hanging} or (kind = 'Grant' and id = ?)`, [grantId, grantKey]);
    },

    removeBySession: (uid, clientId) => removeBySession(database, uid, clientId),
    removeByAccount: (accountId) => removeByOwner(database, 'account_id', accountId),
    removeByClient: (clientId) => removeByOwner(database, 'client_id', clientId),

    purge: (nowSeconds, limit) =>
      deleteBatch(database, { table: 'token_records', key: KEY, column: 'expires_at', before: nowSeconds, limit }),

    listByAccount: async (kind, accountId, limit) =>
      (
        await database.rows<TokenRow>(
          `${SELECT} account_id = ? and kind = ? order by created_at desc, id desc limit ?`,
          [accountId, kind, limit],
        )
      ).map(toTokenRecord),

    commit: createCommit({ database }),
    clearReceipts: (outside, limit) => clearReceipts(database, outside, limit),
  };
}
