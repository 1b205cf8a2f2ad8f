import type { Middleware } from 'koa';
import { AppError } from '../kit/errors.ts';
import type { Log } from '../kit/log.ts';
import { createSeldom } from '../kit/seldom.ts';
import { factsOf } from './request-context.ts';
import type { ErrorWriter } from './routes.ts';

/** Turns anything thrown into an AppError; what is not one is unknown, and the caller learns nothing of it. */
export type TranslateError = (error: unknown) => AppError;

export const asAppError: TranslateError = (error) => {
  if (error instanceof AppError) return error;
  // The engine's word for a browser whose sign-in is no longer there, when it comes from the end of a request.
  if ((error as Error | null)?.name === 'SessionNotFound') return new AppError('session_not_found', { cause: error });
  // Koa and Node mark errors that are the caller's fault (a malformed URI, an aborted upload) with a 4xx status.
  const status = (error as { status?: unknown } | null)?.status;
  if (typeof status === 'number' && status >= 400 && status < 500)
    return new AppError('invalid_request', { cause: error });
  return new AppError('server_error', { cause: error });
};

/** OAuth JSON (RFC 6749 5.2), for endpoints that machines call. */
export const writeOAuthError: ErrorWriter = (ctx, error) => {
  ctx.status = error.entry.status;
  ctx.type = 'json';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = { error: error.entry.oauth, error_description: error.public };
};

/** A header that cannot be sent must not cost the answer it belongs to. */
const fitForHeader = (value: string): string => value.replace(/[^\t\x20-\x7e]/g, '?');

/** While a store is away everybody's request fails alike, and strangers choose how many there are. */
const MOST_LINES = { most: 50, withinMs: 10_000 };

/** The outermost catch: nothing leaves as a stack trace. */
export function errorHandler({
  log,
  write,
  translate = asAppError,
}: {
  log: Log;
  write: ErrorWriter;
  translate?: TranslateError;
}): Middleware {
  const seldom = createSeldom(MOST_LINES);
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body == null) throw new AppError('not_found');
    } catch (thrown) {
      const error = translate(thrown);
      if (ctx.headerSent) throw thrown;
      const { requestId } = factsOf(ctx);
      const { status } = error.entry;
      if (status >= 500) {
        const line = seldom(error.code);
        if (line)
          log.error(
            { requestId, error: error.code, err: error.cause ?? error, ...line },
            error.internal ?? error.message,
          );
      } else if (error.internal) log.info({ requestId, error: error.code, reason: error.internal }, 'refused');
      // A redirect that was prepared before it failed leads nowhere.
      ctx.remove('Location');
      for (const [name, value] of Object.entries(error.headers)) ctx.set(name, fitForHeader(value));
      if (error.retryAfterSeconds !== undefined) ctx.set('Retry-After', String(error.retryAfterSeconds));
      write(ctx, error);
    }
  };
}
