import type { ResourceServer } from '../../domain/resources/resource-server.ts';
import type { ResourceServerStore } from '../../domain/resources/resource-server-store.ts';
import type { Stored } from '../../domain/row-macs/row-macs.ts';
import type { Database } from './database.ts';
import { fromJson } from './json.ts';
import { storedMac } from './stored-mac.ts';

export interface ResourceServerRow {
  identifier: string;
  name: string;
  scopes: string;
  access_token_format: ResourceServer['accessTokenFormat'];
  access_token_lifetime_seconds: number;
  client_id: string;
  created_at: number;
  row_mac: string | null;
}

const COLUMNS =
  'identifier, name, scopes, access_token_format, access_token_lifetime_seconds, client_id, created_at, row_mac';

export function createResourceServerStore({ database }: { database: Database }): ResourceServerStore {
  return {
    insert: (resource: Stored<ResourceServer>) =>
      database.insertIfAbsent('resource_servers', {
        identifier: resource.identifier,
        name: resource.name,
        scopes: JSON.stringify(resource.scopes),
        access_token_format: resource.accessTokenFormat,
        access_token_lifetime_seconds: resource.accessTokenLifetimeSeconds,
        client_id: resource.clientId,
        created_at: resource.createdAt,
        row_mac: resource.rowMac ?? null,
      }),

    async find(identifier) {
      const sql = `select ${COLUMNS} from resource_servers where identifier = ?`;
      const [row] = await database.rows<ResourceServerRow>(sql, [identifier]);
      return row ? toResourceServer(row) : null;
    },

    async list() {
      const sql = `select ${COLUMNS} from resource_servers order by identifier`;
      return (await database.rows<ResourceServerRow>(sql, [])).map(toResourceServer);
    },

    remove: async (identifier) =>
      (await database.affected('delete from resource_servers where identifier = ?', [identifier])) === 1,
  };
}

export const toResourceServer = (row: ResourceServerRow): Stored<ResourceServer> => ({
  identifier: row.identifier,
  name: row.name,
  scopes: fromJson(row.scopes),
  accessTokenFormat: row.access_token_format,
  accessTokenLifetimeSeconds: row.access_token_lifetime_seconds,
  clientId: row.client_id,
  createdAt: row.created_at,
  ...storedMac(row),
});
