import type { Context } from 'koa';
import type { Client } from '../../domain/clients/client.ts';
import type { Confirmation } from '../../domain/credentials/confirmation.ts';
import type { DpopNonces } from '../../domain/credentials/proof/nonces.ts';
import type { VerifyDpopProof } from '../../domain/credentials/proof/verify-proof.ts';
import { AppError } from '../../kit/errors.ts';

export interface Binding {
  /** Null for a bearer token. */
  confirmation: Confirmation | null;
  tokenType: 'Bearer' | 'DPoP';
}

/** What the token of this request is to be bound to. Throws invalid_request, invalid_dpop_proof or use_dpop_nonce. */
export type BindToken = (ctx: Context, client: Client) => Promise<Binding>;

export function createTokenBinding({
  tokenUrl,
  verifyProof,
  nonces,
  certificateOf,
}: {
  /** Of the token endpoint, as clients know it. */
  tokenUrl: string;
  verifyProof: VerifyDpopProof;
  nonces: DpopNonces;
  /** The thumbprint of the client certificate that came with the request. */
  certificateOf: (ctx: Context) => string | null;
}): BindToken {
  async function byKey(ctx: Context, proof: readonly string[], nonceRequired: boolean): Promise<Binding> {
    // With every answer, good or bad, so that the next request has it (RFC 9449 8.2).
    ctx.set('DPoP-Nonce', nonces.current());
    if (proof.length === 0) {
      throw new AppError('invalid_request', { public: 'this client has to send a DPoP proof in the DPoP header' });
    }
    const acceptsNonce = (nonce: string | undefined): boolean =>
      nonce === undefined ? !nonceRequired : nonces.accepts(nonce);
    const result = await verifyProof({ proof, method: ctx.method, url: tokenUrl, acceptsNonce });
    if (result.kind === 'proved') return { confirmation: { jkt: result.jkt }, tokenType: 'DPoP' };
    if (result.reason === 'nonce missing or old') {
      throw new AppError('use_dpop_nonce', { public: 'the DPoP proof needs the nonce of the DPoP-Nonce header' });
    }
    throw new AppError('invalid_dpop_proof', { public: `the DPoP proof is not accepted: ${result.reason}` });
  }

  function byCertificate(ctx: Context): Binding {
    const x5tS256 = certificateOf(ctx);
    if (x5tS256 === null) {
      throw new AppError('invalid_request', { public: 'this client has to show its certificate in the TLS handshake' });
    }
    return { confirmation: { x5tS256 }, tokenType: 'Bearer' };
  }

  return async (ctx, client) => {
    // Few requests have one, and keeping repeated headers apart costs a pass over all of them.
    const proof = ctx.req.headers.dpop === undefined ? [] : (ctx.req.headersDistinct.dpop ?? []);
    if (client.tokenBinding === 'mtls') {
      if (proof.length > 0) {
        throw new AppError('invalid_request', {
          public: 'tokens of this client are bound to its certificate; send no DPoP proof',
        });
      }
      return byCertificate(ctx);
    }
    const required = client.tokenBinding === 'dpop';
    if (required || proof.length > 0) return byKey(ctx, proof, required);
    return { confirmation: null, tokenType: 'Bearer' };
  };
}
