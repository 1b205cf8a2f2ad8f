import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  importJWK,
  type JWK,
  type JWTPayload,
  jwtVerify,
} from 'jose';
import type { Context } from 'koa';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import type { Client } from '../../domain/clients/client.ts';
import { isClientId } from '../../domain/clients/client.ts';
import { secretMatches } from '../../domain/clients/client-secrets.ts';
import type { Throttle, ThrottlePolicy } from '../../domain/limits/throttle.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import { type Parameters, required, single } from '../../http/parameters.ts';
import { factsOf } from '../../http/request-context.ts';
import { createExpiringSet } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { constantTimeEqual, type Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { createRenewedClient } from './renewed-client.ts';

/** Guessing a secret from one address: only wrong secrets count, so a busy client is never slowed. */
const CLIENT_FAILURES: ThrottlePolicy = {
  name: 'client-authentication',
  freeAttempts: 20,
  firstDelaySeconds: 1,
  maxDelaySeconds: 60,
  windowSeconds: 600,
};

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
/** The longest life of a client assertion we remember the `jti` for, in seconds. */
const MAX_ASSERTION_LIFETIME = 300;
/** FAPI 2.0 5.3.2.1-13: accept 10 s ahead, refuse more than 60 s. */
const CLOCK_SKEW_SECONDS = 30;

type Presented =
  | { method: 'client_secret_basic' | 'client_secret_post'; clientId: string; secret: string }
  | { method: 'private_key_jwt'; clientId: string; assertion: string }
  | { method: 'none'; clientId: string };

/**
 * Identifies the client of a request by exactly its registered method, or throws invalid_client / invalid_request.
 * `authorization` is the Authorization header, or what stands in its place.
 */
export type AuthenticateClient = (ctx: Context, parameters: Parameters, authorization?: string) => Promise<Client>;

export function createClientAuthentication({
  issuer,
  findClient,
  renewClient,
  tokens,
  digester,
  throttle,
  audit,
  clock,
  certificateOf,
}: {
  issuer: string;
  findClient: (id: string) => Promise<Client | null>;
  /** The same, from the store in any case. */
  renewClient: (id: string) => Promise<Client | null>;
  tokens: Pick<TokenStore, 'insert'>;
  digester: Digester;
  throttle: Throttle;
  audit: RecordAudit;
  clock: Clock;
  /** The thumbprint of the client certificate that came with the request. */
  certificateOf: (ctx: Context) => string | null;
}): AuthenticateClient {
  const renewedClient = createRenewedClient({ findClient, renewClient, clock });

  // Which client and address failed lately in this process; the shared counter is asked only for these.
  const failing = createExpiringSet({ max: 10_000, ttlMs: CLIENT_FAILURES.windowSeconds * 1000 });

  // A failure repeated within a minute is one event in the audit trail: strangers must not be able to fill it.
  const audited = createExpiringSet({ max: 10_000, ttlMs: 60_000 });

  async function proves(ctx: Context, client: Client, presented: Presented): Promise<string | null> {
    // RFC 8705 2: such a client sends its id and nothing else; the rest is in the handshake.
    if (client.authMethod === 'self_signed_tls_client_auth' && presented.method === 'none') {
      return certificateProblem(client, certificateOf(ctx));
    }
    if (!mayUse(client, presented.method)) return `used ${presented.method}, registered ${client.authMethod}`;
    switch (presented.method) {
      case 'none':
        return null;
      case 'private_key_jwt':
        return verifyAssertion(client, presented.assertion);
      default:
        return secretMatches(digester, client, presented.secret, clock.nowMs()) ? null : 'wrong secret';
    }
  }

  async function verifyAssertion(client: Client, assertion: string): Promise<string | null> {
    let claims: JWTPayload;
    try {
      const { kid } = decodeProtectedHeader(assertion);
      const candidates = client.jwks.filter((jwk) => kid === undefined || jwk.kid === undefined || jwk.kid === kid);
      claims = await verifyWithAny(assertion, candidates, client, issuer, clock);
    } catch (error) {
      return `assertion: ${reasonOf(error)}`;
    }
    const { jti, exp = 0, iat } = claims;
    const now = clock.nowSeconds();
    if (claims.aud !== issuer) return 'assertion: aud is not the issuer as a single string';
    if (typeof jti !== 'string' || jti === '' || jti.length > 512) return 'assertion: jti is missing';
    if (exp > now + MAX_ASSERTION_LIFETIME + CLOCK_SKEW_SECONDS) return 'assertion: exp is too far ahead';
    if (iat !== undefined && iat > now + CLOCK_SKEW_SECONDS) return 'assertion: iat is in the future';
    const fresh = await tokens.insert({
      kind: 'ReplayMarker',
      id: digester.digest('ReplayMarker', `${client.id}\0${jti}`),
      payload: '{}',
      grantId: null,
      accountId: null,
      clientId: client.id,
      uid: null,
      userCode: null,
      createdAt: now,
      // NumericDate may have a fraction (RFC 7519 section 2); the column has none.
      expiresAt: Math.ceil(exp) + CLOCK_SKEW_SECONDS + 1,
      consumedAt: null,
      receipt: null,
    });
    return fresh ? null : 'assertion: jti was used before';
  }

  return async (ctx, parameters, authorization = ctx.get('authorization')) => {
    const presented = presentedCredentials(authorization, parameters);
    const facts = factsOf(ctx);
    const refused = (reason: string): AppError =>
      new AppError('invalid_client', {
        public: 'client authentication failed',
        internal: reason,
        // RFC 6749 5.2: only a client that used the Authorization header is told the scheme.
        headers: authorization === '' ? {} : { 'WWW-Authenticate': `Basic realm="${issuer}", charset="UTF-8"` },
      });

    // Nothing is counted or remembered for clients that do not exist: their names are for anyone to make up.
    const known = isClientId(presented.clientId) ? await findClient(presented.clientId) : null;
    if (!known) throw refused('unknown client');
    let client = known;

    // Only a guess at a secret the client has is counted. Anything else cannot be guessed at, and counting it would let
    // strangers behind one address slow down everybody there.
    const guess = 'secret' in presented && mayUse(client, presented.method);
    const counter = `${client.id}\0${facts.addressGroup}`;
    if (guess && failing.has(counter)) {
      const wait = await throttle.attempt(CLIENT_FAILURES, counter);
      if (wait !== null) {
        throw new AppError('too_many_requests', {
          public: 'too many failed authentications of this client',
          retryAfterSeconds: wait,
          internal: `the counter ${CLIENT_FAILURES.name}`,
        });
      }
    }
    let problem = await proves(ctx, client, presented);
    const renewed = problem === null ? null : await renewedClient(client);
    if (renewed) {
      client = renewed;
      problem = await proves(ctx, client, presented);
    }
    if (problem === null) {
      if (guess && failing.delete(counter)) await throttle.forgive(CLIENT_FAILURES, counter);
      return client;
    }
    if (guess && !failing.has(counter)) {
      failing.add(counter);
      await throttle.attempt(CLIENT_FAILURES, counter);
    }
    const event = `${counter}\0${problem}`;
    if (!audited.has(event)) {
      audited.add(event);
      const { ip, requestId } = facts;
      await audit('client.authentication_failed', { clientId: client.id, ip, requestId, details: { reason: problem } });
    }
    throw refused(`client ${client.id}: ${problem}`);
  };
}

/** RFC 8705 2.2. Compares against each registered certificate whatever the first one says. */
function certificateProblem(client: Client, thumbprint: string | null): string | null {
  if (thumbprint === null) return 'no client certificate';
  const matching = client.certificateThumbprints.filter((registered) => constantTimeEqual(registered, thumbprint));
  return matching.length > 0 ? null : 'the certificate is not registered';
}

/**
 * Exactly the registered method; only a client that a user made for themselves may send its secret either way, as products
 * promise that have both on one page.
 */
function mayUse({ authMethod, ownerId }: Client, method: Presented['method']): boolean {
  if (method === authMethod) return true;
  return ownerId !== null && method.startsWith('client_secret') && authMethod.startsWith('client_secret');
}

/** Imported keys by registered key and algorithm. Only successes are kept: the algorithm comes from an unverified header. */
const imported = new WeakMap<object, Map<string, CryptoKey | Uint8Array>>();

async function importOnce(jwk: JWK, alg: string): Promise<CryptoKey | Uint8Array> {
  const known = imported.get(jwk)?.get(alg);
  if (known) return known;
  const key = await importJWK(jwk, alg);
  const byAlgorithm = imported.get(jwk) ?? new Map<string, CryptoKey | Uint8Array>();
  imported.set(jwk, byAlgorithm.set(alg, key));
  return key;
}

/** The algorithms a registered key is good for: its own `alg`, or what its type and curve leave (RFC 8725 3.1). */
function algorithmsOf({ alg, kty, crv }: JWK): string[] {
  if (alg) return [alg];
  if (kty === 'RSA') return ['RS256', 'PS256'];
  if (kty === 'EC') return { 'P-256': ['ES256'], 'P-384': ['ES384'], 'P-521': ['ES512'] }[crv ?? ''] ?? [];
  return kty === 'OKP' ? ['EdDSA', 'Ed25519'] : [];
}

async function verifyWithAny(
  assertion: string,
  jwks: readonly JWK[],
  client: Client,
  issuer: string,
  clock: Clock,
): Promise<JWTPayload> {
  const { alg = '' } = decodeProtectedHeader(assertion);
  let last: unknown = new Error('no registered key fits');
  for (const jwk of jwks) {
    const algorithms = algorithmsOf(jwk);
    if (!algorithms.includes(alg)) continue;
    try {
      const { payload } = await jwtVerify(assertion, await importOnce(jwk, alg), {
        algorithms,
        issuer: client.id,
        subject: client.id,
        audience: issuer,
        requiredClaims: ['exp', 'jti'],
        clockTolerance: CLOCK_SKEW_SECONDS,
        currentDate: new Date(clock.nowMs()),
      });
      return payload;
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

/** From a closed list: jose's messages quote the caller, whose text must not get into the audit trail. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) return `${error.claim} ${error.reason}`;
  return error instanceof errors.JOSEError ? error.code : 'not a JWT this client could have made';
}

/** What the request presents, without judging it. Exactly one method may be used (RFC 6749 2.3). */
function presentedCredentials(authorization: string, parameters: Parameters): Presented {
  const secret = single(parameters, 'client_secret');
  const assertion = single(parameters, 'client_assertion');
  const named = single(parameters, 'client_id');
  if ([authorization, secret, assertion].filter(Boolean).length > 1) {
    throw new AppError('invalid_request', { public: 'client authentication must use one method only' });
  }
  const presented: Presented = authorization
    ? { method: 'client_secret_basic', ...decodeBasic(authorization) }
    : assertion
      ? { method: 'private_key_jwt', clientId: assertionSubject(assertion, parameters), assertion }
      : secret
        ? { method: 'client_secret_post', clientId: required(parameters, 'client_id'), secret }
        : { method: 'none', clientId: required(parameters, 'client_id') };
  if (named !== undefined && named !== presented.clientId) {
    throw new AppError('invalid_request', { public: "'client_id' differs from the authenticated client" });
  }
  return presented;
}

function assertionSubject(assertion: string, parameters: Parameters): string {
  if (required(parameters, 'client_assertion_type') !== ASSERTION_TYPE) {
    throw new AppError('invalid_request', { public: `'client_assertion_type' must be ${ASSERTION_TYPE}` });
  }
  try {
    const { sub } = decodeJwt(assertion);
    if (typeof sub === 'string') return sub;
  } catch {
    // The same answer as for an assertion without a subject.
  }
  throw new AppError('invalid_request', { public: "'client_assertion' is not a JWT with a subject" });
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** RFC 6749 2.3.1: id and secret are form-encoded before they are joined. */
function decodeBasic(header: string): { clientId: string; secret: string } {
  const malformed = (): AppError =>
    new AppError('invalid_request', {
      public: 'the Authorization header must be Basic with a form-encoded client id and secret',
    });
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header);
  if (!match?.[1]) throw malformed();
  try {
    const text = decoder.decode(Buffer.from(match[1], 'base64'));
    const colon = text.indexOf(':');
    if (colon < 1 || colon === text.length - 1) throw malformed();
    const decode = (part: string): string => decodeURIComponent(part.replaceAll('+', ' '));
    return { clientId: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
  } catch {
    throw malformed();
  }
}
