import type { Clock } from '../../kit/clock.ts';
import { sha256 } from '../../kit/digest.ts';
import { createTaggedCache } from '../../kit/tagged-cache.ts';
import { type Account, signInCounts } from '../accounts/account.ts';
import { LOGIN_CLIENT_ID } from '../login/login-session.ts';
import type { BearerText } from '../tokens/bearer-text.ts';
import type { VerifyJwt } from './access-token-verifier.ts';
import type { CredentialTag } from './announce.ts';
import type { Caller } from './api-key-resolver.ts';
import type { CredentialMethod, Principal, RefusalReason, Resolution } from './principal.ts';
import { createUnknownLookups } from './unknown-lookups.ts';

/** An OAuth access token that nothing has ended yet, as the token endpoint's side of the house finds it. */
export interface FoundAccessToken {
  clientId: string;
  /** The account, or the client itself. */
  subject: string;
  scope: string | undefined;
  audience: string | undefined;
  issuedAt: number | undefined;
  expiresAt: number;
  grantId: string | undefined;
  confirmation: Principal['confirmation'];
  /** The digest under which its revocation would be announced. */
  tokenId: string;
}

/** A signed-in browser, by the cookie of the sign-in pages. Seconds. */
export interface FoundSession {
  accountId: string;
  signedInAt: number;
  expiresAt: number;
  /** The digest under which its end would be announced. */
  tokenId: string;
}

export type TokenResolverKind = 'token' | 'login' | 'session';

export interface TokenResolver {
  /** `login`: nothing but an access token of the JSON login, whose cookie it came in. */
  resolve(text: string, kind: TokenResolverKind, caller: Caller): Promise<Resolution>;
  /** Whether a text that looks like a token was not made here: by its tag, or by its signature and issuer. */
  isForeign(text: string): Promise<boolean>;
  /** The same for opaque tokens alone, which takes a digest. */
  isForeignByTag(text: string): boolean;
  forget(tag: CredentialTag): void;
}

const UNTAGGED_PER_SECOND = 50;
const UNTAGGED_PER_CALLER = 20;
/** Milliseconds. */
const DOUBTFUL_MS = 1000;

const OPAQUE = /^gat_[A-Za-z0-9_-]{43}$/;
const ANY_OPAQUE = /^g[ar]t_[A-Za-z0-9_-]{43}$/;
const MAX_JWT = 8192;
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

type Found = { principal: Principal; tags: readonly string[] } | { refused: RefusalReason; method: CredentialMethod };

