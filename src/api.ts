import type { Context } from 'koa';
import type { Account } from './domain/accounts/account.ts';
import { createDeviceTokens } from './domain/accounts/known-device.ts';
import type { SignIn } from './domain/accounts/sign-in.ts';
import { refreshDigest } from './domain/api-keys/key-digests.ts';
import type { Client } from './domain/clients/client.ts';
import type { VerifyJwt } from './domain/credentials/access-token-verifier.ts';
import { createApiKeyResolver } from './domain/credentials/api-key-resolver.ts';
import type { Principal } from './domain/credentials/principal.ts';
import { createCredentialResolver, looksLikeToken } from './domain/credentials/resolve.ts';
import { createTokenResolver, type FoundAccessToken, type FoundSession } from './domain/credentials/token-resolver.ts';
import { createLogin } from './domain/login/create-login.ts';
import { expandScopes, scopesOfAccount, stillHeld } from './domain/scopes/scope.ts';
import type { BearerText } from './domain/tokens/bearer-text.ts';
import { createUsageReports } from './domain/usage/usage-reports.ts';
import { createBelievesAddress } from './endpoints/api/believes-address.ts';
import { createApi } from './endpoints/api/create-api.ts';
import type { Dialect } from './endpoints/api/dialect.ts';
import canonical from './endpoints/api/dialects/gatehouse.ts';
import { createEnvironmentsOf } from './endpoints/api/environments.ts';
import { createErrorWriter } from './endpoints/api/error-writer.ts';
import { createExposed } from './endpoints/api/exposed.ts';
import { createForwardAuth } from './endpoints/api/forward-auth.ts';
import { FORWARD_AUTH } from './endpoints/api/forwarded-request.ts';
import { type CheckBinding, createGuard } from './endpoints/api/guard.ts';
import { createAccountHandlers } from './endpoints/api/handlers/account.ts';
import { createApiKeyHandlers } from './endpoints/api/handlers/api-keys.ts';
import { createClientHandlers } from './endpoints/api/handlers/clients.ts';
import { createProviderKeyHandlers } from './endpoints/api/handlers/provider-keys.ts';
import { createSignInHandlers } from './endpoints/api/handlers/sign-in.ts';
import { createUsageHandler } from './endpoints/api/handlers/usage.ts';
import { createVerifyHandler } from './endpoints/api/handlers/verify.ts';
import { judgedRequest } from './endpoints/api/judged-request.ts';
import { createApiDevice } from './endpoints/api/known-device.ts';
import { createLimitByCaller } from './endpoints/api/limit-by-caller.ts';
import { createLoginCookies } from './endpoints/api/login-cookies.ts';
import { createNoteRefusal } from './endpoints/api/note-refusals.ts';
import { createReadPresented } from './endpoints/api/presented.ts';
import { createUseProviderKey } from './endpoints/api/use-provider-key.ts';
import { createWellKnown } from './endpoints/api/well-known.ts';
import type { createDeviceCookie } from './http/device-cookie.ts';
import { factsOf } from './http/request-context.ts';
import type { ErrorWriter, Route } from './http/routes.ts';
import { AppError } from './kit/errors.ts';
import { CACHE_MS, type Services } from './services.ts';

/** The JSON API, and what the rest of the server needs of it. */
export interface Api {
  route(path: string): Route | null;
  /** For paths that nobody answers. */
  writeError: ErrorWriter;
  /** In force, the product's own first. */
  dialects: readonly [Dialect, ...Dialect[]];
  /** Where credentials stand, in small letters. */
  credentialHeaders: ReadonlySet<string>;
  /** What one of them tries to be that holds what can be no credential, for certain; else null. */
  malformedKind(name: string, value: string): 'api_key' | 'token' | null;
  /** For introspection. `environments`: which ones it may be of; the usual one when undefined. */
  findApiKey(ctx: Context, text: string, environments: readonly string[] | undefined): Promise<Principal | null>;
  /** False for a token that was made here, over or not; of anything else `findApiKey` may know a key. */
  mayBeKey(text: string): Promise<boolean>;
  /** Whether tokens are among what a question names, which count as the usual environment. */
  includesUsualEnvironment(environments: readonly string[] | undefined): boolean;
  limitAuthorize(ctx: Context): Promise<void>;
}

