import type { Context } from 'koa';
import type { Principal } from '../../domain/credentials/principal.ts';
import { setRateLimitHeaders } from '../../http/rate-limit-headers.ts';
import { factsOf } from '../../http/request-context.ts';
import type { ErrorWriter, Route } from '../../http/routes.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { noticeOldSecret } from './answers.ts';
import type { Dialect } from './dialect.ts';
import { createErrorWriter } from './error-writer.ts';
import type { Exposed } from './exposed.ts';
import type { Guard, JudgedRequest, Requirements } from './guard.ts';
import { identityHeaders } from './identity-headers.ts';
import { proofsOf } from './judged-request.ts';
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
 * ext_authz. What the proxy requires stands in the query of its own configuration: `environment`, `scope` (repeated), `audience`,
 * `provider`, and `mode=nginx`. Any method, no body is read.
 */
export function createForwardAuth({
  dialect,
  guard,
  readPresented,
  exposed,
  providerAuthorization,
  thumbprintOf,
  clock,
}: {
  dialect: Dialect;
  guard: Guard;
  readPresented: ReturnType<typeof createReadPresented>;
  exposed: Exposed;
  providerAuthorization: ProviderAuthorization;
  thumbprintOf: (ctx: Context) => string | null;
  clock: Clock;
}): Route {
  const writeBody = createErrorWriter({ dialect, clock });

  async function answer(ctx: Context): Promise<void> {
    ctx.set('Cache-Control', 'no-store');
    const { requirements, provider } = readRequirements(ctx);
    const original = originalRequest(ctx);
    await exposed.refuseInUrl(ctx, new URL(original.url).search.slice(1));
    const presented = readPresented(ctx, original.method);
    const { principal, maxAgeSeconds } = await guard(presented.credential, requirements, {
      facts: factsOf(ctx),
      judged: { ...original, proofs: proofsOf(ctx), certificateThumbprint: thumbprintOf(ctx) },
      onLimits: (decision) =>
        setRateLimitHeaders(ctx, decision, {
          legacy: dialect.legacyRateLimitHeaders ?? false,
          nowSeconds: clock.nowSeconds(),
        }),
    });
    if (provider !== null) {
      const { authorization, key, source } = await providerAuthorization(ctx, {
        principal,
        provider,
        providerKey: presented.providerKey,
      });
      ctx.set({ 'X-Upstream-Authorization': authorization, 'X-Upstream-Key': key, 'X-Upstream-Key-Source': source });
    } else if (maxAgeSeconds > 0) {
      ctx.set('Cache-Control', `private, max-age=${maxAgeSeconds}`);
      ctx.vary('Authorization, X-API-Key, Cookie');
    }
    noticeOldSecret(ctx, principal);
    ctx.set(identityHeaders(principal));
    ctx.set('X-Auth-Status', '200');
    ctx.status = 200;
    ctx.body = '';
  }

  const writeError: ErrorWriter = (ctx, error) => {
    writeBody(ctx, error);
    ctx.set(identityHeaders(null));
    ctx.set('X-Auth-Status', String(ctx.status));
    if (new URLSearchParams(ctx.querystring).get('mode') !== 'nginx') return;
    ctx.set('X-Auth-Error', asHeader(String(ctx.body)));
    if (!NGINX_STATUSES.has(ctx.status) && ctx.status < 500) ctx.status = 403;
  };

  return { name: 'forward-auth', methods: {}, anyMethod: answer, writeError };
}

function readRequirements(ctx: Context): { requirements: Requirements; provider: string | null } {
  const query = new URLSearchParams(ctx.querystring);
  const known = ['environment', 'scope', 'audience', 'provider', 'mode'];
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new AppError('invalid_request', { public: `forward-auth knows ${known.join(', ')}` });
  }
  const one = (name: string): string | undefined => query.get(name) ?? undefined;
  const [environment, audience] = [one('environment'), one('audience')];
  return {
    requirements: {
      scopes: query.getAll('scope').flatMap((scope) => scope.split(' ').filter(Boolean)),
      ...(environment === undefined ? {} : { environment }),
      ...(audience === undefined ? {} : { audience }),
    },
    provider: query.get('provider'),
  };
}

/** The request in front of the proxy. Only a trusted proxy is believed; for anyone else it is the request at hand. */
function originalRequest(ctx: Context): Pick<JudgedRequest, 'method' | 'url'> {
  const { byProxy } = factsOf(ctx);
  const header = (...names: string[]): string =>
    byProxy ? (names.map((name) => ctx.get(name)).find(Boolean) ?? '') : '';
  const scheme = header('x-forwarded-proto').split(',').at(-1)?.trim() || ctx.protocol;
  const host = header('x-forwarded-host', 'x-original-host').split(',').at(-1)?.trim() || ctx.host;
  const target =
    header('x-original-uri', 'x-forwarded-uri', 'x-original-url', 'x-envoy-original-path') || ctx.originalUrl;
  const url = URL.parse(target, `${scheme}://${host}`);
  return {
    method: header('x-original-method', 'x-forwarded-method') || ctx.method,
    url: url?.href ?? `${scheme}://${host}/`,
  };
}

/** JSON fit for a header: on one line, in ASCII. */
const asHeader = (json: string): string =>
  json.replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
