import type { TokenKind, TokenRecord } from './token-record.ts';

/**
 * One generic record store for everything the OAuth engine persists. Backends: SQL (all kinds), Redis (short-lived kinds).
 * Expired records may still be returned: whoever reads decides with its clock; `purge` removes them later.
 * Methods on one record are atomic. Those that remove many work through them in order, SQL before Redis, so that what could
 * mint a token goes first; called again after a failure they finish the rest. All throw StoreUnavailableError when the store
 * cannot be reached; only when it went away at the very end may the change have happened.
 */
export interface TokenStore {
  /** Insert-if-absent. False when (kind, id) exists already, expired or not; the stored record is then untouched. */
  insert(record: TokenRecord): Promise<boolean>;
  /** Insert, or replace payload, references and expiry; `createdAt`, `consumedAt` and `receipt` of an existing record stay. */
  save(record: TokenRecord): Promise<void>;
  /**
   * Replaces what `save` replaces, but only of a record that exists: what was removed meanwhile stays removed. With `consumeAtMs`
   * only of one that was not used before, and marks it as used. False when nothing was changed.
   */
  update(record: TokenRecord, use?: { consumeAtMs: number }): Promise<boolean>;
  find(kind: TokenKind, id: string): Promise<TokenRecord | null>;
  /** Several lookups in one statement; the result has the found ones only, in any order. */
  findMany(keys: readonly { kind: TokenKind; id: string }[]): Promise<TokenRecord[]>;
  /** All sessions with this uid, newest first. */
  findByUid(uid: string): Promise<TokenRecord[]>;
  findByUserCode(userCode: string): Promise<TokenRecord | null>;
  /** Marks as used, exactly once: false when it was used before or does not exist. `atMs` is milliseconds since the epoch. */
  consume(kind: TokenKind, id: string, atMs: number): Promise<boolean>;
  /** False when there was nothing to remove, so exactly one of several concurrent removers is told true. */
  remove(kind: TokenKind, id: string): Promise<boolean>;
  /** Removes every record of the grant; the Grant itself only when `grantKey` (its digest) is given. */
  removeByGrant(grantId: string, grantKey?: string): Promise<void>;
  /**
   * Removes the codes and grants that end with this sign-in (those with its uid), and all that hangs on them; of one client when
   * it is given. Returns the ids of the grants.
   */
  removeBySession(uid: string, clientId?: string): Promise<string[]>;
  /** Removes every record of the account: sessions, grants and all that hangs on them. Returns the ids of its grants. */
  removeByAccount(accountId: string): Promise<string[]>;
  removeByClient(clientId: string): Promise<string[]>;
  /** Deletes at most `limit` records that expired before `nowSeconds`; returns how many. */
  purge(nowSeconds: number, limit: number): Promise<number>;
}

/** The part that only the durable store offers: a single-use record and all it produces change together, or not at all. */
export interface DurableTokenStore extends TokenStore {
  /** Records of one durable kind, newest first, expired ones included; at most `limit`. */
  listByAccount(kind: TokenKind, accountId: string, limit: number): Promise<TokenRecord[]>;
  /**
   * Atomically consumes `consume` (when given) and inserts `inserts`. False when the record was used before or is gone:
   * then nothing was inserted. `receipt` is stored on the consumed record. Throws when the id of an insert exists.
   */
  commit(change: TokenCommit): Promise<boolean>;
  /** Drops receipts of records consumed before the first instant or after the second, at most `limit`; returns how many. */
  clearReceipts(outsideMs: readonly [number, number], limit: number): Promise<number>;
}

export interface TokenCommit {
  consume?: { kind: TokenKind; id: string; atMs: number; receipt?: string };
  inserts: readonly TokenRecord[];
}
