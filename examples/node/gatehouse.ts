/**
 * Who sent a request, and may they? Asks Gatehouse, or reads it from the access token. Knows no framework: ../express and ../koa
 * are thin layers on it. Needs Node 22.18 or newer (or any TypeScript build) and `jose`.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';

export interface Options {
  /** Gatehouse's issuer: `https://auth.example.com`. */
  issuer: string;
  /** This API's identifier, exactly as registered in Gatehouse: `https://api.example.com/v1`. Tokens must be for it. */
  resource: string;
  /** Other audiences to accept. API keys and sign-ins (Gatehouse's JSON login) are for the whole product and need none. */
  audiences?: readonly string[];
  /**
   * `remote` asks Gatehouse about everything. `local` reads JWT access tokens by itself and refuses everything else; it asks
   * nothing but the public keys, so **a revoked token, or that of a disabled user, works until it expires**. `auto` (default)
   * reads JWTs as `local` does and asks about the rest: API keys, opaque tokens, tokens bound to a key.
   */
  mode?: 'local' | 'remote' | 'auto';
  /**
   * The environment that credentials must be of. Default: Gatehouse's usual one (`live`), so a key for trying out does not pass. With
   * another one `auto` asks about every credential. `*` takes any: then look at `environment` of what `check` tells.
   */
  environment?: string;
  /**
   * The client of this API, made with the resource (`gatehouse resource create`). With it Gatehouse believes which address a request
   * came from; without it keys that are allowed from some addresses only are judged by the address of this API, and tokens that are bound
   * to a key (DPoP) are refused.
   */
  clientId?: string;
  clientSecret?: string;
  /** Every scope of this API, for its metadata document. */
  scopes?: readonly string[];
  /** Headers other than Authorization in which API keys come. */
  keyHeaders?: readonly string[];
  /** Where Gatehouse publishes its keys. Default: `{issuer}/oauth2/jwks`. */
  jwksUri?: string;
  timeoutMs?: number;
  /** Told when Gatehouse cannot be asked. */
  onUnavailable?: (cause: unknown) => void;
}

/** What `POST /v1/auth/verify` answers. Times are RFC 3339. */
export interface Principal {
  method: 'api_key' | 'access_token' | 'login' | 'session';
  /** The account, or the client itself. */
  subject: string;
  subject_type: 'user' | 'client';
  client_id: string | null;
  key_id: string | null;
  namespace: string | null;
  environment: string | null;
  scopes: readonly string[];
  audience: string | null;
  issued_at: string | null;
  expires_at: string | null;
}

export interface Asked {
  request: IncomingMessage;
  /** Path and query as the client sent them. */
  target: string;
  /** The client's, for keys that are allowed from some addresses only: the framework must know which proxies to trust. */
  address: string | undefined;
}

/** Headers are for the answer to the client in either case: what is left of a limit, or the challenge. */
export type Outcome =
  | { kind: 'admitted'; principal: Principal; headers: Record<string, string> }
  | { kind: 'refused'; status: number; headers: Record<string, string>; body: string };

export type Gatehouse = ReturnType<typeof createGatehouse>;

const WELL_KNOWN = '/.well-known/oauth-protected-resource';
const IN_A_QUERY = new Set(['access_token', 'api_key', 'apikey', 'api-key', 'x-api-key']);
const JWT = /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/;
/** The JSON login's tokens are of this client, which nobody else can be. */
const LOGIN_CLIENT = 'gatehouse';
const CACHED_ANSWERS = 10_000;
/** Gatehouse's word on limits and on keys that are being replaced, for the client. */
const PASSED_ON = [
  ...['ratelimit', 'ratelimit-policy', 'retry-after', 'x-api-key-replaced'],
  ...['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'],
];
/** The token is at fault; any other failure to verify is ours or the network's. */
const TOKEN_FAULTS = new Set([
  errors.JWTExpired.code,
  errors.JWTClaimValidationFailed.code,
  errors.JWTInvalid.code,
  errors.JWSInvalid.code,
  errors.JWSSignatureVerificationFailed.code,
  errors.JWKSNoMatchingKey.code,
  // It names no key, and there are several.
  errors.JWKSMultipleMatchingKeys.code,
  errors.JOSEAlgNotAllowed.code,
  errors.JOSENotSupported.code,
]);

