import type { Context } from 'koa';
import type { CredentialPlaces } from './dialect.ts';

/**
 * Lets whoever asked about a credential remember the answer for so many seconds, for each credential apart. 0: not at all.
 */
export function createAllowCaching({ headers }: CredentialPlaces): (ctx: Context, maxAgeSeconds: number) => void {
  const places = [...headers, 'cookie'].join(', ');
  return (ctx, maxAgeSeconds) => {
    if (maxAgeSeconds <= 0) return;
    ctx.res.setHeader('Cache-Control', `private, max-age=${maxAgeSeconds}`);
    if (ctx.res.hasHeader('Vary')) ctx.vary(places);
    else ctx.res.setHeader('Vary', places);
  };
}
