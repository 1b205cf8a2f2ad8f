import { needsMac } from '../tokens/authentic-tokens.ts';
import type { AuthenticatedRow, RowMacStore } from './row-mac-store.ts';
import { AUTHENTICATED_TABLES, type AuthenticatedTable, type RowMacs } from './row-macs.ts';

/** Read so many at a time. */
const BATCH = 500;

/** How many rows a table has without their right MAC, and the names of the first of them. */
export interface UnusableRows {
  table: AuthenticatedTable;
  count: number;
  /** At most 20. */
  ids: readonly string[];
}

const MOST_NAMED = 20;

/** Looks at every row that authorizes. Tables without a fault are left out. */
export async function findUnusableRows(store: RowMacStore, macs: RowMacs): Promise<UnusableRows[]> {
  const found: UnusableRows[] = [];
  for (const table of AUTHENTICATED_TABLES) {
    const ids: string[] = [];
    let count = 0;
    for await (const row of wrongRows(store, macs, table)) {
      count += 1;
      if (ids.length < MOST_NAMED) ids.push(row.key.join(' '));
    }
    if (count > 0) found.push({ table, count, ids });
  }
  return found;
}

/**
 * Puts the right MAC on every row that has none, as it is now; with `ids` on those rows only. Returns how many. Whoever changed a row
 * before is believed.
 */
export async function authenticateRows(
  store: RowMacStore,
  macs: RowMacs,
  { ids = null }: { ids?: ReadonlySet<string> | null } = {},
): Promise<number> {
  let done = 0;
  for (const table of AUTHENTICATED_TABLES) {
    for await (const { key, facts, rowMac } of wrongRows(store, macs, table)) {
      if (ids !== null && !ids.has(key.join(' '))) continue;
      // What nobody can read stays unusable.
      if (facts.includes(undefined)) continue;
      // A server that writes the row meanwhile has put its MAC on it.
      if (await store.replace(table, key, rowMac, macs.make(table, facts))) done += 1;
    }
  }
  return done;
}

async function* wrongRows(
  store: RowMacStore,
  macs: RowMacs,
  table: AuthenticatedTable,
): AsyncGenerator<AuthenticatedRow> {
  let after: readonly string[] | null = null;
  for (;;) {
    const rows: AuthenticatedRow[] = await store.list(table, after, BATCH);
    for (const row of rows) {
      if (table === 'token_records' && !needsMac(row.key[0] ?? '')) continue;
      if (!macs.isRight(table, row.facts, row.rowMac)) yield row;
    }
    after = rows.at(-1)?.key ?? null;
    if (after === null) return;
  }
}
