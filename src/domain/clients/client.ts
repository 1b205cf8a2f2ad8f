/** How a client proves who it is at the token, introspection and revocation endpoints; exactly its registered one. */
export const CLIENT_AUTH_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  /** RFC 8705 2.2. */
  'self_signed_tls_client_auth',
  'none',
] as const;
export type ClientAuthMethod = (typeof CLIENT_AUTH_METHODS)[number];

export const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials'] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

export const TOKEN_BINDINGS = ['dpop', 'mtls'] as const;
export type TokenBinding = (typeof TOKEN_BINDINGS)[number];

/** Keyed digest of an issued client secret. Several can be valid during a rotation. */
export interface ClientSecret {
  digest: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** Milliseconds since the epoch; null while it is the current one. */
  expiresAt: number | null;
}

/** A public key a client signs its assertions with (RFC 7517), without private members. */
export type PublicJwk = Readonly<Record<string, unknown>> & { kty: string };

/** An OAuth client, or the credentials under which a resource server introspects (then without grant types). */
export interface Client {
  /** `[A-Za-z0-9._-]{1,64}`; never chosen by the client itself. */
  id: string;
  name: string;
  applicationType: 'web' | 'native';
  authMethod: ClientAuthMethod;
  grantTypes: readonly GrantType[];
  redirectUris: readonly string[];
  postLogoutRedirectUris: readonly string[];
  /** Every scope it may ask for: OpenID Connect scopes and scopes of its resource servers. */
  scopes: readonly string[];
  /** Identifiers of the resource servers it may get tokens for. */
  resources: readonly string[];
  /** Browser origins that may call the token and userinfo endpoints. */
  allowedOrigins: readonly string[];
  /** False waives PKCE; allowed for confidential clients only. */
  requirePkce: boolean;
  /** Keys for private_key_jwt. */
  jwks: readonly PublicJwk[];
  secrets: readonly ClientSecret[];
  /** RFC 7638-style SHA-256 thumbprints (base64url) of the certificates it may use, for self_signed_tls_client_auth. */
  certificateThumbprints: readonly string[];
  /** Its tokens must be bound to a key: by RFC 9449 or RFC 8705. Null leaves it to the client. */
  tokenBinding: TokenBinding | null;
  /** The account it belongs to, for a client that a user made for themselves; it ends with the account. */
  ownerId: string | null;
  /** Milliseconds since the epoch. */
  createdAt: number;
  updatedAt: number;
}

export const isPublicClient = (client: Pick<Client, 'authMethod'>): boolean => client.authMethod === 'none';

const CLIENT_ID = /^[A-Za-z0-9._-]{1,64}$/;
export const isClientId = (value: string): boolean => CLIENT_ID.test(value);