/** Wires the JSON API, verify and forward-auth; the part of app.ts that is not OAuth. */
export function createJsonApi({
  services,
  bearerText,
  verifyJwt,
  signIn,
  deviceCookie,
  receiptKey,
  sessionCookie,
  findAccessToken,
  findSession,
  loginSessionKey,
  authenticateCaller,
  isTrustedProxy,
  checkBinding,
  thumbprintOf,
  observeRevocationLag,
}: {
  services: Services;
  bearerText: BearerText;
  verifyJwt: VerifyJwt;
  signIn: SignIn;
  deviceCookie: ReturnType<typeof createDeviceCookie>;
  receiptKey: (token: string) => string;
  /** The cookie of the sign-in pages. */
  sessionCookie: string;
  findAccessToken: (text: string) => Promise<FoundAccessToken | null>;
  findSession: (value: string) => Promise<FoundSession | null>;
  /** Under which a session of the JSON login is stored. */
  loginSessionKey: (sessionId: string) => string;
  authenticateCaller: (ctx: Context) => Promise<{ client: Client; scopes: readonly string[] }>;
  isTrustedProxy: (address: string) => boolean;
  checkBinding: CheckBinding;
  thumbprintOf: (ctx: Context) => string | null;
  observeRevocationLag: (seconds: number) => void;
}): Api {
  const { config, stores, clock, audit, catalogue, keyFormat, keyDigests, product, manageApiKeys, vault, usage } =
    services;
  const { issuer, lifetimes } = config;
  const { dialect } = product;
  const { origin, protocol } = new URL(issuer);
  const scopesOf = ({ scopes }: Account): string[] => scopesOfAccount(scopes, catalogue);
  // With all that they include: who asks should not have to know what our scopes mean.
  const heldScopes = (granted: readonly string[], { scopes }: Account): string[] => [
    ...expandScopes(stillHeld(granted, scopes, catalogue), catalogue),
  ];

  const resolver = createCredentialResolver({
    apiKeys: createApiKeyResolver({
      apiKeys: stores.apiKeys,
      format: keyFormat,
      digests: keyDigests,
      importedDigests: services.importedDigests.importedDigestsOf,
      heldScopes,
      cacheMs: CACHE_MS,
      clock,
      onOutdatedDigest(key, text) {
        const refreshed = refreshDigest(keyDigests, key, text);
        // Best effort: the next use tries again.
        if (refreshed)
          stores.apiKeys.update(refreshed).then(
            () => services.announce(`key:${key.id}`),
            () => undefined,
          );
      },
    }),
    tokens: createTokenResolver({
      bearerText,
      verifyJwt,
      findAccessToken,
      findSession,
      async loginSessionLives(sessionId) {
        const record = await stores.tokens.find('LoginSession', loginSessionKey(sessionId));
        return record !== null && (record.expiresAt === null || record.expiresAt > clock.nowSeconds());
      },
      // Not remembered apart: what is remembered of a token would then be older than the bound.
      findAccount: stores.accounts.find,
      findClientOwner: async (clientId) => (await stores.clients.find(clientId))?.ownerId ?? null,
      heldScopes,
      allScopes: scopesOf,
      cacheMs: CACHE_MS,
      clock,
    }),
  });
  services.onCredentialsChanged((tags, saidAtMs) => {
    for (const tag of tags) {
      resolver.forget(tag);
    }
    observeRevocationLag((clock.nowMs() - saidAtMs) / 1000);
  });

  const [usualEnvironment = ''] = Object.keys(dialect.keys.environments);
  const environmentsOf = createEnvironmentsOf(usualEnvironment);
  const noteRefusal = createNoteRefusal({ audit, clock });
  const guard = createGuard({
    resolver,
    checkBinding,
    rateLimits: services.rateLimits,
    usage,
    noteRefusal,
    isApiKey: keyFormat.looksLikeKey,
    catalogue,
    usualEnvironment,
    revocationBoundMs: CACHE_MS,
    realm: issuer,
    clock,
  });
  const cookies = createLoginCookies({ secure: protocol === 'https:', origin, clock });
  const isOurs = (text: string): boolean => keyFormat.looksLikeKey(text) || looksLikeToken(text);
  const readPresented = createReadPresented({
    places: dialect.credentials,
    cookies: { login: cookies.names.access, session: sessionCookie },
    origin,
    isOurs,
  });
  const exposed = createExposed({ format: keyFormat, noteRefusal });
  const login = createLogin({
    signIn,
    manageAccounts: services.manageAccounts,
    accounts: stores.accounts,
    tokens: stores.tokens,
    keySet: services.keySet,
    digester: services.digester,
    receiptKey,
    announce: services.announce,
    audit,
    clock,
    throttle: services.throttle,
    issuer,
    audience: issuer,
    scopesOf,
    lifetimes: {
      accessToken: lifetimes.loginToken,
      sessionIdle: lifetimes.refreshIdle,
      sessionAbsolute: lifetimes.refreshAbsolute,
      refreshGrace: lifetimes.refreshGrace,
    },
    signUpOpen: config.signUpOpen,
  });
  const deviceTokens = createDeviceTokens({ digester: services.digester, clock });
  const device = createApiDevice({ deviceCookie, deviceTokens, login });
  const limitByCaller = createLimitByCaller({ rateLimits: services.rateLimits });
  const useProviderKey = createUseProviderKey({
    limitByCaller,
    usesPerMinute: config.providerKeyUsesPerMinute,
    vault,
    guard,
    environmentsOf,
    authenticateCaller,
    findResource: services.findResource,
    thumbprintOf,
    isOurs,
  });

  const dialects: Api['dialects'] = dialect === canonical ? [canonical] : [dialect, canonical];
  const api = createApi({
    limitByCaller,
    dialects,
    guard,
    readPresented,
    authenticateResourceServer: useProviderKey.requireResourceServer,
    exposed,
    audience: issuer,
    apiOrigins: config.apiOrigins,
    thumbprintOf,
    clock,
    handlers: {
      ...createSignInHandlers({
        login,
        manageApiKeys,
        cookies,
        device,
        keyAtSignUp: dialect.keys.atSignUp,
        clock,
      }),
      ...createAccountHandlers({ accounts: stores.accounts, login, device }),
      ...createVerifyHandler({
        guard,
        environmentsOf,
        believesAddress: createBelievesAddress({ authenticateCaller, isTrustedProxy }),
        places: dialect.credentials,
        legacyRateLimitHeaders: dialect.legacyRateLimitHeaders ?? false,
        thumbprintOf,
        clock,
      }),
      ...createApiKeyHandlers({ manageApiKeys, catalogue, usualEnvironment, clock }),
      ...createProviderKeyHandlers({ vault, use: useProviderKey, usualEnvironment }),
      ...createUsageHandler({
        reports: createUsageReports({ store: stores.usage, environments: dialect.keys.environments }),
        apiKeys: stores.apiKeys,
        clock,
      }),
      ...createClientHandlers({
        clients: stores.clients,
        manageClients: services.manageClients,
        accounts: stores.accounts,
        scopesOf,
        defaultScopes: dialect.keys.defaultScopes,
        resource: issuer,
      }),
    },
  });
  const forwardAuth = createForwardAuth({
    dialect,
    guard,
    readPresented,
    exposed,
    audience: issuer,
    environmentsOf,
    requireResourceServer: useProviderKey.requireResourceServer,
    async providerAuthorization(ctx, { principal, provider: name, providerKey }) {
      const { provider, value, source } = await useProviderKey.forPrincipal(ctx, principal, {
        provider: name,
        ...(providerKey === null ? {} : { providerKey }),
      });
      return { authorization: `${provider.scheme || 'Bearer '}${value}`, key: value, source };
    },
    thumbprintOf,
    clock,
  });

  const wellKnown = createWellKnown({ issuer, title: dialect.title, catalogue, keyFormat });

  return {
    credentialHeaders: new Set(dialect.credentials.headers),
    malformedKind(name, value) {
      const text = name === 'authorization' ? /^bearer +(\S+)$/i.exec(value)?.[1] : value;
      if (text === undefined || text === '' || !resolver.isMalformed(text)) return null;
      return keyFormat.looksLikeKey(text) ? 'api_key' : 'token';
    },
    writeError: createErrorWriter({ dialect, clock }),
    dialects,
    mayBeKey: resolver.mayBeKey,
    async findApiKey(ctx, text, environments) {
      try {
        const request = { facts: factsOf(ctx), judged: judgedRequest(ctx, () => null) };
        return (await guard({ text, from: 'body' }, environmentsOf(environments), request)).principal;
      } catch (error) {
        if (error instanceof AppError && error.entry.status === 401) return null;
        throw error;
      }
    },
    includesUsualEnvironment(asked) {
      const { environments } = environmentsOf(asked);
      return environments === undefined || environments.includes(usualEnvironment);
    },
    limitAuthorize: (ctx) =>
      limitByCaller(
        ctx,
        { name: 'authorize', quota: config.authorizationsPerMinute, windowSeconds: 60 },
        factsOf(ctx).addressGroup,
      ),
    route: (path) =>
      path === FORWARD_AUTH || path.startsWith(`${FORWARD_AUTH}/`) ? forwardAuth : (wellKnown(path) ?? api(path)),
  };
}
