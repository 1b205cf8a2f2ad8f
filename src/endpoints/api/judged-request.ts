import type { Context } from 'koa';
import type { JudgedRequest } from './guard.ts';

/** A request to ourselves, as a proof of possession must describe it. */
export function judgedRequest(ctx: Context, certificateThumbprint: string | null): JudgedRequest {
  return { method: ctx.method, url: ctx.href, proofs: proofsOf(ctx), certificateThumbprint };
}

export const proofsOf = (ctx: Context): readonly string[] => ctx.req.headersDistinct.dpop ?? [];
