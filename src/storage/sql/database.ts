import { setTimeout as delay } from 'node:timers/promises';
import createKnex, { type Knex } from 'knex';
import { monotonicMs } from '../../kit/clock.ts';
import { requireTime } from '../../kit/request-budget.ts';
import type { Dialect } from './dialect.ts';
import { classify, isConnectionLost, isReadOnlyServer, translate, wasNotSent } from './failures.ts';
import { conditionOf } from './reasons.ts';

export type Value = string | number | boolean | null;
/** Column name to value. Names come from our code, never from a request. */
export type Row = Readonly<Record<string, Value>>;

/** Statements are written once for all dialects, with `?` for values. */
export interface Statements {
  rows<R>(sql: string, values: readonly Value[]): Promise<R[]>;
  /** Runs a change and returns how many rows it touched (MariaDB: matched). */
  affected(sql: string, values: readonly Value[]): Promise<number>;
  /**
   * All of the rows (of one shape) in one statement, or none: false when a row with one of their unique keys exists. Several rows not
   * in a transaction: PostgreSQL ends it when they meet one.
   */
  insertIfAbsent(table: string, row: Row, ...more: readonly Row[]): Promise<boolean>;
}

/** The one door to SQL: counts statements, translates driver errors, tries again after a deadlock. */
export interface Database extends Statements {
  readonly dialect: Dialect;
  /** Inserts, or on the same `keys` replaces the columns of `replace` and leaves the others as they are. */
  upsert(table: string, row: Row, keys: readonly string[], replace: readonly string[]): Promise<void>;
  /**
   * All or nothing. `work` must begin with a change, not a read: SQLite then waits for its turn, where a read would
   * let it fail later. It may run more than once. Rolls back when it throws.
   */
  transaction<T>(work: (tx: Statements) => Promise<T>): Promise<T>;
  /** The condition of the server that made it refuse a statement within the last so many milliseconds: `read-only`, `full`, … */
  refusedWithin(milliseconds: number): string | null;
  statementCount(): number;
  close(): Promise<void>;
}

const ATTEMPTS = 4;
const READS = /^select\b(?!.*\bfor update\b)/i;
/** Longer ago than this, the victim has waited for a lock rather than lost a deadlock: no second time. */
const RETRY_MS = 1000;

interface DatabaseInput {
  dialect: Dialect;
  config: Knex.Config;
  /** PostgreSQL: let the server keep the plans of our statements. */
  prepared?: boolean;
  /** A statement that begins each transaction, where limits cannot be set once for a connection. */
  limitsOfTransaction?: string;
  /** Throws while nothing may be read or written: see `watchSqliteFile`. Asked before each statement and again before its answer counts. */
  requireIntact?: () => void;
}

export function openDatabase({
  dialect,
  config,
  prepared = true,
  limitsOfTransaction,
  requireIntact = () => {},
}: DatabaseInput): Database & { knex: Knex } {
  const knex = createKnex(config);
  let statements = 0;
  knex.on('query', () => {
    statements += 1;
  });
  const failed = new WeakMap<object, string>();
  knex.on('query-error', (error: object, query: { sql: string }) => failed.set(error, query.sql));

  let lastRefusal: { condition: string; atMs: number } | null = null;

  const nameOf = prepared ? createStatementNames() : () => undefined;
  const direct = statementsOn(knex, dialect, nameOf);

  /** `isHarmless`: whether the work may be done again after the connection was lost, because it was not done. */
  async function attempt<T>(work: () => Promise<T>, isHarmless = wasNotSent): Promise<T> {
    for (let tried = 1, start = monotonicMs(); ; tried += 1) {
      requireTime();
      try {
        requireIntact();
        const result = await work();
        requireIntact();
        return result;
      } catch (error) {
        const waited = monotonicMs() - start > RETRY_MS;
        const again = classify(error) === 'conflict' || isReadOnlyServer(error) || isHarmless(error);
        if (tried === ATTEMPTS || waited || !again) {
          const condition = conditionOf(error);
          if (condition) lastRefusal = { condition, atMs: monotonicMs() };
          throw translate(error, failed);
        }
        // Apart from one another, so that two victims do not meet again; the noise of a fine timer is enough for that.
        await delay(tried * 10 + ((monotonicMs() * 1000) % 20));
      }
    }
  }

  return {
    dialect,
    knex,
    async rows(sql, values) {
      // PostgreSQL cannot hold NUL and refuses to be asked about it; what a caller looks for by such a value is not there.
      if (dialect === 'postgres' && values.some((value) => typeof value === 'string' && value.includes('\0')))
        return [];
      return attempt(() => direct.rows(sql, values), READS.test(sql) ? isConnectionLost : wasNotSent);
    },
    affected: (sql, values) => attempt(() => direct.affected(sql, values)),
    insertIfAbsent: (table, row, ...more) => attempt(() => direct.insertIfAbsent(table, row, ...more)),

    async upsert(table, row, keys, replace) {
      const clause =
        dialect === 'mariadb'
          ? `on duplicate key update ${replace.map((name) => `${name} = values(${name})`).join(', ')}`
          : `on conflict (${keys.join(', ')}) do update set ${replace.map((name) => `${name} = excluded.${name}`).join(', ')}`;
      await attempt(() => direct.affected(`${insertSql(table, row)} ${clause}`, Object.values(row)));
    },

    transaction(work) {
      let worked = false;
      const once = () =>
        knex.transaction(async (trx) => {
          worked = false;
          if (limitsOfTransaction !== undefined) await trx.raw(limitsOfTransaction);
          const result = await work(statementsOn(trx, dialect, nameOf));
          worked = true;
          return result;
        });
      // Before COMMIT was sent nothing is kept: the server drops the transaction of a connection that is lost.
      return attempt(once, (error) => (worked ? wasNotSent(error) : isConnectionLost(error)));
    },
    refusedWithin: (milliseconds) =>
      lastRefusal && monotonicMs() - lastRefusal.atMs < milliseconds ? lastRefusal.condition : null,
    statementCount: () => statements,
    close: () => knex.destroy(),
  };
}

