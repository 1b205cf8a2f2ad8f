import type { Context } from 'koa';
import { type Again, cacheControl } from '../../http/answer-again.ts';
import type { CredentialPlaces } from './dialect.ts';
import type { Admitted } from './guard.ts';

/**
 * Lets whoever asked about a credential remember the answer for whole seconds, for each credential apart. What a cache elsewhere may
 * do with the answer we do ourselves, to the millisecond, and count it. 0: not at all.
 */
export function createAllowCaching({
  headers,
}: CredentialPlaces): (ctx: Context, admitted: Pick<Admitted, 'believableMs' | 'count'>) => void {
  const places = [...headers, 'cookie'].join(', ');
  return (ctx, { believableMs, count }) => {
    if (believableMs <= 0) return;
    ctx.state.again = { holdsMs: believableMs, count } satisfies Again;
    ctx.res.setHeader('Cache-Control', cacheControl(believableMs));
    if (ctx.res.hasHeader('Vary')) ctx.vary(places);
    else ctx.res.setHeader('Vary', places);
  };
}
