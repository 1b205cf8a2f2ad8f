import type { Context } from 'koa';
import type { Account } from '../../domain/accounts/account.ts';
import { type ApiKey, stateOf } from '../../domain/api-keys/api-key.ts';
import { overlaps } from '../../domain/api-keys/key-rules.ts';
import type { Client } from '../../domain/clients/client.ts';
import type { Principal } from '../../domain/credentials/principal.ts';
import type { ShownProviderKey } from '../../domain/provider-keys/vault.ts';
import type { Output } from './operations.ts';

/** Milliseconds since the epoch as RFC 3339, without fractions. */
export const time = (ms: number): string => `${new Date(ms).toISOString().slice(0, -'.000Z'.length)}Z`;
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms));
export const timeOfSeconds = (seconds: number): string => time(seconds * 1000);

export const accountAnswer = (account: Account): Output<'signUp'> => ({
  id: account.id,
  email: account.email,
  email_verified: account.emailVerified,
  given_name: account.givenName,
  family_name: account.familyName,
  created_at: time(account.createdAt),
});

export function apiKeyAnswer(key: ApiKey, nowMs: number): Output<'getApiKey'> {
  const previousEndsAt = key.previous?.endsAt ?? key.importedEndsAt;
  return {
    id: key.id,
    name: key.name,
    environment: key.environment,
    prefix: key.prefix,
    last_four: key.lastFour,
    scopes: [...key.scopes],
    allowed_addresses: [...key.allowedAddresses],
    namespace: key.namespace,
    limit: key.limit && { quota: key.limit.quota, window_seconds: key.limit.windowSeconds },
    state: stateOf(key, nowMs),
    created_by: key.createdBy,
    created_at: time(key.createdAt),
    expires_at: timeOrNull(key.expiresAt),
    revoked_at: timeOrNull(key.revokedAt),
    rotated_at: timeOrNull(key.rotatedAt),
    rotated_by: key.rotatedBy,
    last_used_at: timeOrNull(key.lastUsedAt),
    previous_secret:
      previousEndsAt !== null && overlaps(previousEndsAt, nowMs)
        ? { ends_at: time(previousEndsAt), uses: key.previousUses, last_used_at: timeOrNull(key.previousUsedAt) }
        : null,
  };
}

export const providerKeyAnswer = (key: ShownProviderKey, checked?: boolean): Output<'getProviderKey'> => ({
  id: key.id,
  provider: key.provider,
  label: key.label,
  mask: key.mask,
  fingerprint: key.fingerprint,
  is_default: key.isDefault,
  state: key.state,
  ...(checked === undefined ? {} : { checked }),
  created_at: time(key.createdAt),
  updated_at: time(key.updatedAt),
  last_used_at: timeOrNull(key.lastUsedAt),
});

export const clientAnswer = (client: Client) => ({
  client_id: client.id,
  name: client.name,
  token_endpoint_auth_method: client.authMethod,
  token_binding: client.tokenBinding,
  scopes: [...client.scopes],
  created_at: time(client.createdAt),
});

export const principalAnswer = (principal: Principal): Output<'verify'> => ({
  active: true,
  method: principal.method,
  subject: principal.subject,
  subject_type: principal.subjectType,
  client_id: principal.clientId,
  key_id: principal.keyId,
  namespace: principal.namespace,
  environment: principal.environment,
  scopes: [...principal.scopes],
  audience: principal.audience,
  issued_at: principal.issuedAt === null ? null : timeOfSeconds(principal.issuedAt),
  expires_at: principal.expiresAt === null ? null : timeOfSeconds(principal.expiresAt),
});

/** Tells callers on the secret before a rotation until when it works. */
export function noticeOldSecret(ctx: Context, { oldSecretEndsAt }: Principal): void {
  if (oldSecretEndsAt !== null) ctx.set('X-Api-Key-Replaced', `old secret works until ${time(oldSecretEndsAt)}`);
}
