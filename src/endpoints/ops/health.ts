import type { Context } from 'koa';
import { AppError } from '../../kit/errors.ts';

/** Alive: the event loop turns. Never asks a store, so that a database outage does not restart every process. */
export function health(ctx: Context): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { status: 'ok' };
}

/** How long an answer of the stores is given again, in milliseconds. Anybody may ask, and each answer costs a write. */
const KEPT_MS = 1000;

/** Ready: the stores take writes and the process is not shutting down. Asks them once a second at most, one question at a time. */
export function readiness({ ping, isDraining }: { ping: () => Promise<void>; isDraining: () => boolean }) {
  let answer: Promise<void> | null = null;
  function ask(): Promise<void> {
    if (answer) return answer;
    const asked = ping();
    answer = asked;
    const forget = (): void => {
      setTimeout(() => {
        if (answer === asked) answer = null;
      }, KEPT_MS).unref();
    };
    asked.then(forget, forget);
    return asked;
  }

  return async (ctx: Context): Promise<void> => {
    ctx.set('Cache-Control', 'no-store');
    try {
      if (isDraining()) throw new AppError('temporarily_unavailable', { public: 'shutting down' });
      await ask();
      ctx.body = { status: 'ready' };
    } catch (error) {
      ctx.status = 503;
      ctx.set('Retry-After', '2');
      ctx.body = {
        status: 'unavailable',
        reason: error instanceof AppError ? (error.internal ?? error.public) : 'unknown',
      };
    }
  };
}
