import type { Client } from '../../domain/clients/client.ts';
import type { ClientStore } from '../../domain/clients/client-store.ts';
import type { Stored } from '../../domain/row-macs/row-macs.ts';
import type { Database, Value } from './database.ts';
import { fromJson } from './json.ts';
import { storedMac } from './stored-mac.ts';

export interface ClientRow {
  id: string;
  name: string;
  application_type: Client['applicationType'];
  auth_method: Client['authMethod'];
  grant_types: string;
  redirect_uris: string;
  post_logout_redirect_uris: string;
  scopes: string;
  resources: string;
  allowed_origins: string;
  require_pkce: boolean | number;
  jwks: string;
  secrets: string;
  certificate_thumbprints: string;
  token_binding: Client['tokenBinding'];
  owner_id: string | null;
  created_at: number;
  updated_at: number;
  row_mac: string | null;
}

const COLUMNS =
  'id, name, application_type, auth_method, grant_types, redirect_uris, post_logout_redirect_uris, scopes, resources, ' +
  'allowed_origins, require_pkce, jwks, secrets, certificate_thumbprints, token_binding, owner_id, created_at, updated_at, row_mac';

export function createClientStore({ database }: { database: Database }): ClientStore {
  return {
    insert: (client) => database.insertIfAbsent('clients', toRow(client)),

    async find(id) {
      const [row] = await database.rows<ClientRow>(`select ${COLUMNS} from clients where id = ?`, [id]);
      return row ? toClient(row) : null;
    },

    async list({ after = '', limit }) {
      const sql = `select ${COLUMNS} from clients where id > ? order by id limit ?`;
      return (await database.rows<ClientRow>(sql, [after, limit])).map(toClient);
    },

    async listByOwner(ownerId) {
      const sql = `select ${COLUMNS} from clients where owner_id = ? order by created_at desc, id desc`;
      return (await database.rows<ClientRow>(sql, [ownerId])).map(toClient);
    },

    async update(client, expectedUpdatedAt) {
      const { id, ...columns } = toRow(client);
      const assignments = Object.keys(columns).map((column) => `${column} = ?`);
      const sql = `update clients set ${assignments.join(', ')} where id = ? and updated_at = ?`;
      return (await database.affected(sql, [...Object.values(columns), id, expectedUpdatedAt])) === 1;
    },

    remove: async (id) => (await database.affected('delete from clients where id = ?', [id])) === 1,
  };
}

const toRow = (client: Stored<Client>): Record<keyof ClientRow, Value> => ({
  id: client.id,
  name: client.name,
  application_type: client.applicationType,
  auth_method: client.authMethod,
  grant_types: JSON.stringify(client.grantTypes),
  redirect_uris: JSON.stringify(client.redirectUris),
  post_logout_redirect_uris: JSON.stringify(client.postLogoutRedirectUris),
  scopes: JSON.stringify(client.scopes),
  resources: JSON.stringify(client.resources),
  allowed_origins: JSON.stringify(client.allowedOrigins),
  require_pkce: client.requirePkce,
  jwks: JSON.stringify(client.jwks),
  secrets: JSON.stringify(client.secrets),
  certificate_thumbprints: JSON.stringify(client.certificateThumbprints),
  token_binding: client.tokenBinding,
  owner_id: client.ownerId,
  created_at: client.createdAt,
  updated_at: client.updatedAt,
  row_mac: client.rowMac ?? null,
});

export const toClient = (row: ClientRow): Stored<Client> => ({
  id: row.id,
  name: row.name,
  applicationType: row.application_type,
  authMethod: row.auth_method,
  grantTypes: fromJson(row.grant_types),
  redirectUris: fromJson(row.redirect_uris),
  postLogoutRedirectUris: fromJson(row.post_logout_redirect_uris),
  scopes: fromJson(row.scopes),
  resources: fromJson(row.resources),
  allowedOrigins: fromJson(row.allowed_origins),
  requirePkce: Boolean(row.require_pkce),
  jwks: fromJson(row.jwks),
  secrets: fromJson(row.secrets),
  certificateThumbprints: fromJson(row.certificate_thumbprints),
  tokenBinding: row.token_binding,
  ownerId: row.owner_id,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  ...storedMac(row),
});
