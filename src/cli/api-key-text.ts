import { type ApiKey, stateOf } from '../domain/api-keys/api-key.ts';
import type { IssuedApiKey } from '../domain/api-keys/manage-api-keys.ts';
import { fields, iso, isoOrNull, time } from './text.ts';

export const SHOWN_ONCE = `

The key is shown this once: the database keeps only a digest of it. Put it where it is used.`;

/** When the secret before the last rotation ends, or did: also that of an imported key. */
export const oldSecretEndsAt = ({ previous, importedEndsAt }: ApiKey): number | null =>
  previous?.endsAt ?? importedEndsAt;

/** An API key for --json: named one by one, so that no digest is ever among it. */
export const apiKeyRecord = (key: ApiKey, nowMs: number) => ({
  id: key.id,
  ownerId: key.ownerId,
  name: key.name,
  environment: key.environment,
  state: stateOf(key, nowMs),
  prefix: key.prefix,
  lastFour: key.lastFour,
  scopes: key.scopes,
  allowedAddresses: key.allowedAddresses,
  namespace: key.namespace,
  limit: key.limit,
  imported: key.importedDigest !== null,
  createdBy: key.createdBy,
  createdAt: iso(key.createdAt),
  expiresAt: isoOrNull(key.expiresAt),
  rotatedAt: isoOrNull(key.rotatedAt),
  rotatedBy: key.rotatedBy,
  oldSecretEndsAt: isoOrNull(oldSecretEndsAt(key)),
  lastUsedAt: isoOrNull(key.lastUsedAt),
  revokedAt: isoOrNull(key.revokedAt),
  revokeReason: key.revokeReason,
  suspendedAt: isoOrNull(key.suspendedAt),
});

export const issuedFields = ({ key, secret }: IssuedApiKey): string =>
  fields({
    id: key.id,
    key: secret,
    name: key.name,
    owner: key.ownerId,
    environment: key.environment,
    scopes: key.scopes.join(' ') || 'none',
    addresses: key.allowedAddresses.length > 0 ? key.allowedAddresses : 'any',
    namespace: key.namespace,
    limit: key.limit && `${key.limit.quota} in ${key.limit.windowSeconds} seconds`,
    expires: key.expiresAt === null ? 'never' : time(key.expiresAt),
  });

/** What tells keys apart without opening anything: `mem_live_…wxyz`. */
export const maskOf = ({ prefix, lastFour }: ApiKey): string => `${prefix}…${lastFour}`;
