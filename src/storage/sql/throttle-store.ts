import type { ThrottleStore } from '../../domain/limits/throttle-store.ts';
import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import { type Database, insertSql, type Row } from './database.ts';
import { deleteBatch } from './delete-batch.ts';

interface CounterRow {
  attempts: number;
  previous_at: number | null;
}

const TABLE = 'throttle_counters';

/** Over, or counted by a clock that was wrong: it would make people wait until that time comes. */
const isOver = (table: string, now: string): string =>
  `${table}ends_at <= ${now} or ${table}last_at > ${now} + ${CLOCK_SKEW_MS}`;
const STANDARD_OVER = isOver(`${TABLE}.`, 'excluded.last_at');
const MARIADB_OVER = isOver('', 'values(last_at)');

/** One statement on the row that may be there, so that parallel attempts queue up at its lock. */
const STANDARD_UPSERT =
  'on conflict (id) do update set ' +
  `attempts = case when ${STANDARD_OVER} then 1 else ${TABLE}.attempts + 1 end, ` +
  `previous_at = case when ${STANDARD_OVER} then null else ${TABLE}.last_at end, ` +
  'last_at = excluded.last_at, ends_at = excluded.ends_at returning attempts, previous_at';

/** MariaDB assigns from left to right, so what the expressions read must come last. */
const MARIADB_UPSERT =
  'on duplicate key update ' +
  `attempts = if(${MARIADB_OVER}, 1, attempts + 1), ` +
  `previous_at = if(${MARIADB_OVER}, null, last_at), ` +
  'last_at = values(last_at), ends_at = values(ends_at)';

export function createThrottleStore({ database }: { database: Database }): ThrottleStore {
  async function upsert(row: Row): Promise<CounterRow | undefined> {
    const insert = insertSql(TABLE, row);
    if (database.dialect !== 'mariadb') {
      return (await database.rows<CounterRow>(`${insert} ${STANDARD_UPSERT}`, Object.values(row)))[0];
    }
    return database.transaction(async (tx) => {
      await tx.affected(`${insert} ${MARIADB_UPSERT}`, Object.values(row));
      const sql = `select attempts, previous_at from ${TABLE} where id = ?`;
      return (await tx.rows<CounterRow>(sql, [row.id ?? null]))[0];
    });
  }

  return {
    async hit(key, windowSeconds, nowMs) {
      const endsAt = nowMs + windowSeconds * 1000;
      const row = await upsert({ id: key, attempts: 1, previous_at: null, last_at: nowMs, ends_at: endsAt });
      if (!row) throw new Error('the counter was not written');
      return { attempts: row.attempts, previousAtMs: row.previous_at };
    },

    async peek(key, nowMs) {
      // Seen from an attempt that was not counted, the one before it is the last that was.
      const sql = `select attempts, last_at from ${TABLE} where id = ? and ends_at > ? and last_at <= ?`;
      const values = [key, nowMs, nowMs + CLOCK_SKEW_MS];
      const [row] = await database.rows<{ attempts: number; last_at: number }>(sql, values);
      return row ? { attempts: row.attempts, previousAtMs: row.last_at } : null;
    },

    async reset(key) {
      await database.affected(`delete from ${TABLE} where id = ?`, [key]);
    },

    purge: (nowMs, limit) =>
      deleteBatch(database, { table: TABLE, key: ['id'], column: 'ends_at', before: nowMs + 1, limit }),
  };
}
