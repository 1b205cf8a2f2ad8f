import type { ApiKey } from '../../src/domain/api-keys/api-key.ts';
import { newId } from '../../src/kit/ids.ts';

export const T = 1_700_000_000_000;

export const apiKeyOf = (changes: Partial<ApiKey> = {}): ApiKey => ({
  id: newId('key'),
  ownerId: newId('acc'),
  name: 'A key',
  environment: 'live',
  prefix: 'mem_live_',
  lastFour: 'wxyz',
  current: { mac: newId('mac'), pepperId: 'pepper' },
  previous: null,
  importedDigest: null,
  importedEndsAt: null,
  scopes: [],
  allowedAddresses: [],
  namespace: newId('ns'),
  limit: null,
  createdBy: 'operator',
  createdAt: T,
  updatedAt: T,
  expiresAt: null,
  revokedAt: null,
  revokeReason: null,
  suspendedAt: null,
  rotatedAt: null,
  rotatedBy: null,
  previousBy: null,
  lastUsedAt: null,
  previousUses: 0,
  previousUsedAt: null,
  warnedDays: null,
  version: 1,
  ...changes,
});
