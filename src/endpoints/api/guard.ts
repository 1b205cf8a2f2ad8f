import type { PresentedCredential } from '../../domain/credentials/presented.ts';
import type { Principal, Resolution } from '../../domain/credentials/principal.ts';
import { type CredentialResolver, looksLikeToken } from '../../domain/credentials/resolve.ts';
import { type LimitDecision, type LimitSubject, type RateLimits, UNLIMITED } from '../../domain/limits/rate-limits.ts';
import { expandScopes, type ScopeDefinition } from '../../domain/scopes/scope.ts';
import type { UsageRecorder } from '../../domain/usage/usage.ts';
import type { RequestFacts } from '../../http/request-context.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import type { NoteRefusal } from './note-refusals.ts';

/** What the caller of a resource must be and may do. */
export interface Requirements {
  /** Which scopes may depend on who it is. */
  scopes?: readonly string[] | ((principal: Principal) => readonly string[]);
  /** Any of them. */
  audiences?: readonly string[];
  /** Any of them; all when left out. Tokens and sign-ins count as the usual one. */
  environments?: readonly string[];
  /** Let in whatever the limits say, which count all the same: nobody may keep an owner from taking rights away. */
  unlimited?: boolean;
}

/** The request that is judged, for credentials that are bound to a key of their holder. */
export interface JudgedRequest {
  method: string;
  url: string;
  /** The values of the DPoP header. */
  proofs: readonly string[];
  certificateThumbprint: string | null;
}

export interface Admitted {
  principal: Principal;
  limits: LimitDecision;
  /** For so many milliseconds the answer may be believed without asking again. */
  believableMs: number;
  /** Counts another use of it, for an answer that is given again. */
  count: () => void;
}

/** Lets a credential in, or throws what to tell its holder: unauthenticated, insufficient_scope, rate_limit_exceeded. */
export type Guard = (
  presented: PresentedCredential | null,
  requirements: Requirements,
  request: {
    facts: RequestFacts;
    /** Asked for bound credentials only, and few are. */
    judged: () => JudgedRequest;
    /** Where the judged request came from, when that is told; for what is good from some addresses only. */
    ip?: string;
    onLimits?: (decision: LimitDecision) => void;
  },
) => Promise<Admitted>;

/** Why a bound credential was sent by somebody who is not its holder; null when it was not. */
export type CheckBinding = (
  confirmation: Principal['confirmation'],
  presented: PresentedCredential,
  judged: JudgedRequest,
) => Promise<string | null>;

