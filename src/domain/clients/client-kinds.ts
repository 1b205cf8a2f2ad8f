import type { Client } from './client.ts';
import type { NewClient } from './manage-clients.ts';

/** What an operator registers, in the words of an operator. */
export const CLIENT_KINDS = ['web', 'spa', 'native', 'machine'] as const;
export type ClientKind = (typeof CLIENT_KINDS)[number];

type Usual = Pick<Client, 'applicationType' | 'authMethod' | 'grantTypes' | 'scopes'>;

const CODE_AND_REFRESH = ['authorization_code', 'refresh_token'] as const;
const WHO = ['openid', 'profile', 'email'];

/** What is right for most clients of a kind (OAuth 2.1 section 2.1, RFC 8252, RFC 9700 2.1). */
const USUAL: Readonly<Record<ClientKind, Usual>> = {
  web: {
    applicationType: 'web',
    authMethod: 'client_secret_basic',
    grantTypes: CODE_AND_REFRESH,
    scopes: [...WHO, 'offline_access'],
  },
  // A browser keeps no secret, and its access should end with the sign-in.
  spa: { applicationType: 'web', authMethod: 'none', grantTypes: CODE_AND_REFRESH, scopes: WHO },
  native: {
    applicationType: 'native',
    authMethod: 'none',
    grantTypes: CODE_AND_REFRESH,
    scopes: [...WHO, 'offline_access'],
  },
  machine: {
    applicationType: 'web',
    authMethod: 'client_secret_basic',
    grantTypes: ['client_credentials'],
    scopes: [],
  },
};

/** A client of this kind, with what was given in place of the usual. Not checked yet: see clientProblems. */
export function clientOfKind(kind: ClientKind, given: Partial<NewClient> & Pick<NewClient, 'id' | 'name'>): NewClient {
  const redirectUris = given.redirectUris ?? [];
  const byKey = given.jwks !== undefined && given.jwks.length > 0;
  const byCertificate = given.certificateThumbprints !== undefined && given.certificateThumbprints.length > 0;
  return {
    ...USUAL[kind],
    ...(byKey ? { authMethod: 'private_key_jwt' as const } : {}),
    ...(byCertificate ? { authMethod: 'self_signed_tls_client_auth' as const } : {}),
    redirectUris,
    postLogoutRedirectUris: [],
    resources: [],
    // Its pages call the token endpoint from where they are served.
    allowedOrigins: kind === 'spa' ? originsOf(redirectUris) : [],
    requirePkce: true,
    jwks: [],
    certificateThumbprints: [],
    tokenBinding: null,
    ownerId: null,
    ...given,
  };
}

function originsOf(uris: readonly string[]): string[] {
  const origins = uris.map((uri) => URL.parse(uri)?.origin ?? 'null');
  return [...new Set(origins)].filter((origin) => origin !== 'null');
}
