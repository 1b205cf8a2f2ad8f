import { constantTimeEqual, type Digester } from '../../kit/digest.ts';

/** Tables whose rows say who may do what. */
export const AUTHENTICATED_TABLES = [
  'accounts',
  'api_keys',
  'clients',
  'consents',
  'resource_servers',
  'token_records',
] as const;
export type AuthenticatedTable = (typeof AUTHENTICATED_TABLES)[number];

/** A record as a store gives it back: with its MAC, if it has one. */
export type Stored<Record> = Record & { rowMac?: string };

/**
 * Everything in a row that authorizes, its key included, in a fixed order. `undefined` stands for a column that cannot be read: no MAC
 * is right for it.
 */
export type RowFacts = readonly unknown[];

/**
 * The MAC of a row: an HMAC under a data key, so under GATEHOUSE_SECRETS. Someone who can write the database but lacks the secrets can
 * neither change what a row allows nor put the MAC of one row on another.
 */
export interface RowMacs {
  make(table: AuthenticatedTable, facts: RowFacts): string;
  /** Whether the row is as Gatehouse wrote it. Looks at nothing else: `accepts` is the decision. */
  isRight(table: AuthenticatedTable, facts: RowFacts, rowMac: string | undefined): boolean;
  /**
   * Whether the row may be used: it is as Gatehouse wrote it, or rows need no MAC yet (see row-window.ts). What is not accepted is
   * reported once; to everybody else such a row does not exist.
   */
  accepts(table: AuthenticatedTable, id: string, facts: RowFacts, rowMac: string | undefined): boolean;
}

const MAX_REPORTED = 10_000;

export function createRowMacs({
  digester,
  isClosed,
  onUnusable,
}: {
  digester: Digester;
  /** Whether every row needs its MAC; until then a row that an older version wrote counts. */
  isClosed: () => boolean;
  /** Called once for each row. */
  onUnusable: (table: AuthenticatedTable, id: string) => void;
}): RowMacs {
  const reported = new Set<string>();
  // A database keeps no half of a surrogate pair; in a JSON column it stands escaped.
  const asKept = (fact: unknown): unknown => (typeof fact === 'string' ? fact.toWellFormed() : fact);
  const make: RowMacs['make'] = (table, facts) => digester.digest(`row:${table}`, JSON.stringify(facts.map(asKept)));
  const isReadable = (facts: RowFacts): boolean => !facts.includes(undefined);

  function isRight(table: AuthenticatedTable, facts: RowFacts, rowMac: string | undefined): boolean {
    return rowMac !== undefined && isReadable(facts) && constantTimeEqual(make(table, facts), rowMac);
  }

  return {
    make,
    isRight,
    accepts(table, id, facts, rowMac) {
      if (isRight(table, facts, rowMac) || (!isClosed() && isReadable(facts))) return true;
      const name = `${table} ${id}`;
      if (!reported.has(name) && reported.size < MAX_REPORTED) {
        reported.add(name);
        onUnusable(table, id);
      }
      return false;
    },
  };
}

/** For the records of one table: puts MACs on what is written, and takes from what is read those that may not be used. */
export interface Authenticator<Record> {
  sealed(record: Record): Stored<Record>;
  /** Without its MAC; null for one that may not be used. */
  opened(stored: Stored<Record> | null): Record | null;
  openedAll(stored: readonly Stored<Record>[]): Record[];
}

export function createAuthenticator<Record extends object>({
  macs,
  table,
  idOf,
  factsOf,
}: {
  macs: RowMacs;
  table: AuthenticatedTable;
  idOf: (record: Record) => string;
  factsOf: (record: Record) => RowFacts;
}): Authenticator<Record> {
  function opened(stored: Stored<Record> | null): Record | null {
    if (stored === null) return null;
    const { rowMac, ...rest } = stored;
    const record = rest as unknown as Record;
    return macs.accepts(table, idOf(record), factsOf(record), rowMac) ? record : null;
  }
  return {
    sealed: (record) => ({ ...record, rowMac: macs.make(table, factsOf(record)) }),
    opened,
    openedAll: (stored) => stored.map(opened).filter((record) => record !== null),
  };
}

/** A page that is full although some of its rows may not be used: who reads on from a short page would miss what follows. */
export async function filledPage<Record, After, Page extends { after?: After; limit: number }>(
  page: Page,
  list: (page: Page) => Promise<Stored<Record>[]>,
  openedAll: (stored: readonly Stored<Record>[]) => Record[],
  afterOf: (last: Stored<Record>) => After,
): Promise<Record[]> {
  const records: Record[] = [];
  for (let next = page; ; ) {
    const stored = await list(next);
    records.push(...openedAll(stored));
    const last = stored.at(-1);
    if (last === undefined || stored.length < next.limit || records.length === page.limit) return records;
    next = { ...page, after: afterOf(last), limit: page.limit - records.length };
  }
}