class Refusal extends Error {
  readonly outcome: Outcome & { kind: 'refused' };
  constructor(outcome: Refusal['outcome']) {
    super('refused');
    this.outcome = outcome;
  }
}

interface Credential {
  text: string;
  /** The DPoP proof (RFC 9449) that came with it. */
  proof: string | undefined;
}

export function createGatehouse({
  issuer,
  resource,
  audiences: others = [],
  mode = 'auto',
  environment,
  clientId,
  clientSecret,
  scopes: supported = [],
  keyHeaders = ['x-api-key'],
  jwksUri = `${issuer}/oauth2/jwks`,
  timeoutMs = 2000,
  onUnavailable = (cause) => console.error('Gatehouse cannot be asked:', cause),
}: Options) {
  // Tokens name no environment and count as the usual one.
  const takesUsual = environment === undefined || environment === '*';
  if (mode === 'local' && !takesUsual) {
    throw new Error('access tokens name no environment: use mode auto or remote');
  }
  const readsTokens = mode === 'local' || (mode === 'auto' && takesUsual);
  const proofOfOurs = clientId && clientSecret ? { authorization: basic(clientId, clientSecret) } : {};
  const audiences = [resource, ...others];
  const { origin, pathname } = new URL(resource);
  const metadataPath = WELL_KNOWN + (pathname === '/' ? '' : pathname);
  // Five minutes is what Gatehouse promises: a retired key is published for longer, a removed one is gone after that.
  const keys = createRemoteJWKSet(new URL(jwksUri), { cacheMaxAge: 300_000, timeoutDuration: timeoutMs });
  const answers = createAnswerCache();

  function refusal(status: number, code: string, detail: string, challenge: Record<string, string> = {}): Refusal {
    const headers = { 'content-type': 'application/problem+json', ...(status < 500 ? challengeOf(challenge) : {}) };
    return new Refusal({ kind: 'refused', status, headers, body: JSON.stringify({ status, code, detail }) });
  }

  /** RFC 6750 3 and RFC 9728 5.1. */
  function challengeOf(parts: Record<string, string>): Record<string, string> {
    const all = Object.entries({ ...parts, resource_metadata: origin + metadataPath });
    return { 'www-authenticate': `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}` };
  }

  const invalidToken = (detail: string): Refusal => refusal(401, 'unauthenticated', detail, { error: 'invalid_token' });

  function unavailable(cause: unknown, retryAfter: string | null = null): Refusal {
    onUnavailable(cause);
    const { outcome } = refusal(503, 'temporarily_unavailable', 'The credential cannot be checked just now.');
    return new Refusal({ ...outcome, headers: { ...outcome.headers, 'retry-after': retryAfter ?? '1' } });
  }

  /** The one credential of the request; never one of several, never one in the URL, which ends up in logs. */
  function readCredential({ request, target }: Asked, scopes: readonly string[]): Credential {
    const query = target.includes('?') ? target.slice(target.indexOf('?')) : '';
    for (const name of new URLSearchParams(query).keys()) {
      if (!IN_A_QUERY.has(name.toLowerCase())) continue;
      throw refusal(400, 'invalid_request', 'Send the credential in a header, not in the URL, and replace it.', {
        error: 'invalid_request',
      });
    }
    const { authorization = [], dpop = [] } = request.headersDistinct;
    const [, scheme, token = ''] = /^(bearer|dpop) +([^\s,]+)$/i.exec(authorization[0] ?? '') ?? [];
    const found = new Set(keyHeaders.flatMap((name) => request.headersDistinct[name.toLowerCase()] ?? []));
    if (authorization.length > 0) found.add(token);
    if (found.size > 1 || authorization.length > 1) {
      throw refusal(400, 'invalid_request', 'Send one credential.', { error: 'invalid_request' });
    }
    const [text] = found;
    if (text === undefined) {
      // No error code for a request that did not know better (RFC 6750 3.1).
      const wanted: Record<string, string> = scopes.length > 0 ? { scope: scopes.join(' ') } : {};
      throw refusal(401, 'unauthenticated', 'No credential was sent.', wanted);
    }
    const bound = scheme?.toLowerCase() === 'dpop';
    if (text === '' || text.length > 8192 || (bound && dpop.length !== 1)) {
      throw invalidToken('The credential is not valid.');
    }
    return { text, proof: bound ? dpop[0] : undefined };
  }

  /** RFC 9068 4. Null for a token that is bound to a key of its holder: only Gatehouse checks the proof. */
  async function readToken(token: string): Promise<Principal | null> {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience: [...audiences, issuer],
      typ: 'at+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['exp', 'iat', 'jti', 'sub', 'client_id'],
    }).catch((cause: { code?: string }) => {
      if (cause.code === errors.JWTExpired.code) throw invalidToken('The token has expired.');
      throw TOKEN_FAULTS.has(cause.code ?? '') ? invalidToken('The credential is not valid.') : unavailable(cause);
    });
    // Its own audience is good for a sign-in only; other tokens with it are for Gatehouse's own API.
    const named = [payload.aud ?? []].flat();
    if (payload.client_id !== LOGIN_CLIENT && !named.some((name) => audiences.includes(name))) {
      throw invalidToken('The credential is not valid.');
    }
    return payload.cnf === undefined ? principalOf(payload) : null;
  }

  async function ask({ text, proof }: Credential, scopes: readonly string[], asked: Asked): Promise<Outcome> {
    const { method = 'GET' } = asked.request;
    // A socket for both kinds shows IPv4 as IPv6.
    const ip = asked.address?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
    // A key may be allowed from some addresses only, and a proof is for one request: neither answer is another's.
    const about = proof === undefined ? digest([text, scopes, ip ?? null]) : null;
    const known = about === null ? undefined : answers.find(about);
    if (known) return known;
    const askedAt = performance.now();
    const response = await fetch(`${issuer}/v1/auth/verify`, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        'content-type': 'application/json',
        ...proofOfOurs,
        ...(proof === undefined ? {} : { dpop: proof }),
      },
      body: JSON.stringify({
        credential: text,
        required_scopes: scopes,
        audience: audiences,
        ...(environment === undefined ? {} : { environment }),
        ...(ip === undefined ? {} : { ip }),
        ...(proof === undefined ? {} : { method, url: origin + asked.target }),
      }),
    });
    const body = await response.text();
    const headers: Record<string, string> = {};
    for (const name of PASSED_ON) {
      const value = response.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    if (response.status !== 200) throw refusedBy(response, body, headers, scopes);
    const principal = JSON.parse(body) as Principal;
    // Many requests may get this one.
    Object.freeze(principal.scopes);
    const outcome: Outcome = { kind: 'admitted', principal: Object.freeze(principal), headers };
    // From the moment of the question, so that it is never older than Gatehouse allows.
    if (about !== null) answers.keep(about, outcome, askedAt + maxAgeMs(response));
    return outcome;
  }

  /** What Gatehouse says to the client, as it says it; what it says to us is not the client's fault. */
  function refusedBy(
    { status, headers }: Response,
    body: string,
    passedOn: Record<string, string>,
    scopes: readonly string[],
  ): Refusal {
    const error = /error="(\w+)"/.exec(headers.get('www-authenticate') ?? '')?.[1];
    const isTheirs = status === 401 || status === 429 || (status === 403 && error === 'insufficient_scope');
    if (!isTheirs) return unavailable(new Error(`${status} ${body.slice(0, 500)}`), headers.get('retry-after'));
    const wanted: Record<string, string> = error === 'insufficient_scope' ? { error, scope: scopes.join(' ') } : {};
    const challenge = status === 429 ? {} : challengeOf(status === 401 ? { error: 'invalid_token' } : wanted);
    const type = headers.get('content-type') ?? 'application/json';
    return new Refusal({ kind: 'refused', status, headers: { ...passedOn, ...challenge, 'content-type': type }, body });
  }

  async function judge(asked: Asked, scopes: readonly string[]): Promise<Outcome> {
    const credential = readCredential(asked, scopes);
    if (readsTokens && credential.proof === undefined && JWT.test(credential.text)) {
      const principal = await readToken(credential.text);
      if (principal) {
        const missing = scopes.find((scope) => !principal.scopes.includes(scope));
        if (missing === undefined) return { kind: 'admitted', principal, headers: {} };
        throw refusal(403, 'insufficient_scope', `The credential lacks the scope ${missing}.`, {
          error: 'insufficient_scope',
          scope: scopes.join(' '),
        });
      }
    }
    if (mode === 'local') throw invalidToken('This API takes JWT access tokens only.');
    return ask(credential, scopes, asked);
  }

  return {
    /** RFC 9728, at the path of the resource and, for whoever looks there first, at the root. */
    metadataPaths: [...new Set([WELL_KNOWN, metadataPath])],
    metadata: {
      resource,
      authorization_servers: [issuer],
      bearer_methods_supported: ['header'],
      ...(supported.length > 0 ? { scopes_supported: supported } : {}),
    },
    /** Never rejects: what cannot be checked is refused. */
    async check(asked: Asked, scopes: readonly string[]): Promise<Outcome> {
      dropIdentityHeaders(asked.request);
      try {
        return await judge(asked, scopes).catch((error: unknown) => {
          throw error instanceof Refusal ? error : unavailable(error);
        });
      } catch (error) {
        return (error as Refusal).outcome;
      }
    },
  };
}

