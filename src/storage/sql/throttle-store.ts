import {
  type Counter,
  type CounterState,
  isWorn,
  type Settlement,
  type ThrottleStore,
  waitOf,
} from '../../domain/limits/throttle-store.ts';
import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import { type Database, insertSql, marks, type Row, type Value } from './database.ts';
import { deleteBatch } from './delete-batch.ts';
import type { Dialect } from './dialect.ts';

interface CounterRow {
  id: string;
  attempts: number;
  previous_at: number | null;
  last_at: number;
  ends_at: number;
}

const TABLE = 'throttle_counters';
const COLUMNS = 'id, attempts, previous_at, last_at, ends_at';

/** The row that a first attempt makes. That of an even counter has no attempts, and says how far ahead it may be. */
function firstRow(counter: Counter, nowMs: number): Row {
  const common = { id: counter.id, last_at: nowMs };
  if (counter.kind === 'growing') {
    return { ...common, attempts: 1, previous_at: null, ends_at: nowMs + counter.windowMs };
  }
  const { capacity, intervalMs } = counter;
  return { ...common, attempts: 0, previous_at: nowMs + capacity * intervalMs, ends_at: nowMs + intervalMs };
}

/**
 * One statement on the rows that may be there, so that parallel attempts queue up at their locks. An even counter goes on from
 * where it is, if that is no further ahead than it can be.
 */
function upsertClause(dialect: Dialect): string {
  const mariadb = dialect === 'mariadb';
  const old = (name: string): string => (mariadb ? name : `${TABLE}.${name}`);
  const given = (name: string): string => (mariadb ? `values(${name})` : `excluded.${name}`);
  const [least, greatest] = dialect === 'sqlite' ? ['min', 'max'] : ['least', 'greatest'];
  const [now, over] = [
    given('last_at'),
    `${old('ends_at')} <= ${given('last_at')} or ${old('last_at')} > ${given('last_at')} + ${CLOCK_SKEW_MS}`,
  ];
  const full = given('previous_at');
  const start =
    `case when ${old('ends_at')} > ${full} + ${given('ends_at')} - ${now} + ${CLOCK_SKEW_MS} then ${now} ` +
    `else ${least}(${greatest}(${old('ends_at')}, ${now}), ${full}) end`;
  const set = [
    `attempts = case when ${given('attempts')} = 0 then 0 when ${over} then 1 else ${old('attempts')} + 1 end`,
    `previous_at = case when ${given('attempts')} = 0 or ${over} then null else ${old('last_at')} end`,
    `last_at = ${now}`,
    // Last, because MariaDB assigns from left to right and the others read what it was.
    `ends_at = case when ${given('attempts')} = 0 then ${start} + ${given('ends_at')} - ${now} else ${given('ends_at')} end`,
  ].join(', ');
  return mariadb ? `on duplicate key update ${set}` : `on conflict (id) do update set ${set} returning ${COLUMNS}`;
}

export function createThrottleStore({ database }: { database: Database }): ThrottleStore {
  const clause = upsertClause(database.dialect);

  async function count(counters: readonly Counter[], nowMs: number): Promise<CounterRow[]> {
    // Always in the same order, or two attempts could wait for each other.
    const rows = counters
      .map((counter) => firstRow(counter, nowMs))
      .sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
    const sql = `${insertSql(TABLE, rows[0] as Row, rows.length)} ${clause}`;
    const values = rows.flatMap((row) => Object.values(row));
    if (database.dialect !== 'mariadb') return database.rows<CounterRow>(sql, values);
    return database.transaction(async (tx) => {
      await tx.affected(sql, values);
      return tx.rows<CounterRow>(`select ${COLUMNS} from ${TABLE} where id in (${marks(rows.length)})`, rows.map(idOf));
    });
  }

  /** The waits of those that came together and were counted, though others were before them. */
  function late(counters: readonly Counter[], rows: readonly CounterRow[], nowMs: number): number[] {
    const before = counters.map(({ id }): CounterState | null => {
      const row = rows.find((one) => one.id === id);
      if (!row) throw new Error('the counter was not written');
      const attempts = Math.max(0, row.attempts - 1);
      return { attempts, lastAt: row.previous_at ?? 0, endsAt: row.ends_at };
    });
    const worn = isWorn(counters, before, nowMs);
    return counters.map((counter, index) => {
      const state = before[index] as CounterState;
      if (counter.kind === 'growing') return waitOf(counter, state, worn, nowMs);
      const capacity = worn ? counter.wornCapacity : counter.capacity;
      return Math.max(0, state.endsAt - nowMs - capacity * counter.intervalMs);
    });
  }

  async function settle(counters: readonly Counter[], how: Settlement, takenAtMs: number): Promise<void> {
    if (counters.length === 0) return;
    const even = counters.filter((counter) => counter.kind === 'even');
    const growing = counters.filter((counter) => counter.kind === 'growing');
    const ends = [
      ...even.map(({ id, intervalMs }): [string, Value[]] => ['when ? then ends_at - ?', [id, intervalMs]]),
      ...(how === 'forget' ? growing : []).map(({ id }): [string, Value[]] => ['when ? then 0', [id]]),
    ];
    const back = how === 'give-back' ? growing.map(idOf) : [];
    const set: [string, Value[]][] = [];
    if (ends.length > 0) {
      set.push([
        `ends_at = case id ${ends.map(([sql]) => sql).join(' ')} else ends_at end`,
        ends.flatMap(([, v]) => v),
      ]);
    }
    if (back.length > 0) {
      const own = `id in (${marks(back.length)}) and attempts > 0`;
      // Nobody came after it: then the attempt before it is the last one again.
      set.push([
        `last_at = case when ${own} and last_at = ? then coalesce(previous_at, 0) else last_at end`,
        [...back, takenAtMs],
      ]);
      set.push([`attempts = case when ${own} then attempts - 1 else attempts end`, back]);
    }
    // In the order in which others take them.
    const sql = `update ${TABLE} set ${set.map(([one]) => one).join(', ')} where id in (${marks(counters.length)})`;
    await database.affected(sql, [...set.flatMap(([, values]) => values), ...counters.map(idOf).sort()]);
  }

  return {
    async take(taken, nowMs) {
      const counters = taken.flatMap((group) => group.counters);
      const ids = counters.map(idOf);
      // What must wait anyway is not written, or an attacker could keep the owner waiting for ever.
      const found = await database.rows<CounterRow>(
        `select ${COLUMNS} from ${TABLE} where id in (${marks(ids.length)})`,
        ids,
      );
      const states = ids.map((id): CounterState | null => {
        const row = found.find((one) => one.id === id);
        return row ? { attempts: row.attempts, lastAt: row.last_at, endsAt: row.ends_at } : null;
      });
      const worn = isWorn(counters, states, nowMs);
      const waits = counters.map((counter, index) => waitOf(counter, states[index] ?? null, worn, nowMs));
      if (waits.some((wait) => wait > 0)) return waits;

      const lateWaits = late(counters, await count(counters, nowMs), nowMs);
      if (lateWaits.some((wait) => wait > 0)) {
        const passed = counters.filter((_, index) => lateWaits[index] === 0);
        await settle(passed, 'give-back', nowMs);
      }
      return lateWaits;
    },

    settle: (taken, how, takenAtMs) =>
      settle(
        taken.flatMap((group) => group.counters),
        how,
        takenAtMs,
      ),

    purge: (nowMs, limit) =>
      deleteBatch(database, { table: TABLE, key: ['id'], column: 'ends_at', before: nowMs + 1, limit }),
  };
}

const idOf = ({ id }: { id: string } | Row): string => String(id);
