import type { ProviderKey } from '../../domain/provider-keys/provider-key.ts';
import type { ProviderKeyStore } from '../../domain/provider-keys/provider-key-store.ts';
import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import type { Database, Statements } from './database.ts';
import { insertOnce } from './idempotent-request-store.ts';
import { defaultOf, fillDefault, KeyGone, lockOwner, moveDefault } from './provider-key-defaults.ts';
import { PROVIDER_KEY_COLUMNS, type ProviderKeyRow, toProviderKey, toProviderKeyRow } from './provider-key-rows.ts';

const SELECT = `select ${PROVIDER_KEY_COLUMNS} from provider_keys where`;

/** Two ranges, which an index can serve; it cannot for `<>`. */
const WRAPPED_BY_OTHERS = '(wrapped_by < ? or wrapped_by > ?)';

/** Whether another key of the owner has the same value; the owner is locked. */
async function hasTwin(tx: Statements, { id, ownerId, provider, fingerprint }: ProviderKey): Promise<boolean> {
  const sql = 'select 1 as one from provider_keys where owner_id = ? and provider = ? and fingerprint = ? and id <> ?';
  return (await tx.rows(sql, [ownerId, provider, fingerprint, id])).length > 0;
}

export function createProviderKeyStore({ database }: { database: Database }): ProviderKeyStore {
  const keys = async (where: string, values: readonly (string | number)[]): Promise<ProviderKey[]> =>
    (await database.rows<ProviderKeyRow>(`${SELECT} ${where}`, values)).map(toProviderKey);

  const find = async (ownerId: string, id: string): Promise<ProviderKey | null> =>
    (await keys('id = ? and owner_id = ?', [id, ownerId]))[0] ?? null;

  return {
    find,
    findDefault: async (ownerId, provider) =>
      (await keys('default_of = ?', [defaultOf({ ownerId, provider })]))[0] ?? null,
    list: (ownerId) => keys('owner_id = ? order by provider, id', [ownerId]),

    insert: (key, request) =>
      insertOnce(database, request, async (tx) => {
        if (!(await lockOwner(tx, database.dialect, key.ownerId))) return false;
        if (await hasTwin(tx, key)) return false;
        if (!(await tx.insertIfAbsent('provider_keys', toProviderKeyRow(key)))) return false;
        if (key.isDefault) await moveDefault(tx, key);
        else await fillDefault(tx, key);
        return true;
      }),

    async replace(key, before) {
      const sql =
        'update provider_keys set label = ?, version = ?, sealed_value = ?, wrapped_key = ?, wrapped_by = ?, mask = ?, ' +
        'fingerprint = ?, updated_at = ? where id = ? and owner_id = ? and version = ?';
      const values = [key.label, key.version, key.sealedValue, key.wrappedKey, key.wrappedBy, key.mask];
      const more = [key.fingerprint, key.updatedAt, key.id, key.ownerId, before];
      return database.transaction(async (tx) => {
        await lockOwner(tx, database.dialect, key.ownerId);
        return !(await hasTwin(tx, key)) && (await tx.affected(sql, [...values, ...more])) === 1;
      });
    },

    async makeDefault(ownerId, id) {
      const key = await find(ownerId, id);
      if (!key) return false;
      try {
        await database.transaction(async (tx) => {
          await lockOwner(tx, database.dialect, key.ownerId);
          await moveDefault(tx, key);
        });
        return true;
      } catch (error) {
        if (error instanceof KeyGone) return false;
        throw error;
      }
    },

    async remove(ownerId, id) {
      const key = await find(ownerId, id);
      if (!key) return false;
      return database.transaction(async (tx) => {
        await lockOwner(tx, database.dialect, key.ownerId);
        const sql = 'delete from provider_keys where id = ? and owner_id = ?';
        if ((await tx.affected(sql, [id, ownerId])) !== 1) return false;
        await fillDefault(tx, key);
        return true;
      });
    },

    async touch(id, atMs) {
      const sql =
        'update provider_keys set last_used_at = ? where id = ? and (coalesce(last_used_at, 0) < ? or last_used_at > ?)';
      await database.affected(sql, [atMs, id, atMs, atMs + CLOCK_SKEW_MS]);
    },

    listWrappedByOthers: (wrappedBy, afterId, limit) =>
      keys(`${WRAPPED_BY_OTHERS} and id > ? order by id limit ?`, [wrappedBy, wrappedBy, afterId, limit]),

    async countWrappedByOthers(wrappedBy) {
      const sql = `select count(*) as count from provider_keys where ${WRAPPED_BY_OTHERS}`;
      const [row] = await database.rows<{ count: number }>(sql, [wrappedBy, wrappedBy]);
      return row?.count ?? 0;
    },

    async rewrap(id, from, to) {
      const sql = 'update provider_keys set wrapped_key = ?, wrapped_by = ? where id = ? and wrapped_key = ?';
      return (await database.affected(sql, [to.wrappedKey, to.wrappedBy, id, from])) === 1;
    },
  };
}
