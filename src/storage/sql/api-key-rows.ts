import type { ApiKey } from '../../domain/api-keys/api-key.ts';
import type { Stored } from '../../domain/row-macs/row-macs.ts';
import type { Value } from './database.ts';
import { fromJson } from './json.ts';
import { storedMac } from './stored-mac.ts';

export interface ApiKeyRow {
  id: string;
  owner_id: string;
  name: string;
  environment: string;
  prefix: string;
  last_four: string;
  current_mac: string | null;
  current_pepper_id: string | null;
  previous_mac: string | null;
  previous_pepper_id: string | null;
  previous_ends_at: number | null;
  imported_digest: string | null;
  imported_ends_at: number | null;
  scopes: string;
  allowed_addresses: string;
  namespace: string;
  limit_quota: number | null;
  limit_window_seconds: number | null;
  created_by: string;
  created_at: number;
  updated_at: number;
  expires_at: number | null;
  revoked_at: number | null;
  revoke_reason: string | null;
  suspended_at: number | null;
  rotated_at: number | null;
  rotated_by: string | null;
  previous_by: string | null;
  last_used_at: number | null;
  previous_uses: number;
  previous_used_at: number | null;
  warned_days: number | null;
  version: number;
  row_mac: string | null;
}

export const API_KEY_COLUMNS = [
  'id',
  'owner_id',
  'name',
  'environment',
  'prefix',
  'last_four',
  'current_mac',
  'current_pepper_id',
  'previous_mac',
  'previous_pepper_id',
  'previous_ends_at',
  'imported_digest',
  'imported_ends_at',
  'scopes',
  'allowed_addresses',
  'namespace',
  'limit_quota',
  'limit_window_seconds',
  'created_by',
  'created_at',
  'updated_at',
  'expires_at',
  'revoked_at',
  'revoke_reason',
  'suspended_at',
  'rotated_at',
  'rotated_by',
  'previous_by',
  'last_used_at',
  'previous_uses',
  'previous_used_at',
  'warned_days',
  'version',
  'row_mac',
] as const satisfies readonly (keyof ApiKeyRow)[];

export const toApiKeyRow = (key: Stored<ApiKey>): Record<keyof ApiKeyRow, Value> => ({
  id: key.id,
  owner_id: key.ownerId,
  name: key.name,
  environment: key.environment,
  prefix: key.prefix,
  last_four: key.lastFour,
  current_mac: key.current?.mac ?? null,
  current_pepper_id: key.current?.pepperId ?? null,
  previous_mac: key.previous?.mac ?? null,
  previous_pepper_id: key.previous?.pepperId ?? null,
  previous_ends_at: key.previous?.endsAt ?? null,
  imported_digest: key.importedDigest,
  imported_ends_at: key.importedEndsAt,
  scopes: JSON.stringify(key.scopes),
  allowed_addresses: JSON.stringify(key.allowedAddresses),
  namespace: key.namespace,
  limit_quota: key.limit?.quota ?? null,
  limit_window_seconds: key.limit?.windowSeconds ?? null,
  created_by: key.createdBy,
  created_at: key.createdAt,
  updated_at: key.updatedAt,
  expires_at: key.expiresAt,
  revoked_at: key.revokedAt,
  revoke_reason: key.revokeReason,
  suspended_at: key.suspendedAt,
  rotated_at: key.rotatedAt,
  rotated_by: key.rotatedBy,
  previous_by: key.previousBy,
  last_used_at: key.lastUsedAt,
  previous_uses: key.previousUses,
  previous_used_at: key.previousUsedAt,
  warned_days: key.warnedDays,
  version: key.version,
  row_mac: key.rowMac ?? null,
});

export const toApiKey = (row: ApiKeyRow): Stored<ApiKey> => ({
  id: row.id,
  ownerId: row.owner_id,
  name: row.name,
  environment: row.environment,
  prefix: row.prefix,
  lastFour: row.last_four,
  current:
    row.current_mac === null || row.current_pepper_id === null
      ? null
      : { mac: row.current_mac, pepperId: row.current_pepper_id },
  previous:
    row.previous_mac === null || row.previous_pepper_id === null || row.previous_ends_at === null
      ? null
      : { mac: row.previous_mac, pepperId: row.previous_pepper_id, endsAt: row.previous_ends_at },
  importedDigest: row.imported_digest,
  importedEndsAt: row.imported_ends_at,
  scopes: fromJson(row.scopes),
  allowedAddresses: fromJson(row.allowed_addresses),
  namespace: row.namespace,
  limit:
    row.limit_quota === null || row.limit_window_seconds === null
      ? null
      : { quota: row.limit_quota, windowSeconds: row.limit_window_seconds },
  createdBy: row.created_by,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
  revokeReason: row.revoke_reason,
  suspendedAt: row.suspended_at,
  rotatedAt: row.rotated_at,
  rotatedBy: row.rotated_by,
  previousBy: row.previous_by,
  lastUsedAt: row.last_used_at,
  previousUses: row.previous_uses,
  previousUsedAt: row.previous_used_at,
  warnedDays: row.warned_days,
  version: row.version,
  ...storedMac(row),
});
