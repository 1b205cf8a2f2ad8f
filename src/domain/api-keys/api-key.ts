import type { LimitQuota } from '../limits/limit-rule.ts';

/** What is stored of a secret: its keyed digest and the id of the pepper (a data key) it was made with. */
export interface ApiKeyDigest {
  mac: string;
  pepperId: string;
}

/** A key of an account for the API. The full key is shown once and never stored. */
export interface ApiKey {
  /** `key_` and the public id that stands in the key itself; survives rotations. An imported key has one of its own. */
  id: string;
  /** The account it acts for. */
  ownerId: string;
  name: string;
  environment: string;
  /** How the key begins, up to the random part: `mem_live_`. For telling keys apart, as `lastFour`. */
  prefix: string;
  lastFour: string;
  /** Null for an imported key that was not rotated yet. */
  current: ApiKeyDigest | null;
  /** The secret before the last rotation, good until `endsAt` (milliseconds). An imported one is found by `importedDigest`. */
  previous: (ApiKeyDigest & { endsAt: number }) | null;
  /** Keyed digest of an imported key's own digest; unique. */
  importedDigest: string | null;
  /** When the imported form stops working, after a rotation; milliseconds, null while it works. */
  importedEndsAt: number | null;
  scopes: readonly string[];
  /** CIDR ranges or addresses; empty allows all. */
  allowedAddresses: readonly string[];
  /** `ns_…`: where the resource server keeps this key's data apart. Keys of one owner may share one. */
  namespace: string;
  /** Null: the limits of its method only. */
  limit: LimitQuota | null;
  /** The account or key that made it. */
  createdBy: string;
  /** Milliseconds since the epoch, as all times here. */
  createdAt: number;
  updatedAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  revokeReason: string | null;
  /** Refused until resumed: the mild answer to a reported leak. */
  suspendedAt: number | null;
  rotatedAt: number | null;
  /** The account or key that made the current secret by rotating the key; null before a rotation, and for those of older versions. */
  rotatedBy: string | null;
  /** The same of the secret in `previous`. */
  previousBy: string | null;
  lastUsedAt: number | null;
  /** How often and when last the secret before the rotation was used. */
  previousUses: number;
  previousUsedAt: number | null;
  /** The nearest expiry warning that was given, in days before the end; null for none. */
  warnedDays: number | null;
  /** Counts changes; an update names the one it read. */
  version: number;
}

export type ApiKeyState = 'active' | 'expired' | 'revoked' | 'suspended';

export function stateOf(key: Pick<ApiKey, 'revokedAt' | 'suspendedAt' | 'expiresAt'>, nowMs: number): ApiKeyState {
  if (key.revokedAt !== null) return 'revoked';
  if (key.suspendedAt !== null) return 'suspended';
  return key.expiresAt !== null && key.expiresAt <= nowMs ? 'expired' : 'active';
}
