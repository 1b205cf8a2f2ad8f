/**
 * A user's own key for a third-party provider. Envelope encryption: every version has a data key of its own, which is wrapped
 * under the key-encryption ring.
 */
export interface ProviderKey {
  /** `pvk_…` */
  id: string;
  ownerId: string;
  /** A name of the configured list: `openai`. */
  provider: string;
  label: string;
  /** Counts how often the value was sealed, with every change of value or label. Bound to the ciphertext. */
  version: number;
  /** The value under the data key, the data key under the ring; see envelope.ts. */
  sealedValue: string;
  wrappedKey: string;
  /** The id of the ring's key that wrapped it: what is still under an old one can be counted. */
  wrappedBy: string;
  /** What may be shown: `sk-…wxyz`. */
  mask: string;
  /** Keyed digest, the same for the same value of one owner; tells duplicates, opens nothing. */
  fingerprint: string;
  /** The one that serves when none is named; exactly one of an owner's keys for a provider. */
  isDefault: boolean;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** When the value was last replaced. */
  updatedAt: number;
  lastUsedAt: number | null;
}
