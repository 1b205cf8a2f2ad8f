import type { Account } from '../accounts/account.ts';
import type { IdempotentRequest, InsertOutcome } from '../idempotency/idempotent-request.ts';
import type { ApiKey } from './api-key.ts';

export interface KeyWithOwner {
  key: ApiKey;
  owner: Account;
}

/** What made a key and its secrets. */
export type MadeKey = Pick<ApiKey, 'id' | 'createdBy' | 'rotatedBy' | 'previousBy' | 'revokedAt' | 'suspendedAt'>;

export interface ApiKeyStore {
  /** The key, and in the same transaction the request that asked for it. The caller generates the id. */
  insert(key: ApiKey, request?: IdempotentRequest): Promise<InsertOutcome>;
  /**
   * The same for a key that another one makes, and only while that one still is of this version: nothing is inserted after a
   * change of the maker, and what was inserted before is seen by everything that happens after the change.
   */
  insertMade(
    key: ApiKey,
    maker: Pick<ApiKey, 'id' | 'version'>,
    request?: IdempotentRequest,
  ): Promise<InsertOutcome | { kind: 'maker-changed' }>;
  /** Inserts all whose id and imported digest are new, in one transaction; returns the ids that were inserted. At most 1,000. */
  insertMany(keys: readonly ApiKey[]): Promise<string[]>;
  /** One indexed statement, whatever the number of keys. */
  find(id: string): Promise<KeyWithOwner | null>;
  findImported(importedDigest: string): Promise<KeyWithOwner | null>;
  /** Those that there are, in one statement and in any order. At most 256 digests. */
  findManyImported(importedDigests: readonly string[]): Promise<KeyWithOwner[]>;
  /** Whether any imported key exists: where none does, no foreign text is worth a look. */
  hasImported(): Promise<boolean>;
  /** Newest first (`createdAt`, then id, descending), revoked ones included. `after` is the last key of the page before. */
  list(page: {
    ownerId: string;
    environment?: string;
    after?: { createdAt: number; id: string };
    limit: number;
  }): Promise<ApiKey[]>;
  /** Keys of the owner in this environment, revoked or not, with this namespace; at most `limit`. */
  listOfNamespace(ownerId: string, environment: string, namespace: string, limit: number): Promise<ApiKey[]>;
  /** Keys of the owner that are neither revoked nor expired. */
  countLive(ownerId: string, nowMs: number): Promise<number>;
  /**
   * The owner's keys, revoked ones included, that were made by something else than the owner in person, or have a secret that was.
   * In no order.
   */
  listMadeByOthers(ownerId: string): Promise<MadeKey[]>;
  /** When each of the owner's keys was last used, by id; those never used are not in it. */
  lastUses(ownerId: string): Promise<ReadonlyMap<string, number>>;
  /**
   * Replaces everything that a caller may change and counts `version` up, if it still is `key.version`; false otherwise.
   * Leaves the use counters (`lastUsedAt`, `previousUses`, `previousUsedAt`) alone.
   */
  update(key: ApiKey): Promise<boolean>;
  /** The same, and in the same transaction the request that asked for it. `taken`: the version is another one by now. */
  updateOnce(key: ApiKey, request: IdempotentRequest): Promise<InsertOutcome>;
  /** An update by another key, which counts only while that one still is of this version: see `insertMade`. */
  updateMade(
    key: ApiKey,
    maker: Pick<ApiKey, 'id' | 'version'>,
    request?: IdempotentRequest,
  ): Promise<InsertOutcome | { kind: 'maker-changed' }>;
  /** Live keys that expire before `beforeMs` and were not warned about at `days` or nearer; ordered by expiry. */
  listExpiring(beforeMs: number, nowMs: number, days: number, limit: number): Promise<ApiKey[]>;
  /** False when it was warned about at `days` or nearer already. Leaves `version` alone. */
  markWarned(id: string, days: number): Promise<boolean>;
}
