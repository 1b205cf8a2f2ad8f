import type { Knex } from 'knex';
import { type ColumnType, dialectOfDriver, sqlTypeOf } from './create-table.ts';

interface AddedColumn {
  /** Nullable, or with a default, so that a version that does not know the column can still insert. */
  type: `${ColumnType}?` | ColumnType;
  /** Of a `text` column. */
  default?: string;
  indexed?: true;
}

/** Adds what is not there yet; one that was killed half-way is run again, as with createTable. */
export async function addColumns(knex: Knex, table: string, columns: Record<string, AddedColumn>): Promise<void> {
  const dialect = dialectOfDriver(knex);
  for (const [name, column] of Object.entries(columns)) {
    // MySQL takes the default of a text only in brackets, SQLite of an added column only without.
    const quoted = dialect === 'mariadb' ? `('${column.default}')` : `'${column.default}'`;
    const definition = `${name} ${sqlTypeOf(dialect, column.type)}${column.default === undefined ? '' : ` default ${quoted}`}`;
    const index = `${table}_by_${name}`;
    // MariaDB commits the column and its index together.
    const withIndex = column.indexed && dialect === 'mariadb' ? `, add index ${index} (${name})` : '';
    if (!(await knex.schema.hasColumn(table, name))) {
      await knex.raw(`alter table ${table} add column ${definition}${withIndex}`);
    }
    if (column.indexed && dialect !== 'mariadb') {
      await knex.raw(`create index if not exists ${index} on ${table} (${name}) where ${name} is not null`);
    }
  }
}
