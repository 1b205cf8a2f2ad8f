import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import Keygrip from 'keygrip';
import Koa, { type Context } from 'koa';
import { createJsonApi } from './api.ts';
import { createProxyTrust } from './config/proxies.ts';
import { createSignIn } from './domain/accounts/sign-in.ts';
import { createJwtVerifier } from './domain/credentials/access-token-verifier.ts';
import { createBindingCheck } from './domain/credentials/proof/check-binding.ts';
import { createDpopNonces } from './domain/credentials/proof/nonces.ts';
import { createDpopProofVerifier } from './domain/credentials/proof/verify-proof.ts';
import { createBearerText } from './domain/tokens/bearer-text.ts';
import { FORWARD_AUTH } from './endpoints/api/forwarded-request.ts';
import { createOpenApiRoutes } from './endpoints/api/openapi-routes.ts';
import { createConsentPage } from './endpoints/interactions/consent.ts';
import { createEnginePages } from './endpoints/interactions/engine-pages.ts';
import { createInteractions } from './endpoints/interactions/interaction.ts';
import { interactionRoutes } from './endpoints/interactions/routes.ts';
import { createSignInPage, inWords } from './endpoints/interactions/sign-in.ts';
import { createAdapterFactory } from './endpoints/oauth/adapter.ts';
import { createClientTokenIssuer } from './endpoints/oauth/client-access-token.ts';
import { createClientAuthentication } from './endpoints/oauth/client-authentication.ts';
import { createClientCredentialsGrant } from './endpoints/oauth/client-credentials-grant.ts';
import { createCodeGrant } from './endpoints/oauth/code-grant.ts';
import { createEngine } from './endpoints/oauth/engine.ts';
import {
  createAuthenticateCaller,
  createFindAccessToken,
  createFindSession,
} from './endpoints/oauth/find-credential.ts';
import { createFindToken } from './endpoints/oauth/find-token.ts';
import { createHints } from './endpoints/oauth/id-token-hint.ts';
import { createIntrospection } from './endpoints/oauth/introspection.ts';
import { createOpenAuthorizations } from './endpoints/oauth/open-authorizations.ts';
import { sessionCookieName } from './endpoints/oauth/provider.ts';
import { createRefreshGrant } from './endpoints/oauth/refresh-grant.ts';
import { createRevocation } from './endpoints/oauth/revocation.ts';
import { oauthRoutes } from './endpoints/oauth/routes.ts';
import { createTokenBinding } from './endpoints/oauth/token-binding.ts';
import { createTokenCodec } from './endpoints/oauth/token-codec.ts';
import { createTokenEndpoint } from './endpoints/oauth/token-endpoint.ts';
import { health, readiness } from './endpoints/ops/health.ts';
import { createMetrics, type Metrics, metricsHandler } from './endpoints/ops/metrics.ts';
import { createAnswerAgain } from './http/answer-again.ts';
import { certificateOf } from './http/client-certificate.ts';
import { cookieLifetimes } from './http/cookie-lifetimes.ts';
import { createCsrf } from './http/csrf.ts';
import { createDeviceCookie } from './http/device-cookie.ts';
import { errorHandler, writeOAuthError } from './http/errors.ts';
import { gate } from './http/gate.ts';
import { createRenderer } from './http/render.ts';
import { createCallerOf, factsOf, requestContext } from './http/request-context.ts';
import { dispatch, type ErrorWriter, type Route } from './http/routes.ts';
import { securityHeaders, sendPage } from './http/security-headers.ts';
import { createUnreadableRequests, isConnectionFault, type UnreadableRequest } from './http/unreadable-requests.ts';
import { monotonicMs } from './kit/clock.ts';
import { createDigester } from './kit/digest.ts';
import { AppError } from './kit/errors.ts';
import { withinBudget } from './kit/request-budget.ts';
import { createSealer } from './kit/seal.ts';
import type { Services } from './services.ts';

export interface App {
  /** For `http.createServer`. */
  handler: RequestListener;
  /** Answers what Node cannot read. */
  onUnreadable: UnreadableRequest;
  metrics: Metrics;
  /** From now on readiness says no, so that load balancers look elsewhere. */
  drain(): void;
  stop(): void;
}

