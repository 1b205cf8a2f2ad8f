import type { AuthenticatedTable, RowFacts } from './row-macs.ts';

/** A row as it stands in its table, whether it may be used or not. */
export interface AuthenticatedRow {
  /** The values of its primary key. */
  key: readonly string[];
  facts: RowFacts;
  rowMac: string | undefined;
}

/** The rows that authorize, for those who put MACs on them or look for changed ones. */
export interface RowMacStore {
  /** In the order of their keys, those after `after`; at most `limit`. */
  list(table: AuthenticatedTable, after: readonly string[] | null, limit: number): Promise<AuthenticatedRow[]>;
  /** Puts a MAC on a row that still has the one given as `from`; false when it has another by now. */
  replace(table: AuthenticatedTable, key: readonly string[], from: string | undefined, to: string): Promise<boolean>;
}
