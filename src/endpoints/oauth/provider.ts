import type Keygrip from 'keygrip';
import type { Context } from 'koa';
import { type Adapter, type Configuration, interactionPolicy, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Lifetimes, Paths } from '../../config/config.ts';
import { type Account, displayName, signInCounts } from '../../domain/accounts/account.ts';
import type { AccountStore } from '../../domain/accounts/account-store.ts';
import type { RecordAudit } from '../../domain/audit/audit.ts';
import { type ScopeDefinition, stillHeld } from '../../domain/scopes/scope.ts';
import type { LoadedSigningKey } from '../../domain/signing-keys/key-material.ts';
import type { BearerText } from '../../domain/tokens/bearer-text.ts';
import type { Clock } from '../../kit/clock.ts';
import type { FormPage } from './form-page.ts';
import { unverifiedSubjectOf } from './id-token-hint.ts';
import { createPolicies, type PolicyStores, SCOPE_CLAIMS } from './policies.ts';

export interface ProviderOptions extends PolicyStores {
  issuer: string;
  paths: Paths;
  lifetimes: Lifetimes;
  clock: Clock;
  audit: RecordAudit;
  /** Signing keys, active ones first: the engine signs with the first of an algorithm. */
  keys: readonly LoadedSigningKey[];
  cookieKeys: Keygrip;
  adapter: (model: string) => Adapter;
  accounts: Pick<AccountStore, 'find'>;
  pages: EnginePages;
  bearerText: BearerText;
  /** The scopes of our own API, which accounts may have or not. */
  catalogue: readonly ScopeDefinition[];
}

/** The pages the engine asks for. */
export interface EnginePages {
  error: (ctx: KoaContextWithOIDC, out: { error: string; error_description?: string }, cause: Error) => Promise<void>;
  signOut: (ctx: KoaContextWithOIDC, form: string) => Promise<void>;
  signedOut: (ctx: KoaContextWithOIDC) => Promise<void>;
  form: (ctx: Context, page: FormPage) => string;
}

export const sessionCookieName = (secure: boolean): string =>
  secure ? '__Host-gatehouse_session' : 'gatehouse_session';

