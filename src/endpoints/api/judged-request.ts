import type { Context } from 'koa';
import { headerValues } from '../../http/header-values.ts';
import type { JudgedRequest } from './guard.ts';

/** How a request is described to whoever checks a proof of possession: one to ourselves, or what `about` says instead. */
export function judgedRequest(
  ctx: Context,
  thumbprintOf: (ctx: Context) => string | null,
  about: { method?: string | undefined; url?: string | undefined; certificateThumbprint?: string | undefined } = {},
): () => JudgedRequest {
  return () => ({
    method: about.method ?? ctx.method,
    url: about.url ?? ctx.href,
    proofs: proofsOf(ctx),
    certificateThumbprint: about.certificateThumbprint ?? thumbprintOf(ctx),
  });
}

export const proofsOf = (ctx: Context): readonly string[] => headerValues(ctx.req, 'dpop');
