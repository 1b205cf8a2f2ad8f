import { LOGIN_CLIENT_ID } from '../login/login-session.ts';
import { type Client, GRANT_TYPES, isClientId, isPublicClient, type PublicJwk, TOKEN_BINDINGS } from './client.ts';

/** OpenID Connect scopes and what they mean to the person who is asked. */
export const OPENID_SCOPES: Readonly<Record<string, string>> = {
  openid: 'Know who you are',
  profile: 'See your name',
  email: 'See your email address',
  offline_access: 'Keep its access after you sign out here',
};

/** A name fit for a page: not empty, not endless, and without control characters, which some databases refuse too. */
export const isDisplayName = (text: string): boolean =>
  text.trim() !== '' && text.length <= 120 && !/\p{Cc}/u.test(text);

/** RFC 6749 appendix A.4. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;
export const isScopeName = (value: string): boolean => SCOPE.test(value);

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
export const isLoopbackHost = (hostname: string): boolean => LOOPBACK.has(hostname);

const FORBIDDEN_SCHEMES = new Set([
  'javascript:',
  'data:',
  'vbscript:',
  'file:',
  'about:',
  'blob:',
  'ws:',
  'wss:',
  'ftp:',
]);

/** Why a redirect URI is not acceptable (RFC 9700 2.1, RFC 8252 7.1-7.3); null when it is. */
export function redirectUriProblem(uri: string, client: Pick<Client, 'applicationType'>): string | null {
  const url = URL.parse(uri);
  if (!url || !/^[\x21-\x7e]{1,2048}$/.test(uri)) return `${uri}: not an absolute URI`;
  if (uri.includes('#')) return `${uri}: must not have a fragment`;
  if (uri.includes('*')) return `${uri}: wildcards are not supported, register each URI`;
  if (url.username || url.password) return `${uri}: must not have user information`;
  if (url.protocol === 'https:') return null;
  if (url.protocol === 'http:') {
    return isLoopbackHost(url.hostname) ? null : `${uri}: http is allowed for loopback addresses only, use https`;
  }
  if (FORBIDDEN_SCHEMES.has(url.protocol)) return `${uri}: the scheme is not allowed`;
  if (client.applicationType !== 'native') return `${uri}: a web client needs https`;
  return url.protocol.includes('.')
    ? null
    : `${uri}: a private-use scheme must be a reversed domain name, for instance com.example.app:/callback`;
}

/** Everything wrong with a client's metadata, in words for the operator; empty when nothing is. */
export function clientProblems(client: Client): string[] {
  const problems: string[] = [];
  const codeFlow = client.grantTypes.includes('authorization_code');
  if (!isClientId(client.id)) problems.push('id: use 1 to 64 of A-Z a-z 0-9 . _ -');
  // The `sub` of a client's own token is its id; an account id there would pass for a user (RFC 9700 4.15).
  if (client.id.startsWith('acc_')) problems.push('id: must not look like an account id');
  // The client_id of the JSON login's tokens.
  if (client.id === LOGIN_CLIENT_ID) problems.push(`id: ${LOGIN_CLIENT_ID} is the server itself`);
  if (!isDisplayName(client.name)) problems.push('name: use 1 to 120 printable characters');
  if (codeFlow && client.redirectUris.length === 0)
    problems.push('redirectUris: the authorization code grant needs at least one');
  if (!codeFlow && client.redirectUris.length > 0)
    problems.push('redirectUris: only the authorization code grant uses them');
  for (const uri of client.redirectUris) problems.push(...prefixed('redirectUris', redirectUriProblem(uri, client)));
  for (const uri of client.postLogoutRedirectUris)
    problems.push(...prefixed('postLogoutRedirectUris', redirectUriProblem(uri, client)));
  for (const grant of client.grantTypes)
    if (!GRANT_TYPES.includes(grant)) problems.push(`grantTypes: ${grant} is none of ${GRANT_TYPES.join(', ')}`);
  if (client.grantTypes.includes('refresh_token') && !codeFlow)
    problems.push('grantTypes: refresh_token comes with authorization_code');
  if (isPublicClient(client)) {
    if (client.grantTypes.includes('client_credentials'))
      problems.push('grantTypes: a public client cannot use client_credentials');
    if (!client.requirePkce) problems.push('requirePkce: PKCE can be waived for confidential clients only');
    if (client.secrets.length > 0) problems.push('secrets: a public client has none');
  }
  if (client.authMethod === 'private_key_jwt') problems.push(...jwksProblems(client));
  else if (client.jwks.length > 0) problems.push('jwks: only private_key_jwt uses keys');
  problems.push(...certificateProblems(client), ...bindingProblems(client));
  for (const scope of client.scopes) if (!isScopeName(scope)) problems.push(`scopes: ${scope} is not a scope name`);
  for (const origin of client.allowedOrigins) {
    if (URL.parse(origin)?.origin !== origin) problems.push(`allowedOrigins: ${origin} is not an origin`);
  }
  return problems;
}

