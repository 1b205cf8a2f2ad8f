import type { Knex } from 'knex';
import { addColumns } from './add-columns.ts';

/** Who made the secrets of a key by rotating it, for when that one ends. Empty for rotations from before. */
export async function up(knex: Knex): Promise<void> {
  await addColumns(knex, 'api_keys', { rotated_by: { type: 'id?' }, previous_by: { type: 'id?' } });
}
