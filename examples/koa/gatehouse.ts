/**
 * Gatehouse for Koa. Copy this file and ../node/gatehouse.ts.
 *
 *     const auth = gatehouse({ issuer: 'https://auth.example.com', resource: 'https://api.example.com/v1' });
 *     app.use(auth.middleware);
 *     router.get('/v1/notes', auth.requireScopes('read'), (ctx) => { ctx.body = ctx.state.auth; });
 */
import type { Middleware } from 'koa';
import { createGatehouse, dropIdentityHeaders, type Options } from '../node/gatehouse.ts';

export function gatehouse(options: Options): {
  /** Mount it first: it publishes the metadata and keeps X-Auth-* headers of callers out. */
  middleware: Middleware;
  /** Lets a request pass whose credential has all of these scopes; with none, any valid credential. Sets `ctx.state.auth`. */
  requireScopes: (...scopes: string[]) => Middleware;
} {
  const { metadata, metadataPaths, check } = createGatehouse(options);
  return {
    async middleware(ctx, next) {
      dropIdentityHeaders(ctx.req);
      if (ctx.method !== 'GET' || !metadataPaths.includes(ctx.path)) return next();
      ctx.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'max-age=3600' });
      ctx.body = metadata;
    },
    requireScopes:
      (...scopes) =>
      async (ctx, next) => {
        const outcome = await check({ request: ctx.req, target: ctx.originalUrl, address: ctx.ip }, scopes);
        ctx.set(outcome.headers);
        if (outcome.kind === 'refused') {
          ctx.status = outcome.status;
          ctx.set('Cache-Control', 'no-store');
          ctx.body = outcome.body;
          ctx.set('Content-Type', outcome.headers['content-type'] ?? 'application/json');
          return;
        }
        ctx.state.auth = outcome.principal;
        await next();
      },
  };
}