/** Another process's key rotation is seen within this many milliseconds, even without messages. */
const KEY_POLL_MS = 2000;

/** The one place that wires the ways in to what they need. */
export function createApp(services: Services, { version }: { version: string }): App {
  const {
    config,
    stores,
    log,
    clock,
    digester,
    dataKeys,
    audit,
    throttle,
    passwords,
    keySet,
    findClient,
    findResource,
  } = services;
  const { issuer, paths, lifetimes } = config;
  const { tokens, accounts, consents } = stores;
  const issuerUrl = new URL(issuer);
  const basePath = issuerUrl.pathname.replace(/\/$/, '');
  const https = issuerUrl.protocol === 'https:';

  const isTrustedProxy = createProxyTrust(config.trustedProxies);
  const thumbprintOf = (ctx: Context): string | null =>
    certificateOf(ctx, { header: config.mtls.header, isTrustedProxy });
  const metrics = createMetrics({
    counters: stores.counters,
    unreadable: stores.unreadable.counts,
    passwords: passwords.load,
  });
  const renderer = createRenderer({ viewsDirectory: join(import.meta.dirname, '..', 'views'), basePath });
  const writePage: ErrorWriter = (ctx, error) => {
    if (ctx.accepts('html', 'json') !== 'html') return writeOAuthError(ctx, error);
    const { status, title, next } = error.entry;
    sendPage(
      ctx,
      renderer.render('errors/error', {
        status,
        title,
        message: error.public,
        next,
        requestId: factsOf(ctx).requestId,
      }),
    );
    ctx.status = status;
  };

  // The OAuth engine and what it stands on.
  const cookieKeys = new Keygrip([dataKeys.cookies.toString('base64url')], 'sha256');
  const codec = createTokenCodec({ digester, sealer: createSealer([dataKeys.seal]), clock });
  const bearerText = createBearerText({ digester });
  const engine = createEngine({
    bearerText,
    catalogue: services.catalogue,
    issuer,
    paths,
    lifetimes,
    clock,
    keySet,
    basePath,
    cookieKeys,
    adapter: createAdapterFactory({
      tokens,
      codec,
      clock,
      findClient,
      sessionAbsoluteSeconds: lifetimes.sessionAbsolute,
      open: createOpenAuthorizations({
        most: config.openAuthorizations.all,
        mostByAddress: config.openAuthorizations.byAddress,
        processes: config.processes,
        lifetimeSeconds: lifetimes.interaction,
        monotonicMs,
      }),
      audit,
    }),
    audit,
    accounts,
    consents,
    findClient,
    findResource,
    pages: createEnginePages({ renderer, accounts, writePage }),
  });

  async function followKeys(): Promise<void> {
    try {
      await Promise.all([keySet.refresh(), services.keyDigests.reload()]);
    } catch (err) {
      log.warn({ err }, 'signing keys or peppers could not be read; the ones known stay in use');
    }
  }
  services.onKeysChanged(() => void followKeys());
  const keyPoll = setInterval(() => void followKeys(), KEY_POLL_MS);
  keyPoll.unref();

  // The machine endpoints: one client authentication, one way to find a token.
  const authenticate = createClientAuthentication({
    issuer,
    findClient,
    renewClient: services.renewClient,
    tokens,
    digester,
    throttle,
    audit,
    clock,
    certificateOf: thumbprintOf,
  });
  const verifyProof = createDpopProofVerifier({ tokens, digester, clock });
  const verifyJwt = createJwtVerifier({ issuer, keySet, clock });
  const findToken = createFindToken({ tokens, codec, clock, findClient, verifyJwt });
  const receiptDigester = createDigester(dataKeys.seal);
  const receiptKey = (token: string): string => receiptDigester.digest('refresh-receipt', token);
  // The JSON API, which introspection asks for API keys.
  const signIn = createSignIn({
    accounts,
    passwords,
    throttle,
    clock,
    failuresByAddress: config.signInFailures,
  });
  const deviceCookie = createDeviceCookie({ secure: https, clock });
  const checkProof = createBindingCheck({ verifyProof });
  const api = createJsonApi({
    services,
    bearerText,
    verifyJwt,
    signIn,
    deviceCookie,
    receiptKey,
    sessionCookie: sessionCookieName(https),
    findAccessToken: createFindAccessToken({
      findToken: createFindToken({
        tokens,
        codec,
        clock,
        findClient: services.readClient,
        verifyJwt,
      }),
    }),
    findSession: createFindSession({ tokens, codec, clock, absoluteSeconds: lifetimes.sessionAbsolute }),
    loginSessionKey: (sessionId) => codec.keyOf('LoginSession', sessionId),
    authenticateCaller: createAuthenticateCaller({ authenticate, findToken, findClient, audience: issuer }),
    isTrustedProxy,
    checkBinding: (confirmation, { text, from }, { method, url, certificateThumbprint, proofs }) =>
      checkProof({
        method,
        url,
        certificateThumbprint,
        confirmation,
        scheme: from === 'dpop' ? 'dpop' : 'bearer',
        accessToken: text,
        proof: proofs,
      }),
    thumbprintOf,
    observeRevocationLag: metrics.observeRevocationLag,
  });

  const oauth = oauthRoutes({
    clientCertificates: config.tls !== null || config.mtls.header !== null,
    paths,
    engine,
    keySet,
    writePage,
    limitAuthorize: api.limitAuthorize,
    hints: createHints({ issuer, provider: engine.provider, findClient }),
    introspect: createIntrospection({
      issuer,
      authenticate,
      findToken,
      findResource,
      mayBeKey: api.mayBeKey,
      findApiKey: api.findApiKey,
      includesUsualEnvironment: api.includesUsualEnvironment,
    }),
    revoke: createRevocation({ authenticate, findToken, tokens, codec, audit, clock }),
    token: createTokenEndpoint({
      authenticate,
      grants: {
        authorization_code: createCodeGrant({ tokens, codec, runEngine: engine.runGrant, audit, clock }),
        refresh_token: createRefreshGrant({
          tokens,
          codec,
          runEngine: engine.runGrant,
          accounts,
          audit,
          clock,
          receiptKey,
          graceSeconds: lifetimes.refreshGrace,
        }),
        client_credentials: createClientCredentialsGrant({
          bindToken: createTokenBinding({
            tokenUrl: issuer + paths.token,
            verifyProof,
            nonces: createDpopNonces({ digester, clock }),
            certificateOf: thumbprintOf,
          }),
          findResource,
          issueToken: createClientTokenIssuer({ issuer, keySet, tokens, codec, bearerText, clock }),
        }),
      },
    }),
  });

  // The pages people see.
  const interactions = createInteractions({
    provider: engine.provider,
    findClient,
    csrf: createCsrf({ digester, issuer }),
    clock,
  });
  const signInPage = createSignInPage({
    interactions,
    signIn,
    deviceCookie,
    audit,
    renderer,
    basePath,
  });
  const consentPage = createConsentPage({
    interactions,
    accounts,
    findResource,
    renderer,
    basePath,
    lifetimeText: (offline) =>
      offline
        ? `It keeps this access for up to ${inWords(lifetimes.refreshAbsolute)}, also after you sign out here.`
        : 'It keeps this access until you sign out here.',
  });
  const pages = interactionRoutes({
    interactions,
    signInPage,
    consentPage,
    audit,
    authorizePath: basePath + paths.authorize,
  });

  const openApi = createOpenApiRoutes({
    dialects: api.dialects,
    renderer,
    issuer,
    version,
    basePath,
    writeError: writePage,
  });

  let draining = false;
  const ready = readiness({ ping: stores.ping, isDraining: () => draining });
  const home = (ctx: Context): void => {
    const html = renderer.render('home', {
      issuer,
      discoveryUrl: `${basePath}/.well-known/openid-configuration`,
      jwksUrl: basePath + paths.jwks,
      version,
      demo: config.demo,
    });
    sendPage(ctx, html);
  };
  const asset = (ctx: Context): void => {
    const found = renderer.asset(ctx.path);
    if (!found) throw new AppError('not_found');
    ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
    ctx.type = found.type;
    ctx.set('ETag', found.etag);
    ctx.body = found.body;
  };

  /** Everything that is not OAuth. */
  function siteRoute(path: string): Route | null {
    const route = (name: string, methods: Route['methods']): Route => ({ name, methods, writeError: writePage });
    if (path === '/health') return route('health', { GET: health, HEAD: health });
    if (path === '/ready') return route('ready', { GET: ready, HEAD: ready });
    if (path === config.metrics.path) return route('metrics', { GET: metricsHandler(metrics) });
    if (path === '/') return route('home', { GET: home, HEAD: home });
    const ours = openApi(path) ?? api.route(path);
    if (ours) return ours;
    if (path.startsWith('/assets/')) return route('asset', { GET: asset, HEAD: asset });
    const page = pages(path);
    return page && route(page.name, page.methods);
  }

  /** Before a route is known, a browser gets a page and everything else JSON. */
  const writeByAccept: ErrorWriter = (ctx, error) =>
    (ctx.get('accept').includes('text/html')
      ? writePage
      : (oauth(withoutBase(ctx.path, basePath))?.writeError ?? api.writeError))(ctx, error);

  // What resource servers ask all the time.
  const verifyTarget = `${basePath}/v1/auth/verify`;
  const forwardAuthTarget = basePath + FORWARD_AUTH;
  const app = new Koa();
  app.keys = cookieKeys;
  app.on('error', (err) => {
    // A caller who goes away, or whose body is no HTTP, is no fault of ours.
    if (isConnectionFault(err)) log.debug({ err }, 'the connection failed');
    else log.error({ err }, 'response failed');
  });
  // Past the gate every request is for the issuer, whatever stands in front of this process; the engine builds its URLs from these.
  Object.defineProperties(app.request, {
    protocol: { get: () => issuerUrl.protocol.slice(0, -1) },
    host: { get: () => issuerUrl.host },
  });
  const callerOf = createCallerOf(isTrustedProxy);
  const again = createAnswerAgain({
    isCandidate: (method, target) =>
      method === 'GET'
        ? target === verifyTarget || target.startsWith(forwardAuthTarget)
        : method === 'POST' && target === verifyTarget,
    credentialHeaders: api.credentialHeaders,
    malformedKind: api.malformedKind,
    callerOf,
    clock,
    log,
    observe: metrics.observe,
  });
  services.onCredentialsChanged(() => again.forget());
  app.use(again.remember);
  app.use(requestContext({ callerOf, log, clock, observe: metrics.observe }));
  app.use(securityHeaders({ https }));
  app.use(cookieLifetimes);
  app.use(
    errorHandler({
      log,
      write: (ctx, error) => ((ctx.state.route as Route | undefined)?.writeError ?? writeByAccept)(ctx, error),
    }),
  );
  const budgetMs = config.requestBudgetSeconds * 1000;
  app.use((_ctx, next) => withinBudget(budgetMs, next));
  app.use(gate({ issuer, enforceHttps: config.production || https }));
  app.use(async (ctx) => {
    ctx.path = withoutBase(ctx.path, basePath);
    const route = oauth(ctx.path) ?? siteRoute(ctx.path);
    if (!route) throw new AppError('not_found');
    ctx.state.route = route;
    await dispatch(ctx, route);
  });

  return {
    handler: again.before(app.callback()),
    onUnreadable: createUnreadableRequests({
      maxHeaderBytes: config.maxHeaderBytes,
      log,
      observe: metrics.observe,
    }),
    metrics,
    drain: () => {
      draining = true;
    },
    stop: () => clearInterval(keyPoll),
  };
}

/**
 * The path below the issuer. Well-known documents may also have the issuer's path inserted (RFC 8414 3.1), and probes know
 * nothing of it. Anything else beside the issuer's path is nothing of ours.
 */
function withoutBase(path: string, basePath: string): string {
  if (basePath === '' || path === '/health' || path === '/ready') return path;
  if (path.startsWith('/.well-known/') && path.endsWith(basePath)) return path.slice(0, -basePath.length);
  return path === basePath || path.startsWith(`${basePath}/`)
    ? path.slice(basePath.length) || '/'
    : '/not-below-the-issuer';
}
