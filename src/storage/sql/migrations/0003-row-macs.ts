import type { Knex } from 'knex';
import { addColumns } from './add-columns.ts';

/**
 * The MAC of what a row authorizes (domain/row-macs). A migration has no secrets, so the column starts empty; the server fills it, and
 * from then on a row without a MAC is unusable.
 */
export async function up(knex: Knex): Promise<void> {
  for (const table of ['accounts', 'clients', 'resource_servers', 'consents', 'api_keys', 'token_records']) {
    await addColumns(knex, table, { row_mac: { type: 'id?' } });
  }
}
