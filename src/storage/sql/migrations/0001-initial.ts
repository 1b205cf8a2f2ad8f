import type { Knex } from 'knex';
import { createTable } from './create-table.ts';

/** Columns ending in `_at` are milliseconds since the epoch; in token_records `created_at` and `expires_at` are seconds. */
export async function up(knex: Knex): Promise<void> {
  await createTable(knex, {
    name: 'accounts',
    columns: {
      id: 'id',
      email: 'name',
      /** The normalized address, under which an account is unique. */
      email_key: 'name',
      email_verified: 'bool',
      password_hash: 'text?',
      given_name: 'text?',
      family_name: 'text?',
      disabled_at: 'time?',
      signed_out_at: 'time?',
      created_at: 'time',
      updated_at: 'time',
    },
    primaryKey: ['id'],
    unique: ['email_key'],
  });

  await createTable(knex, {
    name: 'clients',
    columns: {
      id: 'id',
      name: 'text',
      application_type: 'id',
      auth_method: 'id',
      /** From here to `allowed_origins`, and `jwks` and `secrets`: JSON lists. */
      grant_types: 'text',
      redirect_uris: 'text',
      post_logout_redirect_uris: 'text',
      scopes: 'text',
      resources: 'text',
      allowed_origins: 'text',
      require_pkce: 'bool',
      jwks: 'text',
      secrets: 'text',
      created_at: 'time',
      updated_at: 'time',
    },
    primaryKey: ['id'],
  });

  await createTable(knex, {
    name: 'resource_servers',
    columns: {
      identifier: 'name',
      name: 'text',
      scopes: 'text',
      access_token_format: 'id',
      access_token_lifetime_seconds: 'int',
      client_id: 'id',
      created_at: 'time',
    },
    primaryKey: ['identifier'],
  });

  await createTable(knex, {
    name: 'consents',
    columns: {
      account_id: 'id',
      client_id: 'id',
      scopes: 'text',
      claims: 'text',
      resources: 'text',
      updated_at: 'time',
    },
    primaryKey: ['account_id', 'client_id'],
    indexes: [['client_id']],
  });

  await createTable(knex, {
    name: 'token_records',
    columns: {
      kind: 'id',
      id: 'id',
      payload: 'text',
      grant_id: 'id?',
      account_id: 'id?',
      client_id: 'id?',
      uid: 'id?',
      user_code: 'id?',
      created_at: 'time',
      expires_at: 'time?',
      consumed_at: 'time?',
      receipt: 'text?',
      /** `consumed_at` while there is a receipt, so that finding the receipts to drop reads nothing else. */
      receipt_at: 'time?',
    },
    primaryKey: ['kind', 'id'],
    indexes: [['grant_id'], ['account_id'], ['client_id'], ['uid'], ['user_code'], ['expires_at'], ['receipt_at']],
  });

  await createTable(knex, {
    name: 'signing_keys',
    columns: {
      kid: 'id',
      algorithm: 'id',
      state: 'id',
      public_jwk: 'text',
      sealed_private_jwk: 'text',
      created_at: 'time',
      state_since: 'time',
    },
    primaryKey: ['kid'],
  });

  await createTable(knex, {
    name: 'data_keys',
    columns: { name: 'id', sealed: 'text', created_at: 'time' },
    primaryKey: ['name'],
  });

  await createTable(knex, {
    name: 'throttle_counters',
    columns: { id: 'id', attempts: 'int', previous_at: 'time?', last_at: 'time', ends_at: 'time' },
    primaryKey: ['id'],
    indexes: [['ends_at']],
  });

  await createTable(knex, {
    name: 'audit_events',
    columns: {
      /** The order of events of the same millisecond. */
      seq: 'sequence',
      id: 'id',
      type: 'id',
      at: 'time',
      account_id: 'id?',
      client_id: 'id?',
      ip: 'id?',
      request_id: 'id?',
      details: 'text',
    },
    unique: ['id'],
    indexes: [['at'], ['account_id', 'at'], ['client_id', 'at']],
  });

  await createTable(knex, {
    name: 'leases',
    columns: { name: 'id', holder: 'id', ends_at: 'time' },
    primaryKey: ['name'],
  });
}
