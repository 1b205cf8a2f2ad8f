import type { AdapterPayload } from 'oidc-provider';
import type { Client } from '../../domain/clients/client.ts';
import { OPENID_SCOPES } from '../../domain/clients/client-rules.ts';

const cache = new WeakMap<Client, AdapterPayload>();

/**
 * The engine's view of a client (RFC 7591 names). The engine never authenticates clients here, so it is told a placeholder
 * where it insists on a secret; the key order is fixed because it fingerprints the object to cache it.
 */
export function toEngineMetadata(client: Client): AdapterPayload {
  const known = cache.get(client);
  if (known) return known;
  // The engine would ask for the whole certificates; we keep their thumbprints.
  const byTls = client.authMethod === 'self_signed_tls_client_auth';
  const metadata: Record<string, unknown> = {
    client_id: client.id,
    client_name: client.name,
    application_type: client.applicationType,
    token_endpoint_auth_method: byTls ? 'client_secret_basic' : client.authMethod,
    grant_types: [...client.grantTypes],
    response_types: client.grantTypes.includes('authorization_code') ? ['code'] : [],
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: [...client.postLogoutRedirectUris],
    // The engine knows OpenID Connect scopes here; those of resource servers are checked by our policies. It reads an empty
    // list as "any", so a client without one may have `openid`, which says no more than the token itself.
    scope: client.scopes.filter((scope) => scope in OPENID_SCOPES).join(' ') || 'openid',
    require_pkce: client.requirePkce,
    allowed_origins: [...client.allowedOrigins],
    ...(byTls || client.authMethod.startsWith('client_secret')
      ? { client_secret: 'checked-by-the-token-endpoint' }
      : {}),
    ...(client.authMethod === 'private_key_jwt' ? { jwks: { keys: [...client.jwks] } } : {}),
  };
  cache.set(client, metadata as AdapterPayload);
  return metadata as AdapterPayload;
}
