import type { Knex } from 'knex';
import { addColumns } from './add-columns.ts';
import { createTable } from './create-table.ts';

/** Columns ending in `_at`, and `hour`, are milliseconds since the epoch; `arrives_at` is microseconds. */
export async function up(knex: Knex): Promise<void> {
  await addColumns(knex, 'accounts', { scopes: { type: 'text?' } });
  await addColumns(knex, 'clients', {
    certificate_thumbprints: { type: 'text', default: '[]' },
    token_binding: { type: 'id?' },
    owner_id: { type: 'id?', indexed: true },
  });

  await createTable(knex, {
    name: 'api_keys',
    columns: {
      id: 'id',
      owner_id: 'id',
      name: 'text',
      environment: 'id',
      prefix: 'id',
      last_four: 'id',
      current_mac: 'id?',
      current_pepper_id: 'id?',
      previous_mac: 'id?',
      previous_pepper_id: 'id?',
      previous_ends_at: 'time?',
      imported_digest: 'id?',
      imported_ends_at: 'time?',
      /** JSON lists. */
      scopes: 'text',
      allowed_addresses: 'text',
      namespace: 'id',
      limit_quota: 'int?',
      limit_window_seconds: 'int?',
      created_by: 'id',
      created_at: 'time',
      updated_at: 'time',
      expires_at: 'time?',
      revoked_at: 'time?',
      revoke_reason: 'text?',
      suspended_at: 'time?',
      rotated_at: 'time?',
      last_used_at: 'time?',
      previous_uses: 'count',
      previous_used_at: 'time?',
      warned_days: 'int?',
      version: 'int',
    },
    primaryKey: ['id'],
    unique: ['imported_digest'],
    indexes: [['owner_id', 'created_at', 'id'], ['owner_id', 'namespace'], ['expires_at']],
  });

  await createTable(knex, {
    name: 'api_key_usage',
    columns: { key_id: 'id', environment: 'id', hour: 'time', owner_id: 'id', allowed: 'count', refused: 'count' },
    primaryKey: ['key_id', 'environment', 'hour'],
    indexes: [['owner_id', 'hour'], ['hour']],
  });

  await createTable(knex, {
    name: 'provider_keys',
    columns: {
      id: 'id',
      owner_id: 'id',
      provider: 'id',
      label: 'text',
      version: 'int',
      sealed_value: 'text',
      wrapped_key: 'text',
      wrapped_by: 'id',
      mask: 'text',
      fingerprint: 'id',
      /** Owner and provider on the default key, null on the others: a second default cannot be stored. */
      default_of: 'name?',
      created_at: 'time',
      updated_at: 'time',
      last_used_at: 'time?',
    },
    primaryKey: ['id'],
    unique: ['default_of'],
    indexes: [
      ['owner_id', 'provider'],
      ['wrapped_by', 'id'],
    ],
  });

  await createTable(knex, {
    name: 'rate_limits',
    columns: {
      id: 'id',
      /** When the counter is full again: the theoretical arrival time of a generic cell rate. */
      arrives_at: 'time',
    },
    primaryKey: ['id'],
    indexes: [['arrives_at']],
  });

  await createTable(knex, {
    name: 'idempotent_requests',
    columns: { id: 'id', fingerprint: 'id', sealed_answer: 'text', created_at: 'time', expires_at: 'time' },
    primaryKey: ['id'],
    indexes: [['expires_at']],
  });
}