const prefixed = (field: string, problem: string | null): string[] => (problem ? [`${field}: ${problem}`] : []);

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth'];

const MAX_KEYS = 5;
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** Bytes of a coordinate, by curve. */
const CURVES: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66, Ed25519: 32 };
/** RSA in bytes: verifying takes longer the larger the key is, and whoever registers it is not who pays. */
const RSA_BYTES = { least: 256, most: 512, exponent: 4 };

/** Why nobody could verify with this key, or only at great cost; null for a good one. */
function publicKeyProblem({ kty, alg, crv, x, y, n, e }: PublicJwk): string | null {
  const bytes = (member: unknown): number => (typeof member === 'string' ? Buffer.from(member, 'base64url').length : 0);
  if (alg !== undefined && !ALGORITHMS.includes(String(alg))) return `the algorithm ${String(alg)} is not supported`;
  if (kty === 'RSA') {
    if (bytes(n) < RSA_BYTES.least || bytes(n) > RSA_BYTES.most) return 'RSA keys need 2048 to 4096 bits';
    return bytes(e) < 1 || bytes(e) > RSA_BYTES.exponent ? 'an RSA key needs a small exponent, as 65537' : null;
  }
  if (kty !== 'EC' && kty !== 'OKP') return `key type ${String(kty)} is not supported`;
  const length = CURVES[String(crv)];
  if (length === undefined || (kty === 'OKP') !== (crv === 'Ed25519'))
    return `the curve ${String(crv)} is not supported`;
  if (bytes(x) !== length || (kty === 'EC' && bytes(y) !== length)) return 'the coordinates do not fit the curve';
  return null;
}

function jwksProblems(client: Client): string[] {
  const problems: string[] = [];
  if (client.jwks.length > MAX_KEYS) problems.push(`jwks: register at most ${MAX_KEYS} keys`);
  if (client.jwks.length === 0) problems.push('jwks: private_key_jwt needs at least one public key');
  if (client.secrets.length > 0) problems.push('secrets: private_key_jwt uses keys, not secrets');
  for (const jwk of client.jwks) {
    if (PRIVATE_MEMBERS.some((member) => member in jwk)) problems.push('jwks: register the public key only');
    problems.push(...prefixed('jwks', publicKeyProblem(jwk)));
  }
  return problems;
}

const MAX_CERTIFICATES = 20;
/** A SHA-256 in base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

function certificateProblems({ authMethod, certificateThumbprints, secrets }: Client): string[] {
  if (authMethod !== 'self_signed_tls_client_auth') {
    return certificateThumbprints.length > 0
      ? ['certificateThumbprints: only self_signed_tls_client_auth uses certificates']
      : [];
  }
  const problems: string[] = [];
  if (certificateThumbprints.length === 0)
    problems.push('certificateThumbprints: self_signed_tls_client_auth needs at least one certificate');
  if (certificateThumbprints.length > MAX_CERTIFICATES)
    problems.push(`certificateThumbprints: register at most ${MAX_CERTIFICATES}`);
  if (certificateThumbprints.some((thumbprint) => !THUMBPRINT.test(thumbprint)))
    problems.push('certificateThumbprints: each is the SHA-256 of a certificate, 43 characters of base64url');
  if (secrets.length > 0) problems.push('secrets: self_signed_tls_client_auth uses certificates, not secrets');
  return problems;
}

function bindingProblems({ tokenBinding, grantTypes }: Client): string[] {
  if (tokenBinding === null) return [];
  const problems: string[] = [];
  if (!TOKEN_BINDINGS.includes(tokenBinding))
    problems.push(`tokenBinding: ${String(tokenBinding)} is none of ${TOKEN_BINDINGS.join(', ')}`);
  // A promise that the engine's grants would not keep: its own DPoP is switched off.
  if (grantTypes.length !== 1 || grantTypes[0] !== 'client_credentials') {
    problems.push(
      'tokenBinding: needs the client_credentials grant and no other, since tokens of the authorization code and refresh grants cannot be bound yet',
    );
  }
  return problems;
}