/** The engine, wholly configured. Every option that differs from its default says why. */
export function createProvider(options: ProviderOptions): Provider {
  const { issuer, paths, lifetimes, clock, pages } = options;
  const policies = createPolicies(options);
  const secure = issuer.startsWith('https:');
  const basePath = new URL(issuer).pathname.replace(/\/$/, '');

  const configuration: Configuration = {
    adapter: options.adapter,
    jwks: { keys: options.keys.map((key) => key.privateJwk) as never },
    routes: {
      authorization: paths.authorize,
      token: paths.token,
      introspection: paths.introspect,
      revocation: paths.revoke,
      userinfo: paths.userinfo,
      end_session: paths.logout,
      jwks: paths.jwks,
    },

    // Implicit and hybrid flows put tokens into URLs (RFC 9700 2.1.2).
    responseTypes: ['code'],
    // For the metadata only (client-authentication.ts authenticates). client_secret_jwt would need the secret in clear.
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    // Asymmetric algorithms only: nothing at rest could verify HS256.
    enabledJWA: {
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA'],
      idTokenSigningAlgValues: ['RS256', 'ES256'],
      userinfoSigningAlgValues: ['RS256', 'ES256'],
    },
    // For every client, unless a confidential one was given a waiver (RFC 9700 2.1.1). S256 is the engine's only method.
    pkce: { required: (_ctx, client) => client.require_pkce !== false },
    extraClientMetadata: { properties: ['require_pkce', 'allowed_origins'] },
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    // Other machines' clocks may be a little off; 15 s is more than a little.
    clockTolerance: 10,

    scopes: ['openid', 'offline_access'],
    claims: {
      ...(SCOPE_CLAIMS as Record<string, string[]>),
      // So that clients can ask for them one by one, and id tokens carry them.
      acr: null,
      amr: null,
      auth_time: null,
      iss: null,
      sid: null,
    },
    // Asked at every authorization, code, refresh and userinfo request: a disabled account, and a sign-in from before a
    // password change, end there at once, whatever a request under way may have written since.
    async findAccount(ctx, sub, token) {
      const account = await findOncePerRequest(ctx, sub, options.accounts);
      const signedInAt = token === undefined ? ctx.oidc.session?.loginTs : (token as { authTime?: number }).authTime;
      if (!account || !signInCounts(account, signedInAt ?? Number.POSITIVE_INFINITY)) return undefined;
      // A session slides while it is used; this is where it ends all the same.
      const sessionEnds = (signedInAt ?? 0) + lifetimes.sessionAbsolute;
      if (token === undefined && signedInAt !== undefined && sessionEnds <= clock.nowSeconds()) return undefined;
      return { accountId: account.id, claims: () => claimsOf(account) };
    },
    loadExistingGrant: policies.loadExistingGrant,

    features: {
      devInteractions: { enabled: false },
      // Listed in the metadata; the endpoints are ours: introspection.ts, revocation.ts, token-endpoint.ts.
      introspection: { enabled: true, allowedPolicy: async () => false },
      revocation: { enabled: true, allowedPolicy: async () => false },
      clientCredentials: { enabled: true },
      // On by default in the engine, and not offered yet.
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      claimsParameter: { enabled: true, assertClaimsParameter: policies.assertClaims },
      rpInitiatedLogout: { enabled: true, logoutSource: pages.signOut, postLogoutSuccessSource: pages.signedOut },
      resourceIndicators: {
        enabled: true,
        defaultResource: policies.defaultResource,
        useGrantedResource: policies.useGrantedResource,
        getResourceServerInfo: policies.getResourceServerInfo,
      },
    },
    formats: {
      customizers: {
        jwt: async (ctx, token, jwt) => {
          // Lets introspection see that the grant behind a JWT was revoked.
          if ('grantId' in token && token.grantId) Object.assign(jwt.payload, { gid: token.grantId });
          // An API that verifies the token by itself must not believe what the account no longer has.
          if (!('accountId' in token) || !token.scope) return;
          const account = await findOncePerRequest(ctx as KoaContextWithOIDC, token.accountId, options.accounts);
          const held = stillHeld(token.scope.split(' '), account?.scopes ?? null, options.catalogue);
          Object.assign(jwt.payload, { scope: held.join(' ') });
        },
      },
    },

    // Browser applications call these endpoints from the origins they registered, and no others.
    clientBasedCORS: (_ctx, origin, client) =>
      ((client.allowed_origins as string[] | undefined) ?? []).includes(origin),
    extraParams: {
      // Not parameters: the engine runs these hooks for every authorization request, after it has checked the scope.
      'urn:gatehouse:size': (ctx) => policies.checkSize(ctx),
      'urn:gatehouse:challenge': (ctx) => policies.checkChallenge(ctx),
      'urn:gatehouse:offline-access': (ctx, _value, client) => policies.keepOfflineAccess(ctx, client),
    },
    // The refresh_token grant alone decides whether there is a refresh token; offline_access whether it outlives sign-out.
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async (_ctx, token) => !token.scopes.has('offline_access'),
    // Always: rotation reveals a stolen refresh token, and the grace window keeps honest retries alive.
    rotateRefreshToken: () => true,

    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? lifetimes.accessToken,
      AuthorizationCode: lifetimes.code,
      // Not used: grants.ts stores grants, and lets each live about as long as its newest token.
      Grant: lifetimes.refreshAbsolute,
      IdToken: lifetimes.idToken,
      Interaction: lifetimes.interaction,
      // Idle time, but never beyond the end of the family: rotation must not prolong it (ASVS 10.4.8).
      RefreshToken: (_ctx, token) => {
        const now = clock.nowSeconds();
        return Math.max(1, Math.min(lifetimes.refreshIdle, (token.iiat ?? now) + lifetimes.refreshAbsolute - now));
      },
      // The engine's sessions slide for ever; these end at an absolute age too.
      Session: (_ctx, session) => {
        const now = clock.nowSeconds();
        return Math.max(1, Math.min(lifetimes.sessionIdle, (session.loginTs ?? now) + lifetimes.sessionAbsolute - now));
      },
    },
    cookies: {
      keys: options.cookieKeys as never,
      names: {
        session: sessionCookieName(secure),
        // Scoped to the path of one interaction, which the __Host- prefix forbids.
        interaction: secure ? '__Secure-gatehouse_interaction' : 'gatehouse_interaction',
        resume: secure ? '__Secure-gatehouse_resume' : 'gatehouse_resume',
      },
      long: { httpOnly: true, sameSite: 'lax', signed: true, overwrite: true, path: '/' },
      short: { httpOnly: true, sameSite: 'lax', signed: true, overwrite: true },
    },
    interactions: {
      policy: signInPolicy(),
      url: (_ctx, interaction) => `${basePath}/interaction/${interaction.uid}`,
    },
    renderError: pages.error as Configuration['renderError'] & {},
  };

  return boundToSession(hardened(new Provider(issuer, configuration), options.bearerText));
}