/** X-Auth-* is how a proxy says who the caller is. Nobody but a proxy of ours may, and here is none. */
export function dropIdentityHeaders(request: IncomingMessage): void {
  const isIdentity = (name = ''): boolean => /^x[-_]auth[-_]/i.test(name);
  if (!Object.keys(request.headers).some(isIdentity)) return;
  const { rawHeaders } = request;
  // Node makes both of these from rawHeaders when they are first looked at, so they come first.
  for (const headers of [request.headers, request.headersDistinct]) {
    for (const name of Object.keys(headers)) if (isIdentity(name)) delete headers[name];
  }
  request.rawHeaders = rawHeaders.filter((_, index) => !isIdentity(rawHeaders[index - (index % 2)]));
}

function principalOf(claims: JWTPayload): Principal {
  const { sub = '', aud, iat, exp } = claims;
  const clientId = String(claims.client_id);
  return {
    method: clientId === LOGIN_CLIENT ? 'login' : 'access_token',
    subject: sub,
    subject_type: sub === clientId ? 'client' : 'user',
    client_id: clientId === LOGIN_CLIENT ? null : clientId,
    key_id: null,
    namespace: null,
    environment: null,
    scopes: typeof claims.scope === 'string' ? claims.scope.split(' ').filter(Boolean) : [],
    audience: (Array.isArray(aud) ? aud[0] : aud) ?? null,
    issued_at: time(iat),
    expires_at: time(exp),
  };
}

/** RFC 6749 2.3.1. */
function basic(id: string, secret: string): string {
  const pair = [id, secret].map((part) => encodeURIComponent(part)).join(':');
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

const time = (seconds: number | undefined): string | null =>
  seconds === undefined ? null : new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z');

/** No credential stays in memory for the cache's sake. */
const digest = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

function maxAgeMs({ headers }: Response): number {
  const directives = headers.get('cache-control') ?? '';
  return /no-store/.test(directives) ? 0 : Number(/max-age=(\d+)/.exec(directives)?.[1] ?? 0) * 1000;
}

/** Bounded; what was not used for the longest time goes first. */
function createAnswerCache() {
  const entries = new Map<string, { outcome: Outcome; until: number }>();
  return {
    find(key: string): Outcome | undefined {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      if (entry.until <= performance.now()) return undefined;
      entries.set(key, entry);
      return entry.outcome;
    },
    keep(key: string, outcome: Outcome, until: number): void {
      if (until <= performance.now()) return;
      entries.set(key, { outcome, until });
      if (entries.size > CACHED_ANSWERS) entries.delete(entries.keys().next().value as string);
    },
  };
}
