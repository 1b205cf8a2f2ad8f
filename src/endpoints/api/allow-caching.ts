import type { Context } from 'koa';
import type { Again } from '../../http/answer-again.ts';
import type { CredentialPlaces } from './dialect.ts';
import type { Admitted } from './guard.ts';

/**
 * Lets whoever asked about a credential remember the answer for so many seconds, for each credential apart. 0: not at all.
 */
export function createAllowCaching({
  headers,
}: CredentialPlaces): (ctx: Context, admitted: Pick<Admitted, 'maxAgeSeconds' | 'count'>) => void {
  const places = [...headers, 'cookie'].join(', ');
  return (ctx, { maxAgeSeconds, count }) => {
    if (maxAgeSeconds <= 0) return;
    // What a cache elsewhere may do with the answer we do ourselves, and count it.
    ctx.state.again = { seconds: maxAgeSeconds, count } satisfies Again;
    ctx.res.setHeader('Cache-Control', `private, max-age=${maxAgeSeconds}`);
    if (ctx.res.hasHeader('Vary')) ctx.vary(places);
    else ctx.res.setHeader('Vary', places);
  };
}
