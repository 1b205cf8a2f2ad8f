import type { LimitCounter } from '../../domain/limits/limit-rule.ts';
import { believedAhead, cellOf, hasRoom, SKEW_US } from '../cell-rate.ts';
import type { Statements } from './database.ts';
import type { Dialect } from './dialect.ts';

export const TABLE = 'rate_limits';

/**
 * The database's own clock in microseconds, read when the row is there: of those that wait for it each must see a later time than the
 * one before, or the last would be refused for the time it waited. SQLite's has milliseconds.
 */
export const NOW: Record<Dialect, string> = {
  sqlite: "(cast(round(unixepoch('subsec') * 1000) as integer) * 1000)",
  postgres: '(extract(epoch from clock_timestamp()) * 1000000)::bigint',
  mariadb: 'cast(unix_timestamp(sysdate(6)) * 1000000 as signed)',
};

/**
 * The later of when the counter is full and now. No counter is further ahead than its capacity (the second `?`), and one that is
 * beyond what clocks may differ by (the first) is not believed: see `believedAhead`.
 */
const START: Record<Dialect, string> = {
  sqlite: startOf(`${TABLE}.arrives_at`, NOW.sqlite, ['min', 'max']),
  postgres: startOf(`${TABLE}.arrives_at`, NOW.postgres, ['least', 'greatest']),
  mariadb: startOf('arrives_at', NOW.mariadb, ['least', 'greatest']),
};

function startOf(at: string, now: string, [least, greatest]: [string, string]): string {
  return `case when ${at} > ${now} + ? then ${now} else ${least}(${greatest}(${at}, ${now}), ${now} + ?) end`;
}

/** Takes one from a counter, at once; how far ahead it then is, or null when it is empty. */
export type TakeOne = (statements: Statements, counter: LimitCounter) => Promise<number | null>;

export const takeOneOf = (dialect: Dialect): TakeOne =>
  dialect === 'mariadb' ? takeOneInMariadb : takeOneFrom(dialect);

function takeOneFrom(dialect: 'sqlite' | 'postgres'): TakeOne {
  const [now, start] = [NOW[dialect], START[dialect]];
  const sql =
    `insert into ${TABLE} (id, arrives_at) values (?, ${now} + ?) ` +
    `on conflict (id) do update set arrives_at = (${start}) + ? where (${start}) + ? - ${now} <= ? ` +
    `returning arrives_at - ${now} as ahead`;
  return async (statements, counter) => {
    const { interval, capacity } = cellOf(counter);
    const start = [capacity + SKEW_US, capacity];
    const values = [counter.id, interval, ...start, interval, ...start, interval, capacity];
    const [row] = await statements.rows<{ ahead: number }>(sql, values);
    return row ? row.ahead : null;
  };
}

const ATTEMPTS = 3;

/**
 * MariaDB's upsert has no condition and tells nothing of the row, so it only makes a row that is not there: a full counter,
 * which the update then takes from.
 */
const takeOneInMariadb: TakeOne = async (statements, counter) => {
  const cell = cellOf(counter);
  const { interval, capacity } = cell;
  const bounds = [capacity + SKEW_US, capacity];
  const [now, start] = [NOW.mariadb, START.mariadb];
  const update = `update ${TABLE} set arrives_at = (${start}) + ? where id = ? and (${start}) + ? - ${now} <= ?`;
  const select = `select arrives_at - ${now} as ahead from ${TABLE} where id = ?`;
  const insert = `insert into ${TABLE} (id, arrives_at) values (?, 0) on duplicate key update id = id`;
  for (let tried = 0; tried < ATTEMPTS; tried += 1) {
    const took = await statements.affected(update, [...bounds, interval, counter.id, ...bounds, interval, capacity]);
    const [row] = await statements.rows<{ ahead: number }>(select, [counter.id]);
    if (row && took === 1) return Math.max(0, row.ahead);
    if (row && !hasRoom(cell, believedAhead(cell, row.ahead))) return null;
    // It is not there yet, or came to be, or got room, only after the update had looked: once more.
    if (!row) await statements.affected(insert, [counter.id]);
  }
  return null;
};
