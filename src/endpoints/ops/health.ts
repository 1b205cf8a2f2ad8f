import type { Context } from 'koa';
import { AppError } from '../../kit/errors.ts';

/** Alive: the event loop turns. Never asks a store, so that a database outage does not restart every process. */
export function health(ctx: Context): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { status: 'ok' };
}

/** Ready: the stores answer and the process is not shutting down. */
export function readiness({ ping, isDraining }: { ping: () => Promise<void>; isDraining: () => boolean }) {
  return async (ctx: Context): Promise<void> => {
    ctx.set('Cache-Control', 'no-store');
    try {
      if (isDraining()) throw new AppError('temporarily_unavailable', { public: 'shutting down' });
      await ping();
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
