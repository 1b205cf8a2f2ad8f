import type { Context } from 'koa';
import type { Principal } from '../../domain/credentials/principal.ts';
import { setRateLimitHeaders } from '../../http/rate-limit-headers.ts';
import { factsOf } from '../../http/request-context.ts';
import type { ErrorWriter, Route } from '../../http/routes.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { createAllowCaching } from './allow-caching.ts';
import { noticeOldSecret } from './answers.ts';
import type { Dialect } from './dialect.ts';
import type { EnvironmentsOf } from './environments.ts';
import { createErrorWriter } from './error-writer.ts';
import type { Exposed } from './exposed.ts';
import { FORWARD_AUTH, isForNginx, readQuestion } from './forwarded-request.ts';
import type { Guard } from './guard.ts';
import { identityHeaders } from './identity-headers.ts';
import { judgedRequest } from './judged-request.ts';
import type { createReadPresented } from './presented.ts';

/** Hands over the provider key for a request, to a proxy that may have it. */
export type ProviderAuthorization = (
  ctx: Context,
  request: { principal: Principal; provider: string; providerKey: string | null },
) => Promise<{ authorization: string; key: string; source: string }>;

/** What nginx's auth_request lets through as it is; everything else becomes a 500 there. */
const NGINX_STATUSES = new Set([200, 401, 403]);

/**
 * The question of a proxy: may this request pass? For nginx auth_request, Traefik ForwardAuth, Caddy forward_auth and Envoy
 * ext_authz. Any method, no body is read; see forwarded-request.ts for what it may ask.
 */
export function createForwardAuth({
  dialect,
  guard,
  readPresented,
  exposed,
  audience,
  environmentsOf,
  requireResourceServer,
  providerAuthorization,
  thumbprintOf,
  clock,
}: {
  dialect: Dialect;
  guard: Guard;
  readPresented: ReturnType<typeof createReadPresented>;
  exposed: Exposed;
  /** Of our own API: what tokens must be for when the proxy names nothing. */
  audience: string;
  environmentsOf: EnvironmentsOf;
  /** Throws unless the proxy may have provider keys. */
  requireResourceServer: (ctx: Context) => Promise<void>;
  providerAuthorization: ProviderAuthorization;
  thumbprintOf: (ctx: Context) => string | null;
  clock: Clock;
}): Route {
  const allowCaching = createAllowCaching(dialect.credentials);
  const writeBody = createErrorWriter({ dialect, clock });

  async function answer(ctx: Context): Promise<void> {
    ctx.res.setHeader('Cache-Control', 'no-store');
    const { requirements, provider, original } = readQuestion(ctx, audience, environmentsOf);
    if (original.query !== '') await exposed.refuseInUrl(ctx, original.query);
    // What a stranger says of the method of a request cannot open the way for a cookie.
    const presented = readPresented(ctx, factsOf(ctx).byProxy ? original.method : 'UNKNOWN');
    if (provider !== null) await requireGateway(ctx);
    const admitted = await guard(presented.credential, requirements, {
      facts: factsOf(ctx),
      judged: judgedRequest(ctx, thumbprintOf, original),
      onLimits: (decision) =>
        setRateLimitHeaders(ctx, decision, {
          legacy: dialect.legacyRateLimitHeaders ?? false,
          nowSeconds: clock.nowSeconds(),
        }),
    });
    const { principal } = admitted;
    if (provider !== null) {
      const { authorization, key, source } = await providerAuthorization(ctx, {
        principal,
        provider,
        providerKey: presented.providerKey,
      });
      ctx.set({ 'X-Upstream-Authorization': authorization, 'X-Upstream-Key': key, 'X-Upstream-Key-Source': source });
    } else allowCaching(ctx, admitted);
    noticeOldSecret(ctx, principal);
    setIdentity(ctx, principal);
    ctx.res.setHeader('X-Auth-Status', '200');
    ctx.status = 200;
    ctx.body = '';
  }

  /** The caller did nothing wrong when the gateway's own credential is: a 401 would make them throw theirs away. */
  async function requireGateway(ctx: Context): Promise<void> {
    try {
      await requireResourceServer(ctx);
    } catch (error) {
      if (!(error instanceof AppError) || error.entry.status >= 500) throw error;
      throw new AppError('insufficient_scope', {
        public: 'This gateway may not use provider keys; its operator must mend that.',
      });
    }
  }

  const writeError: ErrorWriter = (ctx, error) => {
    writeBody(ctx, error);
    setIdentity(ctx, null);
    ctx.set('X-Auth-Status', String(ctx.status));
    if (ctx.path !== FORWARD_AUTH || !isForNginx(new URLSearchParams(ctx.querystring))) return;
    ctx.set('X-Auth-Error', asHeader(String(ctx.body)));
    if (!NGINX_STATUSES.has(ctx.status) && ctx.status < 500) ctx.status = 403;
  };

  return { name: 'forward-auth', methods: {}, anyMethod: answer, writeError };
}

function setIdentity(ctx: Context, principal: Principal | null): void {
  for (const [name, value] of Object.entries(identityHeaders(principal))) ctx.res.setHeader(name, value);
}

/** JSON fit for a header: on one line, in ASCII. */
const asHeader = (json: string): string =>
  json.replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
