/** How long a request is known again, in milliseconds. */
export const IDEMPOTENT_LIFE_MS = 24 * 3_600_000;

/**
 * A creation that was asked for under an `Idempotency-Key`: stored in one transaction with what it created, so that of any
 * number of identical requests one creates and the others are told the same.
 */
export interface IdempotentRequest {
  /** Keyed digest of the caller, the operation and the Idempotency-Key. */
  id: string;
  /** Keyed digest of the request's content: another content under the same key is an error. */
  fingerprint: string;
  /** What the first answer said, sealed under a key that needs the Idempotency-Key: a dump opens none of it. */
  sealedAnswer: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  expiresAt: number;
}

/** What became of an insert that may be a repetition. `taken`: a unique value of the record exists already. */
export type InsertOutcome = { kind: 'inserted' } | { kind: 'taken' } | { kind: 'repeated'; first: IdempotentRequest };

export interface IdempotentRequestStore {
  find(id: string): Promise<IdempotentRequest | null>;
  /**
   * Deletes at most `limit` that expired before `nowMs`; returns how many. None is known for longer than IDEMPOTENT_LIFE_MS: one
   * that a wrong clock wrote ends so long after now.
   */
  purge(nowMs: number, limit: number): Promise<number>;
}
