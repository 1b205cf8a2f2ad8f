import type { Context, Middleware } from 'koa';
import { AppError } from '../kit/errors.ts';
import { headerValues } from './header-values.ts';
import { factsOf } from './request-context.ts';

/** Probes come by address, over plain HTTP, from inside. */
const OPEN_PATHS = new Set(['/health', '/ready']);

/**
 * Answers only for the issuer's host, and only over TLS where the issuer is https. Links, redirects and audiences are made
 * from the Host header by the engine; an unknown one would make it speak for somebody else (security requirement MD01).
 */
export function gate({ issuer, enforceHttps }: { issuer: string; enforceHttps: boolean }): Middleware {
  const { host, port, protocol, pathname } = new URL(issuer);
  const forwardAuth = `${pathname.replace(/\/$/, '')}/forward-auth`;
  const defaultPort = protocol === 'https:' ? '443' : '80';
  const accepted = new Set([host, port === '' ? `${host}:${defaultPort}` : host]);
  return (ctx, next) => {
    if (headerValues(ctx.req, 'host').length > 1) {
      // RFC 9112 3.2: two of them may mean one host to a proxy and another one here.
      throw new AppError('invalid_request', { public: 'the Host header must not be repeated' });
    }
    toOriginForm(ctx, accepted);
    if (OPEN_PATHS.has(ctx.path)) return next();
    // Some proxies ask under the name of the API they stand before. Nothing of the answer is made from it.
    const byName = !factsOf(ctx).byProxy || (ctx.path !== forwardAuth && !ctx.path.startsWith(`${forwardAuth}/`));
    const asked = (ctx.req.headers.host ?? '').toLowerCase();
    if (byName && !accepted.has(asked)) {
      throw new AppError('misdirected_host', { public: `This server answers for ${host} only.` });
    }
    if (enforceHttps && !factsOf(ctx).encrypted) throw new AppError('https_required');
    return next();
  };
}

/**
 * A request target may be absolute (RFC 9112 3.2.2), and then it overrules the Host header for whoever builds URLs from it.
 * For our own host it becomes a plain path; for another it is refused.
 */
function toOriginForm(ctx: Context, accepted: ReadonlySet<string>): void {
  const target = ctx.req.url ?? '';
  if (target.startsWith('/')) return;
  const url = URL.parse(target);
  if (!url || !accepted.has(url.host)) throw new AppError('misdirected_host');
  ctx.url = `${url.pathname}${url.search}`;
  ctx.originalUrl = ctx.url;
  ctx.request.originalUrl = ctx.url;
}
