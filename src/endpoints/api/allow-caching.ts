import type { Context } from 'koa';
import type { CredentialPlaces } from './dialect.ts';

/** Lets whoever asked about a credential remember the answer for so many seconds, for each credential apart. 0: not at all. */
export function allowCaching(ctx: Context, maxAgeSeconds: number, { headers }: CredentialPlaces): void {
  if (maxAgeSeconds <= 0) return;
  ctx.set('Cache-Control', `private, max-age=${maxAgeSeconds}`);
  ctx.vary([...headers, 'cookie'].join(', '));
}
