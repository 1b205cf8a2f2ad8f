import type { Context } from 'koa';
import type { LoginTokens } from '../../domain/login/login.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { isFromOurPages } from './presented.ts';

/** The JSON login's tokens as cookies, for applications in a browser. */
export interface LoginCookies {
  names: { access: string; refresh: string };
  set(ctx: Context, tokens: LoginTokens): void;
  clear(ctx: Context): void;
  refreshToken(ctx: Context): string | null;
  /** Throws cross_site_request for a request that did not come from a page of our own origin. */
  requireOwnPage(ctx: Context): void;
}

export function createLoginCookies({
  secure,
  origin,
  clock,
}: {
  secure: boolean;
  origin: string;
  clock: Clock;
}): LoginCookies {
  const prefix = secure ? '__Host-' : '';
  const names = { access: `${prefix}gatehouse_access`, refresh: `${prefix}gatehouse_refresh` };
  const options = { httpOnly: true, sameSite: 'strict', secure, path: '/', overwrite: true, signed: false } as const;
  const msUntil = (seconds: number): number => Math.max(0, seconds * 1000 - clock.nowMs());
  return {
    names,
    set(ctx, { accessToken, accessTokenExpiresAt, refreshToken, refreshTokenExpiresAt }) {
      ctx.cookies.set(names.access, accessToken, { ...options, maxAge: msUntil(accessTokenExpiresAt) });
      ctx.cookies.set(names.refresh, refreshToken, { ...options, maxAge: msUntil(refreshTokenExpiresAt) });
    },
    clear(ctx) {
      for (const name of [names.access, names.refresh]) ctx.cookies.set(name, null, options);
    },
    refreshToken: (ctx) => ctx.cookies.get(names.refresh, { signed: false }) ?? null,
    requireOwnPage(ctx) {
      if (!isFromOurPages(ctx, origin)) throw new AppError('cross_site_request');
    },
  };
}