/** Finds out what an access token, a login JWT or a session cookie stands for; a warm one costs no I/O. */
export function createTokenResolver({
  bearerText,
  verifyJwt,
  findAccessToken,
  findSession,
  loginSessionLives,
  findAccount,
  findClientOwner,
  heldScopes,
  allScopes,
  cacheMs,
  clock,
}: {
  bearerText: BearerText;
  verifyJwt: VerifyJwt;
  findAccessToken: (text: string) => Promise<FoundAccessToken | null>;
  findSession: (value: string) => Promise<FoundSession | null>;
  loginSessionLives: (sessionId: string) => Promise<boolean>;
  findAccount: (id: string) => Promise<Account | null>;
  /** The account that made a client; null for the clients of the operator. */
  findClientOwner: (clientId: string) => Promise<string | null>;
  heldScopes: (granted: readonly string[], account: Account) => readonly string[];
  /** What a user may do who is signed in in person. */
  allScopes: (account: Account) => readonly string[];
  cacheMs: number;
  clock: Clock;
}): TokenResolver {
  const lookups = createUnknownLookups({ perSecond: UNTAGGED_PER_SECOND, perCaller: UNTAGGED_PER_CALLER, clock });
  // By digest: the memory of the process is no place for bearer values either.
  const cache = createTaggedCache<Found>({
    max: 100_000,
    ttlMs: cacheMs,
    tagsOf: (found) => ('principal' in found ? found.tags : []),
    worthKeeping: (found) => 'principal' in found,
    doubtfulMs: DOUBTFUL_MS,
    clock,
  });

  async function readJwt(text: string): Promise<Found> {
    const jwt = await verifyJwt(text);
    if (jwt.kind !== 'valid') {
      return { refused: jwt.kind === 'expired' ? 'expired' : 'malformed', method: 'access_token' };
    }
    return jwt.claims.client_id === LOGIN_CLIENT_ID ? readLogin(jwt.claims) : readAccessToken(text);
  }

  async function readLogin(claims: Record<string, unknown>): Promise<Found> {
    const {
      sub,
      sid,
      aud,
      scope,
      iat,
      exp,
      auth_time: signedInAt,
    } = claims as Record<string, string> & {
      iat: number;
      exp: number;
      auth_time: number;
    };
    const [account, lives] = await Promise.all([findAccount(sub as string), loginSessionLives(String(sid))]);
    if (!account || !lives || !signInCounts(account, signedInAt)) return { refused: 'ended', method: 'login' };
    return {
      principal: {
        ...personal(account),
        method: 'login',
        scopes: heldScopes(
          String(scope ?? '')
            .split(' ')
            .filter(Boolean),
          account,
        ),
        audience: aud ?? null,
        issuedAt: iat,
        expiresAt: exp,
        sessionId: String(sid),
      },
      tags: [`account:${account.id}`, `grant:${sid}`],
    };
  }

  async function readAccessToken(text: string): Promise<Found> {
    const token = await findAccessToken(text);
    return token ? foundToken(token) : { refused: 'ended', method: 'access_token' };
  }

  async function foundToken(token: FoundAccessToken): Promise<Found> {
    const isUser = token.subject !== token.clientId;
    // A client that a user made for a machine can do no more than its maker.
    const ownerId = isUser ? token.subject : await findClientOwner(token.clientId);
    const account = ownerId === null ? null : await findAccount(ownerId);
    if (ownerId !== null && (!account || account.disabledAt !== null))
      return { refused: 'owner-disabled', method: 'access_token' };
    const granted = (token.scope ?? '').split(' ').filter(Boolean);
    return {
      principal: {
        method: 'access_token',
        subject: token.subject,
        subjectType: isUser ? 'user' : 'client',
        clientId: token.clientId,
        keyId: null,
        namespace: null,
        environment: null,
        scopes: account ? heldScopes(granted, account) : granted,
        audience: token.audience ?? null,
        issuedAt: token.issuedAt ?? null,
        expiresAt: token.expiresAt,
        sessionId: null,
        confirmation: token.confirmation,
        addressBound: false,
        limit: null,
        oldSecretEndsAt: null,
      },
      tags: [
        `token:${token.tokenId}`,
        `client:${token.clientId}`,
        ...(account ? [`account:${account.id}`] : []),
        ...(token.grantId === undefined ? [] : [`grant:${token.grantId}`]),
      ],
    };
  }

  async function readSession(value: string): Promise<Found> {
    const session = await findSession(value);
    const account = session && (await findAccount(session.accountId));
    if (!session || !account || !signInCounts(account, session.signedInAt)) {
      return { refused: 'ended', method: 'session' };
    }
    return {
      principal: {
        ...personal(account),
        method: 'session',
        scopes: allScopes(account),
        issuedAt: session.signedInAt,
        expiresAt: session.expiresAt,
      },
      tags: [`account:${account.id}`, `token:${session.tokenId}`],
    };
  }

  /** From before texts were tagged. Anyone can make one up, so no more than a few are looked for. */
  async function readUntagged(text: string, addressGroup: string): Promise<Found> {
    const token = await lookups.run(sha256(text), addressGroup, () => findAccessToken(text));
    return token ? foundToken(token) : { refused: 'ended', method: 'access_token' };
  }

  const isForeignByTag = (text: string): boolean => ANY_OPAQUE.test(text) && !bearerText.isOurs(text);

  async function read(text: string, kind: 'token' | 'session', caller: Caller): Promise<Found> {
    if (kind === 'session') return readSession(text);
    if (bearerText.isOurs(text)) return readAccessToken(text);
    if (OPAQUE.test(text)) return readUntagged(text, caller.addressGroup);
    return text.length <= MAX_JWT && JWT.test(text) ? readJwt(text) : { refused: 'malformed', method: 'access_token' };
  }

  return {
    async resolve(text, kind, caller) {
      const source = kind === 'session' ? 'session' : 'token';
      const entry = await cache.find(sha256(`${source}\0${text}`), () => read(text, source, caller));
      if (!entry) return refused('unknown', 'access_token');
      const { value: found, readAtMs } = entry;
      if ('refused' in found) return refused(found.refused, found.method);
      const { principal } = found;
      if (kind === 'login' && principal.method !== 'login') return refused('malformed', principal.method);
      if (principal.expiresAt !== null && principal.expiresAt <= clock.nowSeconds()) {
        return refused('expired', principal.method);
      }
      return { kind: 'resolved', principal, readAtMs };
    },
    isForeignByTag,
    async isForeign(text) {
      if (ANY_OPAQUE.test(text)) return isForeignByTag(text);
      return !(text.length <= MAX_JWT && JWT.test(text)) || (await verifyJwt(text)).kind === 'invalid';
    },
    forget: (tag) => cache.forget(tag),
  };
}

const personal = (account: Account): Omit<Principal, 'method' | 'scopes' | 'issuedAt' | 'expiresAt'> => ({
  subject: account.id,
  subjectType: 'user',
  clientId: null,
  keyId: null,
  namespace: null,
  environment: null,
  audience: null,
  sessionId: null,
  confirmation: null,
  addressBound: false,
  limit: null,
  oldSecretEndsAt: null,
});

const refused = (reason: RefusalReason, method: CredentialMethod): Resolution => ({
  kind: 'refused',
  reason,
  method,
  keyId: null,
  ownerId: null,
  environment: null,
});
