import type { TokenCommit } from '../../domain/tokens/token-store.ts';
import { type Database, insertSql, type Row, type Value } from './database.ts';
import { toTokenRow } from './token-rows.ts';

const CONSUME =
  'update token_records set consumed_at = ?, receipt = ?, receipt_at = ? where kind = ? and id = ? and consumed_at is null';

/** The consumed record and all it produces change together. One statement where the dialect can do it in one. */
export function createCommit({ database }: { database: Database }): (change: TokenCommit) => Promise<boolean> {
  return async ({ consume, inserts }) => {
    const rows = inserts.map(toTokenRow);
    const [first] = rows;
    if (!consume) {
      if (first) await database.affected(insertAll(first, rows.length), rows.flatMap(Object.values));
      return true;
    }
    const receipt = consume.receipt ?? null;
    const use = [consume.atMs, receipt, receipt === null ? null : consume.atMs, consume.kind, consume.id];

    if (!first) return (await database.affected(CONSUME, use)) === 1;
    if (database.dialect === 'postgres') {
      const sql = `with used as (${CONSUME} returning 1) ${insertIfUsed(first, rows.length)}`;
      return (await database.affected(sql, [...use, ...rows.flatMap(Object.values)])) === rows.length;
    }
    return database.transaction(async (tx) => {
      if ((await tx.affected(CONSUME, use)) !== 1) return false;
      await tx.affected(insertAll(first, rows.length), rows.flatMap(Object.values));
      return true;
    });
  };
}

const insertAll = (row: Row, count: number): string => insertSql('token_records', row, count);

/** PostgreSQL takes an untyped parameter of a select for text. */
function insertIfUsed(row: Row, count: number): string {
  const columns = Object.keys(row);
  const typed = columns.map((column) => (column.endsWith('_at') ? '?::bigint' : '?::text')).join(', ');
  const values = Array<string>(count).fill(`(${typed})`).join(', ');
  return `insert into token_records (${columns.join(', ')}) select * from (values ${values}) as added where exists (select 1 from used)`;
}

/** Drops the oldest receipts in a small batch, and those of a time that has not come yet: no window has room for them. */
export async function clearReceipts(
  database: Database,
  [beforeMs, afterMs]: readonly [number, number],
  limit: number,
): Promise<number> {
  const clear = 'update token_records set receipt = null, receipt_at = null where';
  const old = '(receipt_at < ? or receipt_at > ?) order by receipt_at limit ?';
  const values: Value[] = [beforeMs, afterMs, limit];
  switch (database.dialect) {
    case 'postgres': {
      const batch = `select kind, id from token_records where ${old} for update skip locked`;
      return database.affected(`${clear} (kind, id) in (${batch})`, values);
    }
    case 'sqlite':
      return database.affected(`${clear} rowid in (select rowid from token_records where ${old})`, values);
    case 'mariadb':
      return database.affected(`${clear} ${old}`, values);
  }
}
