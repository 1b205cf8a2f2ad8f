import type { Knex } from 'knex';
import { createTable } from './create-table.ts';

/**
 * What is known of the deployment as a whole. `store_names` says how its entries are named in a store that others use too: `own`, with
 * its name, or `shared`, as before there were such names: for a database that was in use before (see storage/redis/names.ts).
 */
export async function up(knex: Knex): Promise<void> {
  await createTable(knex, { name: 'deployment', columns: { name: 'id', value: 'id' }, primaryKey: ['name'] });
  // MariaDB keeps what a migration that was killed has done.
  if (await knex('deployment').where({ name: 'store_names' }).first()) return;
  const inUse = await knex('data_keys').first('name');
  await knex('deployment').insert({ name: 'store_names', value: inUse ? 'shared' : 'own' });
}
