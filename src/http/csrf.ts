import type { Context } from 'koa';
import type { Digester } from '../kit/digest.ts';
import { AppError } from '../kit/errors.ts';

/**
 * Tokens that prove a form came from one of our own pages. Bound to `subject`, which lives in a signed cookie of the same
 * browser (for interactions their uid), so a token from somebody else's page is worth nothing.
 */
export interface Csrf {
  token(subject: string): string;
  /** Throws csrf_failed unless the request has the token and comes from our own origin. */
  check(ctx: Context, subject: string, token: string | undefined): void;
}

export function createCsrf({ digester, issuer }: { digester: Digester; issuer: string }): Csrf {
  const { origin: ownOrigin } = new URL(issuer);
  return {
    token: (subject) => digester.digest('csrf', subject),
    check(ctx, subject, token) {
      const origin = ctx.get('origin');
      // `null` is what a browser sends from a page with Referrer-Policy: no-referrer, as ours are; then Sec-Fetch-Site tells.
      const site = ctx.get('sec-fetch-site');
      const foreign =
        (origin !== '' && origin !== 'null' && origin !== ownOrigin) ||
        (site !== '' && site !== 'same-origin' && site !== 'none');
      if (foreign || token === undefined || !digester.matches('csrf', subject, token))
        throw new AppError('csrf_failed');
    },
  };
}