export function createGuard({
  resolver,
  checkBinding,
  rateLimits,
  usage,
  noteRefusal,
  isApiKey,
  catalogue,
  usualEnvironment,
  revocationBoundMs,
  realm,
  clock,
}: {
  resolver: CredentialResolver;
  checkBinding: CheckBinding;
  rateLimits: RateLimits;
  usage: UsageRecorder;
  noteRefusal: NoteRefusal;
  /** By its looks, to word a refusal. */
  isApiKey: (text: string) => boolean;
  catalogue: readonly ScopeDefinition[];
  /** Of credentials that name none: tokens and sessions. */
  usualEnvironment: string;
  revocationBoundMs: number;
  /** The issuer. */
  realm: string;
  clock: Clock;
}): Guard {
  const challenge = (
    { audiences: [audience = realm] = [] }: Requirements,
    parts: Record<string, string>,
  ): Record<string, string> => ({
    'WWW-Authenticate': `Bearer ${Object.entries({ realm, ...parts, ...resourceMetadata(audience) })
      .map(([name, value]) => `${name}="${value}"`)
      .join(', ')}`,
  });

  const note = (reason: string, facts: RequestFacts, known: Partial<Principal> & { ownerId?: string | null }) =>
    noteRefusal(
      'credential.refused',
      facts,
      { keyId: known.keyId ?? null, accountId: known.ownerId ?? null, clientId: known.clientId ?? null },
      { reason, ...(known.method ? { method: known.method } : {}) },
    );

  /** One answer for everything that is wrong with a credential; only a token that was ours and is over says so. */
  async function refuse(
    refusal: Extract<Resolution, { kind: 'refused' }>,
    presented: PresentedCredential,
    requirements: Requirements,
    facts: RequestFacts,
  ): Promise<AppError> {
    await note(refusal.reason, facts, refusal);
    return unauthenticated(presented, requirements, refusal.reason === 'expired' && refusal.method !== 'api_key');
  }

  function unauthenticated(presented: PresentedCredential, requirements: Requirements, expired = false): AppError {
    const { from, text } = presented;
    const stoodForToken = from.endsWith('cookie') || from === 'dpop' || (from === 'bearer' && !isApiKey(text));
    const isToken = stoodForToken || looksLikeToken(text);
    return new AppError(expired ? 'token_expired' : 'unauthenticated', {
      ...(expired ? {} : { public: 'The credential is not valid.' }),
      headers: challenge(requirements, { error: 'invalid_token' }),
      facts: { credential: isToken ? 'token' : 'api_key' },
    });
  }

  return async (presented, requirements, { facts, judged, ip = facts.ip, onLimits }) => {
    if (!presented) {
      throw new AppError('unauthenticated', {
        public: 'No credential was sent.',
        headers: challenge(requirements, {}),
      });
    }
    const resolution = await resolver.resolve(presented, { ip, addressGroup: facts.addressGroup });
    if (resolution.kind === 'refused') throw await refuse(resolution, presented, requirements, facts);
    const { principal } = resolution;
    const ownerId = principal.subjectType === 'user' ? principal.subject : null;
    const refuseUse = async (reason: string, error: AppError): Promise<AppError> => {
      count(principal, 'refused');
      await note(reason, facts, { ...principal, ownerId });
      return error;
    };

    if (principal.confirmation !== null || presented.from === 'dpop') {
      const unbound = await checkBinding(principal.confirmation, presented, judged());
      if (unbound !== null) throw await refuseUse(unbound, unauthenticated(presented, requirements));
    }
    const { audiences, environments } = requirements;
    const scopes =
      typeof requirements.scopes === 'function' ? requirements.scopes(principal) : (requirements.scopes ?? []);
    if (audiences && !isMeantFor(principal, audiences)) {
      const error = new AppError('unauthenticated', {
        public: 'The token is meant for another audience.',
        headers: challenge(requirements, { error: 'invalid_token' }),
        facts: { credential: 'token' },
      });
      throw await refuseUse('wrong-audience', error);
    }
    if (environments && !environments.includes(principal.environment ?? usualEnvironment)) {
      throw await refuseUse('wrong-environment', unauthenticated(presented, requirements));
    }
    const missing = scopes.length === 0 ? undefined : firstMissing(principal, scopes);
    if (missing !== undefined) {
      throw await refuseUse(
        'insufficient-scope',
        new AppError('insufficient_scope', {
          public: `The credential lacks the scope ${missing}.`,
          headers: challenge(requirements, { error: 'insufficient_scope', scope: scopes.join(' ') }),
          facts: { scope: missing },
        }),
      );
    }

    const subject = limitSubject(principal, facts);
    const isLimited = rateLimits.applies(subject);
    const limits = isLimited ? await rateLimits.take(subject) : UNLIMITED;
    onLimits?.(limits);
    if (!limits.allowed && !requirements.unlimited) {
      count(principal, 'refused');
      throw new AppError('rate_limit_exceeded', {
        public: 'Too many requests with this credential.',
        retryAfterSeconds: limits.retryAfterSeconds,
      });
    }
    count(principal, 'allowed');
    // Limits count every request; a cookie is good for some requests only, and that is looked at each time.
    const mustAskAgain = isLimited || presented.from.endsWith('cookie');
    return {
      principal,
      limits,
      believableMs: mustAskAgain ? 0 : believableMs(principal, resolution.readAtMs),
      count: () => count(principal, 'allowed'),
    };
  };

  function firstMissing(principal: Principal, wanted: readonly string[]): string | undefined {
    const held = expandScopes(principal.scopes, catalogue);
    return wanted.find((scope) => !held.has(scope));
  }

  function count({ keyId, subject, environment, oldSecretEndsAt }: Principal, outcome: 'allowed' | 'refused'): void {
    if (keyId === null || environment === null) return;
    usage.record({ keyId, ownerId: subject, environment, outcome, oldSecret: oldSecretEndsAt !== null });
  }

  /**
   * What is left of the revocation bound, and never more than is left of the credential. Nothing of one that is only good with
   * a proof or from an address: whoever remembers the answer does not look at those.
   */
  function believableMs(
    { expiresAt, oldSecretEndsAt, confirmation, addressBound }: Principal,
    readAtMs: number,
  ): number {
    if (confirmation !== null || addressBound) return 0;
    const nowMs = clock.nowMs();
    // A clock that was set back must not make an answer good for longer.
    const boundMs = revocationBoundMs - Math.max(0, nowMs - readAtMs);
    const endsAt = Math.min(
      expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt * 1000,
      oldSecretEndsAt ?? Number.POSITIVE_INFINITY,
    );
    return Math.max(0, Math.min(boundMs, endsAt - nowMs));
  }
}

/**
 * API keys and sign-ins by the user are for the whole product. An access token was given to an app for one audience; without one it
 * is for userinfo alone: an app that was let see who somebody is was not let do anything else.
 */
export const isMeantFor = ({ method, audience }: Principal, wanted: readonly string[]): boolean =>
  method !== 'access_token' || (audience !== null && wanted.includes(audience));

/** RFC 9728 3.1: the document of a resource server, when its identifier says where that would be. */
function resourceMetadata(audience: string): Record<string, string> {
  const url = URL.parse(audience);
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) return {};
  const path = url.pathname === '/' ? '' : url.pathname;
  return { resource_metadata: `${url.origin}/.well-known/oauth-protected-resource${path}` };
}

function limitSubject(principal: Principal, facts: RequestFacts): LimitSubject {
  const { method, subject, keyId, clientId, environment, limit } = principal;
  return { method, subject, keyId, clientId, environment, limit, addressGroup: facts.addressGroup };
}
