import type { ProviderKey } from '../../domain/provider-keys/provider-key.ts';
import type { Row } from './database.ts';

export interface ProviderKeyRow {
  id: string;
  owner_id: string;
  provider: string;
  label: string;
  version: number;
  sealed_value: string;
  wrapped_key: string;
  wrapped_by: string;
  mask: string;
  fingerprint: string;
  default_of: string | null;
  created_at: number;
  updated_at: number;
  last_used_at: number | null;
}

export const PROVIDER_KEY_COLUMNS =
  'id, owner_id, provider, label, version, sealed_value, wrapped_key, wrapped_by, mask, fingerprint, default_of, ' +
  'created_at, updated_at, last_used_at';

/** Whether it is the default is decided beside it. */
export const toProviderKeyRow = (key: ProviderKey): Row => ({
  id: key.id,
  owner_id: key.ownerId,
  provider: key.provider,
  label: key.label,
  version: key.version,
  sealed_value: key.sealedValue,
  wrapped_key: key.wrappedKey,
  wrapped_by: key.wrappedBy,
  mask: key.mask,
  fingerprint: key.fingerprint,
  default_of: null,
  created_at: key.createdAt,
  updated_at: key.updatedAt,
  last_used_at: key.lastUsedAt,
});

export const toProviderKey = (row: ProviderKeyRow): ProviderKey => ({
  id: row.id,
  ownerId: row.owner_id,
  provider: row.provider,
  label: row.label,
  version: row.version,
  sealedValue: row.sealed_value,
  wrappedKey: row.wrapped_key,
  wrappedBy: row.wrapped_by,
  mask: row.mask,
  fingerprint: row.fingerprint,
  isDefault: row.default_of !== null,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  lastUsedAt: row.last_used_at,
});
