import type { IdempotentRequest, InsertOutcome } from '../idempotency/idempotent-request.ts';
import type { ProviderKey } from './provider-key.ts';

export interface ProviderKeyStore {
  /**
   * The owner's first key of a provider becomes its default, and one inserted as default takes over; in one transaction.
   * `taken`: the owner has a key of this provider with the same fingerprint. A request that was stored before goes first.
   */
  insert(key: ProviderKey, request?: IdempotentRequest): Promise<InsertOutcome>;
  find(ownerId: string, id: string): Promise<ProviderKey | null>;
  /** The owner's default for the provider. */
  findDefault(ownerId: string, provider: string): Promise<ProviderKey | null>;
  /** All of the owner's, ordered by provider, then id. */
  list(ownerId: string): Promise<ProviderKey[]>;
  /**
   * Replaces value, wrapping, mask, fingerprint and label if the version still is `before`; false otherwise, and also when the
   * owner has another key of the provider with the new fingerprint. Leaves provider, default and use as they are.
   */
  replace(key: ProviderKey, before: number): Promise<boolean>;
  /** Makes it the default in place of the one that is. False when it does not exist. */
  makeDefault(ownerId: string, id: string): Promise<boolean>;
  /** Deletes the row; when it was the default, the owner's oldest other key of the provider takes over. */
  remove(ownerId: string, id: string): Promise<boolean>;
  /** At most once a minute is worth a write: only moves forward. */
  touch(id: string, atMs: number): Promise<void>;
  /** Keys that are wrapped by another key than this one, whoever's they are, ordered by id, after `afterId`. */
  listWrappedByOthers(wrappedBy: string, afterId: string, limit: number): Promise<ProviderKey[]>;
  countWrappedByOthers(wrappedBy: string): Promise<number>;
  /** Replaces the wrapping if `wrappedKey` still is `from`; false otherwise. */
  rewrap(id: string, from: string, to: { wrappedKey: string; wrappedBy: string }): Promise<boolean>;
}
