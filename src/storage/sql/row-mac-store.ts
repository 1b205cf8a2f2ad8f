import { accountFacts } from '../../domain/accounts/authentic-accounts.ts';
import { apiKeyFacts } from '../../domain/api-keys/authentic-api-keys.ts';
import { clientFacts } from '../../domain/clients/authentic-clients.ts';
import { consentFacts } from '../../domain/consents/authentic-consents.ts';
import { resourceFacts } from '../../domain/resources/authentic-resources.ts';
import type { RowMacStore } from '../../domain/row-macs/row-mac-store.ts';
import type { AuthenticatedTable, RowFacts, Stored } from '../../domain/row-macs/row-macs.ts';
import { tokenFacts } from '../../domain/tokens/authentic-tokens.ts';
import { type AccountRow, toAccount } from './account-rows.ts';
import { type ApiKeyRow, toApiKey } from './api-key-rows.ts';
import { type ClientRow, toClient } from './client-store.ts';
import { type ConsentRow, toConsent } from './consent-store.ts';
import type { Database } from './database.ts';
import { type ResourceServerRow, toResourceServer } from './resource-server-store.ts';
import { type TokenRow, toTokenRecord } from './token-rows.ts';

type AnyRow = Readonly<Record<string, unknown>>;

interface TableOfRows {
  key: readonly string[];
  read(row: AnyRow): { facts: RowFacts; rowMac: string | undefined };
}

function tableOf<Row, Record>(
  key: readonly string[],
  toRecord: (row: Row) => Stored<Record>,
  factsOf: (record: Record) => RowFacts,
): TableOfRows {
  return {
    key,
    read(row) {
      const record = toRecord(row as Row);
      return { facts: factsOf(record), rowMac: record.rowMac };
    },
  };
}

const TABLES: Readonly<Record<AuthenticatedTable, TableOfRows>> = {
  accounts: tableOf<AccountRow, never>(['id'], toAccount as never, accountFacts),
  api_keys: tableOf<ApiKeyRow, never>(['id'], toApiKey as never, apiKeyFacts),
  clients: tableOf<ClientRow, never>(['id'], toClient as never, clientFacts),
  consents: tableOf<ConsentRow, never>(['account_id', 'client_id'], toConsent as never, consentFacts),
  resource_servers: tableOf<ResourceServerRow, never>(['identifier'], toResourceServer as never, resourceFacts),
  token_records: tableOf<TokenRow, never>(['kind', 'id'], toTokenRecord as never, tokenFacts),
};

export function createRowMacStore({ database }: { database: Database }): RowMacStore {
  return {
    async list(table, after, limit) {
      const { key, read } = TABLES[table];
      const [first = '', second] = key;
      const [from = '', then = ''] = after ?? [];
      const beyond = second === undefined ? `${first} > ?` : `(${first} > ? or (${first} = ? and ${second} > ?))`;
      const sql = `select * from ${table}${after ? ` where ${beyond}` : ''} order by ${key.join(', ')} limit ?`;
      const position = after === null ? [] : second === undefined ? [from] : [from, from, then];
      const rows = await database.rows<AnyRow>(sql, [...position, limit]);
      return rows.map((row) => ({ key: key.map((column) => String(row[column])), ...read(row) }));
    },

    async replace(table, key, from, to) {
      const where = TABLES[table].key.map((column) => `${column} = ?`).join(' and ');
      const values = from === undefined ? [to, ...key] : [to, ...key, from];
      const sql = `update ${table} set row_mac = ? where ${where} and row_mac ${from === undefined ? 'is null' : '= ?'}`;
      return (await database.affected(sql, values)) === 1;
    },
  };
}
