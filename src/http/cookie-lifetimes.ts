import type { Middleware } from 'koa';
import { systemClock } from '../kit/clock.ts';

const EXPIRES = /;\s*expires=([^;]+)/i;

/**
 * Cookies say how long they last, not until when: the clock of a browser is not ours, and one that is right drops what a server
 * whose clock is behind has just set. The library that writes cookies knows `Expires` only, by the system's clock.
 */
export const cookieLifetimes: Middleware = async (ctx, next) => {
  try {
    await next();
  } finally {
    const lines = ctx.res.getHeader('set-cookie');
    if (lines !== undefined && !ctx.headerSent)
      ctx.res.setHeader('Set-Cookie', [lines].flat().map(String).map(relative));
  }
};

function relative(line: string): string {
  const until = Date.parse(EXPIRES.exec(line)?.[1] ?? '');
  if (Number.isNaN(until)) return line;
  return line.replace(EXPIRES, `; max-age=${Math.max(0, Math.round((until - systemClock.nowMs()) / 1000))}`);
}