export const insertSql = (table: string, row: Row, count = 1): string => {
  const columns = Object.keys(row);
  const values = Array(count).fill(`(${marks(columns.length)})`);
  return `insert into ${table} (${columns.join(', ')}) values ${values.join(', ')}`;
};

/** `?, ?, ?` */
export const marks = (count: number): string => Array(count).fill('?').join(', ');

/** More than the stores have; one with a varying number of values may come on top. */
const MOST_NAMES = 200;

/** The same name for the same statement, for as many as a server may be asked to keep. */
function createStatementNames(): (sql: string) => string | undefined {
  const names = new Map<string, string>();
  return (sql) => {
    let name = names.get(sql);
    if (name === undefined && names.size < MOST_NAMES) {
      name = `gatehouse_${names.size + 1}`;
      names.set(sql, name);
    }
    return name;
  };
}

interface MariadbResult {
  affectedRows: number;
}

function statementsOn(knex: Knex, dialect: Dialect, nameOf: (sql: string) => string | undefined): Statements {
  const statements = rawStatements(knex, dialect, nameOf);
  return {
    ...statements,
    async insertIfAbsent(table, row, ...more) {
      const count = 1 + more.length;
      const insert = insertSql(table, row, count);
      const values = [row, ...more].flatMap(Object.values);
      // Of several rows it would leave out those that exist and insert the others.
      if (dialect !== 'mariadb' && count === 1)
        return (await statements.affected(`${insert} on conflict do nothing`, values)) === count;
      // Not `insert ignore`: that also cuts values short and lets nulls pass.
      try {
        return (await statements.affected(insert, values)) === count;
      } catch (error) {
        if (classify(error) === 'duplicate') return false;
        throw error;
      }
    },
  };
}

function rawStatements(
  knex: Knex,
  dialect: Dialect,
  nameOf: (sql: string) => string | undefined,
): Omit<Statements, 'insertIfAbsent'> {
  const raw = (sql: string, values: readonly Value[]): Knex.Raw => {
    // Of a transaction each statement by itself: what was done is rolled back.
    requireTime();
    return knex.raw(sql, values as Value[]);
  };
  const named = (sql: string, values: readonly Value[]): Knex.Raw => {
    const name = nameOf(sql);
    return name === undefined ? raw(sql, values) : raw(sql, values).options({ name });
  };
  switch (dialect) {
    case 'sqlite':
      return {
        rows: async <R>(sql: string, values: readonly Value[]) => (await raw(sql, values)) as R[],
        // knex reads a raw statement's rows and drops its change count, so each changed row answers for itself.
        affected: async (sql, values) => ((await raw(`${sql} returning 1`, values)) as unknown[]).length,
      };
    case 'postgres':
      return {
        rows: async <R>(sql: string, values: readonly Value[]) => ((await named(sql, values)) as { rows: R[] }).rows,
        affected: async (sql, values) => ((await named(sql, values)) as { rowCount: number }).rowCount,
      };
    case 'mariadb':
      return {
        rows: async <R>(sql: string, values: readonly Value[]) => ((await raw(sql, values)) as [R[]])[0],
        affected: async (sql, values) => ((await raw(sql, values)) as [MariadbResult])[0].affectedRows,
      };
  }
}
