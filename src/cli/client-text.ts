import type { Client } from '../domain/clients/client.ts';
import { fields, iso, isoOrNull, time } from './text.ts';

export const SHOWN_ONCE = `

The secret is shown this once: the database keeps only a digest of it. Put it where the client reads it.`;

/** A client for --json: without the digests of its secrets. */
export const clientRecord = ({ id, name, secrets, createdAt, updatedAt, ...client }: Client) => ({
  id,
  name,
  ...client,
  secrets: secrets.map((secret) => ({ createdAt: iso(secret.createdAt), expiresAt: isoOrNull(secret.expiresAt) })),
  createdAt: iso(createdAt),
  updatedAt: iso(updatedAt),
});

export const clientFields = (client: Client, secret: string | null = null): string =>
  fields({
    id: client.id,
    secret,
    name: client.name,
    type: client.applicationType,
    authentication: client.authMethod,
    grants: client.grantTypes.join(' ') || 'none: it introspects only',
    'redirect URIs': client.redirectUris,
    'after sign-out': client.postLogoutRedirectUris,
    scopes: client.scopes.join(' ') || null,
    resources: client.resources,
    origins: client.allowedOrigins,
    PKCE: client.requirePkce ? 'required' : 'not required',
    certificates: client.certificateThumbprints,
    'bound tokens': client.tokenBinding,
    keys: client.jwks.map((jwk) => `${jwk.kty} ${String(jwk.kid ?? '')}`),
    secrets: client.secrets.map(
      ({ createdAt, expiresAt }) => `of ${time(createdAt)}${expiresAt === null ? '' : `, ends ${time(expiresAt)}`}`,
    ),
    registered: time(client.createdAt),
  });
