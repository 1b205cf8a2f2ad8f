import type { Context } from 'koa';

/** Answers a preflight. It promises nothing: the request itself is readable only for an origin its client registered. */
export function answerPreflight(ctx: Context, methods: string): void {
  ctx.vary('Origin');
  const origin = ctx.get('origin');
  if (origin !== '') {
    ctx.set('Access-Control-Allow-Origin', origin);
    ctx.set('Access-Control-Allow-Methods', methods);
    ctx.set(
      'Access-Control-Allow-Headers',
      'Authorization, Content-Type, DPoP, Gatehouse-Device, Idempotency-Key, X-API-Key',
    );
    ctx.set('Access-Control-Max-Age', '3600');
  }
  ctx.status = 204;
}

/** Lets scripts of this origin read the response, when the client registered the origin. Never with cookies. */
export function allowOrigin(ctx: Context, allowedOrigins: readonly string[]): void {
  const origin = ctx.get('origin');
  if (origin === '') return;
  ctx.vary('Origin');
  if (allowedOrigins.includes(origin)) {
    ctx.set('Access-Control-Allow-Origin', origin);
    ctx.set(
      'Access-Control-Expose-Headers',
      'WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, DPoP-Nonce, Gatehouse-Device',
    );
  }
}
