import { expect } from 'chai';
import type { Context } from 'koa';
import type { LimitState } from '../../../src/domain/limits/limit-rule.ts';
import { setRateLimitHeaders } from '../../../src/http/rate-limit-headers.ts';

const HOURLY: LimitState = {
  name: 'api-keys',
  quota: 1000,
  windowSeconds: 3600,
  allowed: true,
  remaining: 12,
  resetSeconds: 30,
};
const DAILY: LimitState = { ...HOURLY, name: 'daily', quota: 5000, windowSeconds: 86_400, remaining: 4000 };
const ALLOWED = { allowed: true, states: [HOURLY, DAILY], retryAfterSeconds: 0 };
const REFUSED = {
  allowed: false,
  states: [{ ...HOURLY, allowed: false, remaining: 0, resetSeconds: 7 }],
  retryAfterSeconds: 7,
};

/** The headers as the rest of the server sees them: what is not set here was not set. */
function headersOf(...given: Parameters<typeof setRateLimitHeaders> extends [unknown, ...infer Rest] ? Rest : never) {
  const headers: Record<string, string> = {};
  const ctx = {
    set(name: string, value: string) {
      headers[name] = value;
    },
  };
  setRateLimitHeaders(ctx as unknown as Context, ...given);
  return headers;
}

describe('rate limit headers', () => {
  it('name every limit and what is left of it, the strictest first', () => {
    expect(headersOf(ALLOWED)).to.deep.equal({
      'RateLimit-Policy': '"api-keys";q=1000;w=3600, "daily";q=5000;w=86400',
      RateLimit: '"api-keys";r=12;t=30, "daily";r=4000;t=30',
    });
  });

  it('tell a refused caller when to come back', () => {
    expect(headersOf(REFUSED)).to.deep.equal({
      'RateLimit-Policy': '"api-keys";q=1000;w=3600',
      RateLimit: '"api-keys";r=0;t=7',
      'Retry-After': '7',
    });
  });

  it('speak the old dialect of the strictest limit where it is asked for', () => {
    expect(headersOf(ALLOWED, { legacy: true, nowSeconds: 1_800_000_000 })).to.include({
      'X-RateLimit-Limit': '1000',
      'X-RateLimit-Remaining': '12',
      'X-RateLimit-Reset': '1800000030',
    });
    expect(headersOf(ALLOWED, { legacy: false, nowSeconds: 1_800_000_000 })).to.have.keys(
      'RateLimit-Policy',
      'RateLimit',
    );
  });

  it('are not there where no limit applied', () => {
    const none = { allowed: true, states: [], retryAfterSeconds: 0 };
    expect(headersOf(none, { legacy: true, nowSeconds: 1 })).to.deep.equal({});
  });
});
