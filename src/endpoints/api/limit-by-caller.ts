import type { Context } from 'koa';
import type { LimitQuota } from '../../domain/limits/limit-rule.ts';
import type { RateLimits } from '../../domain/limits/rate-limits.ts';
import { setRateLimitHeaders } from '../../http/rate-limit-headers.ts';
import { AppError } from '../../kit/errors.ts';

/** A limit of one of our own endpoints, by who calls it. Throws rate_limit_exceeded. */
export type LimitByCaller = (ctx: Context, rule: LimitQuota & { name: string }, caller: string) => Promise<void>;

export function createLimitByCaller({ rateLimits }: { rateLimits: RateLimits }): LimitByCaller {
  return async (ctx, rule, caller) => {
    const decision = await rateLimits.takeFrom({ ...rule, per: 'address' }, caller);
    if (decision.allowed) return;
    setRateLimitHeaders(ctx, decision);
    throw new AppError('rate_limit_exceeded', {
      public: 'Too many requests of this kind.',
      retryAfterSeconds: decision.retryAfterSeconds,
    });
  };
}
