import type { Consent } from '../../domain/consents/consent.ts';
import type { ConsentStore } from '../../domain/consents/consent-store.ts';
import type { Stored } from '../../domain/row-macs/row-macs.ts';
import type { Database } from './database.ts';
import { fromJson } from './json.ts';
import { storedMac } from './stored-mac.ts';

export interface ConsentRow {
  account_id: string;
  client_id: string;
  scopes: string;
  claims: string;
  resources: string;
  updated_at: number;
  row_mac: string | null;
}

const SELECT = 'select account_id, client_id, scopes, claims, resources, updated_at, row_mac from consents';
const KEY = ['account_id', 'client_id'];
const REPLACED = ['scopes', 'claims', 'resources', 'updated_at', 'row_mac'];

export function createConsentStore({ database }: { database: Database }): ConsentStore {
  return {
    async find(accountId, clientId) {
      const [row] = await database.rows<ConsentRow>(`${SELECT} where account_id = ? and client_id = ?`, [
        accountId,
        clientId,
      ]);
      return row ? toConsent(row) : null;
    },

    save: (consent: Stored<Consent>) =>
      database.upsert(
        'consents',
        {
          account_id: consent.accountId,
          client_id: consent.clientId,
          scopes: JSON.stringify(consent.scopes),
          claims: JSON.stringify(consent.claims),
          resources: JSON.stringify(consent.resources),
          updated_at: consent.updatedAt,
          row_mac: consent.rowMac ?? null,
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

export const toConsent = (row: ConsentRow): Stored<Consent> => ({
  accountId: row.account_id,
  clientId: row.client_id,
  scopes: fromJson(row.scopes),
  claims: fromJson(row.claims),
  resources: fromJson(row.resources),
  updatedAt: row.updated_at,
  ...storedMac(row),
});
