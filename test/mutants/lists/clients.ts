import { type Mutant, noticedBy } from '../mutant.ts';

const authentication = noticedBy('oauth/client-authentication.test.ts');
const assertion = noticedBy('oauth/client-assertion.test.ts');
const certificate = noticedBy('oauth/mtls.test.ts');
const rules = noticedBy('clients/client-rules.test.ts');
const secrets = noticedBy('clients/client-secrets.test.ts');

/** Who the client is: its secret, assertion or certificate. */
export const CLIENTS: readonly Mutant[] = [
  authentication(
    'any secret opens any client',
    'return secretMatches(digester, client, presented.secret, clock.nowMs()) ? null : ',
    'return secretMatches(digester, client, presented.secret, clock.nowMs()) || true ? null : ',
  ),
  authentication(
    'a client may use another method than it registered',
    'if (method === authMethod) return true;',
    'if (method) return true;',
  ),
  authentication(
    'every client may send its secret either way',
    "return ownerId !== null && method.startsWith('client_secret')",
    "return method.startsWith('client_secret')",
  ),
  authentication(
    'two ways to authenticate in one request are accepted',
    'if ([authorization, secret, assertion].filter(Boolean).length > 1) {',
    'if ([authorization, secret, assertion].filter(Boolean).length > 9) {',
  ),
  authentication(
    'the client_id of the body may name another client',
    'if (named !== undefined && named !== presented.clientId) {',
    'if (named !== undefined && named === "") {',
  ),
  authentication(
    'secrets of a client can be guessed without a wait',
    'if (guess && failing.has(counter)) {',
    'if (guess && failing.has("")) {',
  ),
  secrets(
    'a rotated secret works for ever',
    '(same && (stored.expiresAt === null || lastsUntil(stored.expiresAt, MAX_OVERLAP_SECONDS * 1000, nowMs))) ||',
    'same ||',
  ),
  secrets(
    'the digest of a secret is good for every client that has it',
    'return digester.digest(PURPOSE, `${clientId}\\0${secret}`);',
    'return digester.digest(PURPOSE, secret);',
  ),
  secrets(
    'an old secret outlives the overlap',
    'expiresAt: Math.min(secret.expiresAt ?? endsAt, endsAt)',
    'expiresAt: Math.max(secret.expiresAt ?? endsAt, endsAt + 1)',
  ),
  assertion(
    'an assertion for several audiences is accepted',
    "if (claims.aud !== issuer) return 'assertion: aud is not",
    "if (!claims.aud) return 'assertion: aud is not",
  ),
  assertion(
    'an assertion works twice',
    "return fresh ? null : 'assertion: jti was used before';",
    "return fresh || jti ? null : 'assertion: jti was used before';",
  ),
  assertion(
    'an assertion may live for years',
    'if (exp > now + MAX_ASSERTION_LIFETIME + CLOCK_SKEW_SECONDS)',
    'if (exp > now + MAX_ASSERTION_LIFETIME * 1e6)',
  ),
  assertion(
    'an assertion of the future is accepted',
    'if (iat !== undefined && iat > now + CLOCK_SKEW_SECONDS)',
    'if (iat !== undefined && iat > now * 2)',
  ),
  assertion(
    'the replay marker of an assertion is shared by all clients',
    "id: digester.digest('ReplayMarker', `${client.id}\\0${jti}`),",
    "id: digester.digest('ReplayMarker', `${jti}`),",
  ),
  assertion('an assertion may be issued by another client', 'issuer: client.id,', 'clockTolerance: 30,'),
  certificate(
    'any certificate authenticates a client that registered one',
    "return matching.length > 0 ? null : 'the certificate is not registered';",
    "return matching.length >= 0 ? null : 'the certificate is not registered';",
  ),
  certificate(
    'the header with the certificate is believed when it stands twice',
    'return values.length === 1 ? thumbprintInHeader(values[0] as string) : null;',
    'return values.length >= 1 ? thumbprintInHeader(values[0] as string) : null;',
  ),
  certificate(
    'a stranger may name a certificate in the header',
    "if (isTrustedProxy(parseAddress(socket.remoteAddress ?? '') ?? '')) {",
    'if (header !== null) {',
  ),
  rules(
    'a client may register its private key',
    "if (PRIVATE_MEMBERS.some((member) => member in jwk)) problems.push('jwks: register the public key only');",
    '',
  ),
  rules(
    'a public client may use client_credentials',
    "if (client.grantTypes.includes('client_credentials'))",
    "if (client.grantTypes.includes('client_credentials') && !client.requirePkce)",
  ),
  rules(
    'PKCE may be waived for public clients',
    "if (!client.requirePkce) problems.push('requirePkce: PKCE can be waived for confidential clients only');",
    '',
  ),
];
