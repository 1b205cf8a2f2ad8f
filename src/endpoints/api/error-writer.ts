import { factsOf } from '../../http/request-context.ts';
import type { ErrorWriter } from '../../http/routes.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Dialect } from './dialect.ts';

/** Errors as the dialect's page has them. */
export function createErrorWriter({ dialect, clock }: { dialect: Dialect; clock: Clock }): ErrorWriter {
  return (ctx, error) => {
    const { requestId } = factsOf(ctx);
    const { body, status } = dialect.error(error, { requestId, at: new Date(clock.nowMs()) });
    ctx.status = status ?? error.entry.status;
    ctx.res.setHeader('Cache-Control', 'no-store');
    // Before the body, or Koa would guess at a type for the text.
    ctx.type = dialect.errorType ?? 'application/json';
    ctx.body = JSON.stringify(body);
  };
}
