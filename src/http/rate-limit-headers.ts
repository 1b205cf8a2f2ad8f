import type { Context } from 'koa';
import type { LimitDecision } from '../domain/limits/rate-limits.ts';

/** `legacy` adds the X-RateLimit-* headers, whose reset is a moment: seconds since the epoch, so they need to know now. */
export type RateLimitHeaderOptions = { legacy?: false; nowSeconds?: number } | { legacy: true; nowSeconds: number };

/**
 * Says what is allowed and what is left (draft-ietf-httpapi-ratelimit-headers-11), the strictest limit first, and when to come
 * back after a refusal (RFC 9110 10.2.3). Sets nothing when no limit applied.
 */
export function setRateLimitHeaders(
  ctx: Context,
  { allowed, states, retryAfterSeconds }: LimitDecision,
  options: RateLimitHeaderOptions = {},
): void {
  const [strictest] = states;
  if (!strictest) return;
  // A name is [a-z0-9-]+ and needs no escape inside the quotes.
  ctx.set(
    'RateLimit-Policy',
    states.map((state) => `"${state.name}";q=${state.quota};w=${state.windowSeconds}`).join(', '),
  );
  ctx.set(
    'RateLimit',
    states.map((state) => `"${state.name}";r=${state.remaining};t=${state.resetSeconds}`).join(', '),
  );
  if (!allowed) ctx.set('Retry-After', String(retryAfterSeconds));
  if (!options.legacy) return;
  ctx.set('X-RateLimit-Limit', String(strictest.quota));
  ctx.set('X-RateLimit-Remaining', String(strictest.remaining));
  ctx.set('X-RateLimit-Reset', String(options.nowSeconds + strictest.resetSeconds));
}
