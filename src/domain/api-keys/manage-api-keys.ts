import type { LimitQuota } from '../limits/limit-rule.ts';
import type { ApiKey } from './api-key.ts';

/** Who acts: the owner by a sign-in, one of the owner's keys, or an operator at the command line. */
export interface KeyActor {
  ownerId: string;
  /** The account, key or client id for `createdBy` and the audit trail; `operator` for the command line. */
  id: string;
  /** What the actor may hand on, already expanded; null for an operator: whatever the owner may have. */
  scopes: readonly string[] | null;
  /** The only environment it may touch; null for any. */
  environment: string | null;
  /** Set for an API key: it hands on no more than it has itself. */
  keyId: string | null;
  /** An app's token: it takes rights away, makes and widens nothing. */
  isApp: boolean;
  ip: string | null;
  requestId: string | null;
}

export interface NewApiKey {
  name: string;
  environment?: string | undefined;
  scopes?: readonly string[] | undefined;
  /** At most one of the two. Seconds since the epoch. */
  expiresInDays?: number | undefined;
  expiresAt?: number | undefined;
  allowedAddresses?: readonly string[] | undefined;
  /** A namespace of another key of the owner; a new one when left out. */
  namespace?: string | undefined;
  limit?: LimitQuota | undefined;
}

/** A key just made, with what is shown once. `repeated`: an earlier request under the same Idempotency-Key made it. */
export interface IssuedApiKey {
  key: ApiKey;
  secret: string;
  repeated: boolean;
}

/** An existing key of a product that moves here, by the digest the product kept of it. */
export interface ImportedApiKey {
  /** Account id or email. */
  owner: string;
  name: string;
  /** Hex or base64url. */
  digest: string;
  /** `hmac-sha256` under GATEHOUSE_IMPORT_HMAC_KEY. */
  algorithm: 'sha256' | 'hmac-sha256';
  environment?: string | undefined;
  scopes?: readonly string[] | undefined;
  prefix?: string | undefined;
  lastFour?: string | undefined;
  /** Seconds since the epoch. */
  expiresAt?: number | undefined;
  namespace?: string | undefined;
}

export type ImportOutcome = { line: number; id: string } | { line: number; problem: string };

/** A person's request made safe to repeat; see domain/idempotency. */
export interface Repeatable {
  idempotencyKey: string;
  /** What was asked, canonically, to recognise another request under the same key. */
  content: string;
}

export interface ManageApiKeys {
  /** Throws invalid_request naming the field, insufficient_scope, idempotency_mismatch. */
  issue(input: NewApiKey, actor: KeyActor, repeatable?: Repeatable): Promise<IssuedApiKey>;
  get(id: string, actor: KeyActor): Promise<ApiKey>;
  list(
    page: { environment?: string; after?: { createdAt: number; id: string }; limit: number },
    actor: KeyActor,
  ): Promise<ApiKey[]>;
  /** `change.limit: null` takes the key's own limit away. */
  update(
    id: string,
    change: Partial<Pick<ApiKey, 'name' | 'allowedAddresses' | 'limit'>>,
    actor: KeyActor,
  ): Promise<ApiKey>;
  /** Returns after the commit; every process refuses the key within the bound. Revoking again changes nothing. */
  revoke(id: string, reason: string, actor: KeyActor): Promise<ApiKey>;
  /**
   * The same, and what the key made ends too, and what that made, also when the key itself has ended before. `descendants` are those
   * that ended now.
   */
  revokeFamily(id: string, reason: string, actor: KeyActor): Promise<{ key: ApiKey; descendants: readonly ApiKey[] }>;
  /**
   * The id stays; the secret before works for `overlapSeconds` (0 to 7 days) more. While an overlap runs only 0 is taken, which ends
   * both secrets: nobody is cut off who was promised time. Throws conflict.
   */
  rotate(id: string, overlapSeconds: number, actor: KeyActor, repeatable?: Repeatable): Promise<IssuedApiKey>;
  /** Ends a suspension. */
  resume(id: string, actor: KeyActor): Promise<ApiKey>;
  /** By whoever shows the full key. What is not a live key is no news. */
  reportLeak(
    secret: string,
    report: { source: string | null; url: string | null; ip: string; requestId: string },
  ): Promise<'revoked' | 'suspended' | 'unknown'>;
  /** At most 1,000 a call; a bad line is named and the others are imported. */
  importMany(keys: readonly ImportedApiKey[]): Promise<ImportOutcome[]>;
}
