import type { Repeatable } from '../api-keys/manage-api-keys.ts';
import type { ProviderKey } from './provider-key.ts';

/** A provider whose keys users may store. */
export interface Provider {
  /** `openai`; `[a-z0-9-]{1,32}` */
  name: string;
  /** `OpenAI` */
  title: string;
  /** The header it expects its key in, and what stands before the key: `Authorization`, `Bearer `. */
  header: string;
  scheme: string;
  /** Asked with the key when it is saved: 401 or 403 refuses it, no answer lets it pass unchecked. */
  checkUrl?: string;
  /** What the check needs besides the key: the version of the API, say. */
  checkHeaders?: Readonly<Record<string, string>>;
}

export interface VaultActor {
  ownerId: string;
  /** For the audit trail. */
  id: string;
  /** The only environment it may touch; null for any. The vault is of the usual one, and closed to what is confined to another. */
  environment: string | null;
  ip: string | null;
  requestId: string | null;
}

/** What may be shown of a key. `unreadable`: the ring no longer opens it, so its owner must enter it again. */
export interface ShownProviderKey extends Omit<ProviderKey, 'sealedValue' | 'wrappedKey' | 'wrappedBy' | 'ownerId'> {
  state: 'usable' | 'needs-re-entry';
}

export interface Vault {
  /** Throws invalid_request naming the fields, conflict, provider_key_refused, idempotency_mismatch. */
  add(
    input: { provider: string; value: string; label?: string; makeDefault?: boolean },
    actor: VaultActor,
    repeatable?: Repeatable,
  ): Promise<{ key: ShownProviderKey; checked: boolean }>;
  list(actor: VaultActor): Promise<ShownProviderKey[]>;
  get(id: string, actor: VaultActor): Promise<ShownProviderKey>;
  /** A new value, or a new label, or both. Throws conflict when another change came between. `checked`: a new value was. */
  update(
    id: string,
    change: { value?: string; label?: string },
    actor: VaultActor,
  ): Promise<{ key: ShownProviderKey; checked: boolean }>;
  makeDefault(id: string, actor: VaultActor): Promise<ShownProviderKey>;
  remove(id: string, actor: VaultActor): Promise<void>;
  /**
   * The value, for a resource server that acts for the owner. Audited before it is handed out; when that fails, refused.
   * Throws provider_key_missing, provider_key_unreadable, not_found (unknown provider).
   */
  use(
    request: { ownerId: string; provider: string; keyId?: string },
    by: { clientId: string; ip: string | null; requestId: string | null; credentialId: string | null },
  ): Promise<{ value: string; key: ShownProviderKey; provider: Provider }>;
  /** Passing on a key that came with the request is audited like a use. Throws not_found for an unknown provider. */
  passThrough(
    request: { ownerId: string; provider: string; value: string },
    by: { clientId: string; ip: string | null; requestId: string | null; credentialId: string | null },
  ): Promise<{ mask: string; fingerprint: string; provider: Provider }>;
  providers(): readonly Provider[];
}