/**
 * The engine's prompts, and two more reasons to sign in: the session's account or its sign-in counts no longer, or the client wants
 * somebody else by a hint that cannot be checked any more.
 */
function signInPolicy(): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const { Check } = interactionPolicy;
  const ended = new Check('sign_in_ended', 'the sign-in has ended', 'login_required', (ctx) => {
    const { session, account } = ctx.oidc;
    return session?.accountId !== undefined && account === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
  });
  policy.get('login')?.checks.add(ended);
  const wanted = new Check('unverified_hint', 'the hint names somebody else', 'login_required', (ctx) => {
    const { session } = ctx.oidc;
    const subject = unverifiedSubjectOf(ctx);
    const another = subject !== undefined && session?.accountId !== undefined && session.accountId !== subject;
    return another ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
  });
  policy.get('login')?.checks.add(wanted);
  return policy;
}

function hardened(provider: Provider, bearerText: BearerText): Provider {
  // The engine's own client authentication is unreachable; should a route ever lead to it, no secret passes.
  Object.assign(provider.Client.prototype, { compareClientSecret: () => false });
  // Scannable prefixes: leaked tokens can be found by pattern, and introspection knows the kind without asking the store.
  for (const [model, prefix] of [
    [provider.AccessToken, 'gat_'],
    [provider.RefreshToken, 'grt_'],
    [provider.AuthorizationCode, 'gac_'],
  ] as const) {
    const prototype = model.prototype as unknown as { generateTokenId(): string; format?: string };
    const generate = prototype.generateTokenId;
    prototype.generateTokenId = function prefixed(this: typeof prototype): string {
      const id = generate.call(this);
      return this.format === 'jwt' ? id : bearerText.make(prefix, id);
    };
  }
  return provider;
}

/**
 * A token that ends with its session needs the session and its account; its own grant is looked for elsewhere. The engine wants the
 * grant to be the session's last one for the client, so that a new authorization would end what the same browser was given before.
 */
function boundToSession(provider: Provider): Provider {
  for (const model of [provider.AccessToken, provider.RefreshToken, provider.AuthorizationCode]) {
    const statics = model as unknown as { find: Find };
    const find = statics.find;
    statics.find = async function bound(this: unknown, value, options) {
      const token = await find.call(this, value, { ...options, ignoreSessionBinding: true });
      if (!token?.expiresWithSession || options?.ignoreSessionBinding) return token;
      const session = await provider.Session.findByUid(String(token.sessionUid));
      return session?.accountId === token.accountId ? token : undefined;
    };
  }
  return provider;
}

type Find = (
  this: unknown,
  value: string,
  options?: { ignoreSessionBinding?: boolean },
) => Promise<{ expiresWithSession?: boolean; sessionUid?: string; accountId: string } | undefined>;

async function findOncePerRequest(
  ctx: KoaContextWithOIDC,
  sub: string,
  accounts: Pick<AccountStore, 'find'>,
): Promise<Account | null> {
  ctx.state.accounts ??= new Map<string, Promise<Account | null>>();
  const memo = ctx.state.accounts as Map<string, Promise<Account | null>>;
  let found = memo.get(sub);
  if (!found) {
    found = accounts.find(sub);
    memo.set(sub, found);
  }
  return found;
}

function claimsOf(account: Account) {
  return {
    sub: account.id,
    name: displayName(account),
    given_name: account.givenName ?? undefined,
    family_name: account.familyName ?? undefined,
    updated_at: Math.floor(account.updatedAt / 1000),
    email: account.email,
    email_verified: account.emailVerified,
  };
}
