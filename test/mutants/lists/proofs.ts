import { type Mutant, noticedBy } from '../mutant.ts';

const proof = noticedBy('credentials/dpop-proof.test.ts');
const dpop = noticedBy('oauth/dpop.test.ts');
const jwt = noticedBy('credentials/access-token-verifier.test.ts');
const confusion = noticedBy('oauth/jwt-confusion.test.ts');
const verify = noticedBy('api/verify.test.ts');
const checkBinding = noticedBy('credentials/check-binding.test.ts');

/** JWTs of our own, and the proofs of those who hold a bound token. */
export const PROOFS: readonly Mutant[] = [
  proof('a proof for another method is accepted', "if (htm !== request.method) return refused('other method');", ''),
  proof(
    'a proof for another URI is accepted',
    "if (typeof htu !== 'string' || !isSameHttpUri(htu, request.url)) return refused('other URI');",
    "if (typeof htu !== 'string') return refused('other URI');",
  ),
  proof(
    'an old proof is accepted',
    "if (typeof iat !== 'number' || iat < nowSeconds - PROOF_AGE_SECONDS || iat",
    "if (typeof iat !== 'number' || iat",
  ),
  proof('a proof of the future is accepted', '|| iat > nowSeconds + AHEAD_SECONDS) {', ') {'),
  proof(
    'a proof for another access token is accepted',
    "if (typeof ath !== 'string' || !constantTimeEqual(ath, sha256(request.accessToken))) {",
    "if (typeof ath !== 'string') {",
  ),
  proof('any signed JWT passes for a proof', "if (header.typ !== 'dpop+jwt') return refused('not a DPoP proof');", ''),
  proof(
    'the second of two proofs is overlooked',
    "if (another !== undefined || proof.includes(',')) return refused('more than one proof');",
    "if (proof.includes(',')) return refused('more than one proof');",
  ),
  dpop(
    'a proof works twice',
    "if (!(await isFirstUse(jkt, jti, issuedAt))) return { kind: 'refused', reason: 'used before' };",
    'await isFirstUse(jkt, jti, issuedAt);',
  ),
  dpop(
    'a proof of another key frees a bound token',
    "if (expected !== undefined && !constantTimeEqual(jkt, expected)) return { kind: 'refused', reason: 'other key' };",
    '',
  ),
  dpop(
    'a client that is bound by its registration gets a bearer token',
    "const required = client.tokenBinding === 'dpop';",
    'const required = false;',
  ),
  dpop(
    'an invented nonce is accepted',
    "if (acceptsNonce && !acceptsNonce(nonce)) return { kind: 'refused', reason: 'nonce missing or old' };",
    '',
  ),
  dpop(
    'a nonce is good for ever',
    'const currentWindow = (): number => Math.floor(clock.nowSeconds() / WINDOW_SECONDS);',
    'const currentWindow = (): number => Math.floor(clock.nowSeconds() / 1e12);',
  ),
  checkBinding(
    'a bound token works as a bearer token',
    "if (jkt !== undefined && scheme === 'bearer') return 'bound token sent as bearer';",
    "if (jkt !== undefined && scheme === 'bearer') return null;",
  ),
  checkBinding(
    'a token that is not bound looks as if it were',
    "if (jkt === undefined && scheme === 'dpop') return 'unbound token sent with a proof';",
    '',
  ),
  checkBinding(
    'another certificate frees a bound token',
    "if (!constantTimeEqual(certificateThumbprint, x5tS256)) return 'other client certificate';",
    '',
  ),
  checkBinding(
    'a token bound to a certificate works without one',
    "if (certificateThumbprint === null) return 'no client certificate';",
    'if (certificateThumbprint === null) return null;',
  ),
  jwt('a JWT of another type passes for an access token', "typ: 'at+jwt',", ''),
  jwt(
    'a key signs with an algorithm that is not its own',
    "if (!key || key.algorithm !== alg) throw new Error('unknown key');",
    "if (!key) throw new Error('unknown key');",
  ),
  confusion(
    'a JWT without an audience is accepted',
    "requiredClaims: ['exp', 'jti', 'sub', 'aud', 'client_id'],",
    "requiredClaims: ['exp', 'jti', 'sub', 'client_id'],",
  ),
  verify(
    'a token for another audience is accepted',
    "method !== 'access_token' || (audience !== null && wanted.includes(audience));",
    "method !== 'access_token' || audience !== null;",
  ),
  verify(
    'a token for userinfo alone is for every API',
    "method !== 'access_token' || (audience !== null && wanted.includes(audience));",
    "method !== 'access_token' || audience === null || wanted.includes(audience);",
  ),
];
