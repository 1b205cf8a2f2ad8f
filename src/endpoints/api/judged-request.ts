import type { Context } from 'koa';
import { headerValues } from '../../http/header-values.ts';
import type { JudgedRequest } from './guard.ts';

/**
 * A request as a proof of possession must describe it: one to ourselves, or what `about` says instead. Each member is found out
 * when it is asked for: few credentials are bound to anything.
 */
export function judgedRequest(
  ctx: Context,
  thumbprintOf: (ctx: Context) => string | null,
  about: { method?: string | undefined; url?: string | undefined; certificateThumbprint?: string | undefined } = {},
): JudgedRequest {
  return {
    method: about.method ?? ctx.method,
    get url() {
      return about.url ?? ctx.href;
    },
    get proofs() {
      return proofsOf(ctx);
    },
    get certificateThumbprint() {
      return about.certificateThumbprint ?? thumbprintOf(ctx);
    },
  };
}

export const proofsOf = (ctx: Context): readonly string[] => headerValues(ctx.req, 'dpop');
