import type { ConsentStore } from '../../domain/consents/consent-store.ts';
import type { Database } from './database.ts';
import { fromJson } from './json.ts';

interface ConsentRow {
  scopes: string;
  claims: string;
  resources: string;
  updated_at: number;
}

const KEY = ['account_id', 'client_id'];
const REPLACED = ['scopes', 'claims', 'resources', 'updated_at'];

export function createConsentStore({ database }: { database: Database }): ConsentStore {
  return {
    async find(accountId, clientId) {
      const sql = 'select scopes, claims, resources, updated_at from consents where account_id = ? and client_id = ?';
      const [row] = await database.rows<ConsentRow>(sql, [accountId, clientId]);
      if (!row) return null;
      return {
        accountId,
        clientId,
        scopes: fromJson(row.scopes),
        claims: fromJson(row.claims),
        resources: fromJson(row.resources),
        updatedAt: row.updated_at,
      };
    },

    save: (consent) =>
      database.upsert(
        'consents',
        {
          account_id: consent.accountId,
          client_id: consent.clientId,
          scopes: JSON.stringify(consent.scopes),
          claims: JSON.stringify(consent.claims),
          resources: JSON.stringify(consent.resources),
          updated_at: consent.updatedAt,
        },
        KEY,
        REPLACED,
      ),

    remove: async (accountId, clientId) =>
      (await database.affected('delete from consents where account_id = ? and client_id = ?', [
        accountId,
        clientId,
      ])) === 1,

    async removeByAccount(accountId) {
      await database.affected('delete from consents where account_id = ?', [accountId]);
    },

    async removeByClient(clientId) {
      await database.affected('delete from consents where client_id = ?', [clientId]);
    },
  };
}
