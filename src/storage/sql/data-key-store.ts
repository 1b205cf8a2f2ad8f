import type { DataKeyName } from '../../domain/data-keys/data-key.ts';
import type { DataKeyStore } from '../../domain/data-keys/data-key-store.ts';
import type { Database } from './database.ts';

interface DataKeyRow {
  name: DataKeyName;
  sealed: string;
  created_at: number;
}

export function createDataKeyStore({ database }: { database: Database }): DataKeyStore {
  return {
    async list() {
      const rows = await database.rows<DataKeyRow>('select name, sealed, created_at from data_keys order by name', []);
      return rows.map((row) => ({ name: row.name, sealed: row.sealed, createdAt: row.created_at }));
    },

    async insertAll(keys) {
      const [first, ...more] = keys.map(({ name, sealed, createdAt }) => ({ name, sealed, created_at: createdAt }));
      return first === undefined || database.insertIfAbsent('data_keys', first, ...more);
    },

    async reseal(name, from, to) {
      const sql = 'update data_keys set sealed = ? where name = ? and sealed = ?';
      return (await database.affected(sql, [to, name, from])) === 1;
    },
  };
}
