import type { LimitQuota } from '../limits/limit-rule.ts';

/** How the caller proved who it is. */
export type CredentialMethod = 'api_key' | 'access_token' | 'login' | 'session';

/** Who a credential stands for. Times are seconds since the epoch. */
export interface Principal {
  method: CredentialMethod;
  /** An account id, or a client id for a client acting by itself. */
  subject: string;
  subjectType: 'user' | 'client';
  clientId: string | null;
  keyId: string | null;
  namespace: string | null;
  environment: string | null;
  /** As granted and still held by the owner; `expandScopes` tells what they include. */
  scopes: readonly string[];
  /** Resource server identifiers; null for credentials that name none (API keys, sessions). */
  audience: string | null;
  issuedAt: number | null;
  expiresAt: number | null;
  /** `ses_…` of a login, or null. */
  sessionId: string | null;
  /** RFC 7800: the key that the caller must have proved to hold. */
  confirmation: { jkt?: string; x5tS256?: string } | null;
  /** It is good from some addresses only; whoever asks again from elsewhere may be told otherwise. */
  addressBound: boolean;
  /** The key's own limit. */
  limit: LimitQuota | null;
  /** The old secret of a rotated key was used; it works until then (milliseconds). */
  oldSecretEndsAt: number | null;
}

/** Why not. The caller sees less: see `endpoints/api`. */
export type RefusalReason =
  | 'malformed'
  | 'unknown'
  | 'wrong-secret'
  | 'expired'
  | 'revoked'
  | 'suspended'
  | 'owner-disabled'
  | 'address-not-allowed'
  | 'not-bound'
  | 'ended';

export type Resolution =
  /** `readAtMs`: the stores were read at this time; the answer is that old. */
  | { kind: 'resolved'; principal: Principal; readAtMs: number }
  | {
      kind: 'refused';
      reason: RefusalReason;
      /** What the text looked like. */
      method: CredentialMethod;
      /** Known when the refused credential is a known one. */
      keyId: string | null;
      ownerId: string | null;
      environment: string | null;
    };
