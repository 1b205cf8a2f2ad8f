import { constantTimeEqual } from '../../../kit/digest.ts';
import type { Confirmation } from '../confirmation.ts';
import type { ProofProblem, ProofRequest } from './dpop-proof.ts';
import type { VerifyDpopProof } from './verify-proof.ts';

/** Why a token may not be used by whoever sent it. A closed list, for logs and the audit trail. */
export type BindingProblem =
  | ProofProblem
  | 'bound token sent as bearer'
  | 'unbound token sent with a proof'
  | 'no client certificate'
  | 'other client certificate'
  | 'unknown kind of binding';

export interface BoundRequest extends ProofRequest {
  /** What the token is bound to; null for a bearer token. */
  confirmation: Confirmation | null;
  /** The scheme of the Authorization header under which the token came. */
  scheme: 'bearer' | 'dpop';
  accessToken: string;
  /** Of the certificate that the caller showed in TLS; null when there was none. */
  certificateThumbprint: string | null;
}

/**
 * Whether the sender of a token is the one it was given to (RFC 9449 7.1, RFC 8705 3). Null when it is. A good proof is used
 * up by the check. Throws StoreUnavailableError.
 */
export type CheckBinding = (request: BoundRequest) => Promise<BindingProblem | null>;

export function createBindingCheck({ verifyProof }: { verifyProof: VerifyDpopProof }): CheckBinding {
  return async ({ confirmation, scheme, certificateThumbprint, ...request }) => {
    const { jkt, x5tS256 } = confirmation ?? {};
    // A token that is not bound must not look as if it were (RFC 9449 7.1), nor a bound one work like any other (7.2).
    if (jkt === undefined && scheme === 'dpop') return 'unbound token sent with a proof';
    if (jkt !== undefined && scheme === 'bearer') return 'bound token sent as bearer';
    if (confirmation && jkt === undefined && x5tS256 === undefined) return 'unknown kind of binding';
    if (x5tS256 !== undefined) {
      if (certificateThumbprint === null) return 'no client certificate';
      if (!constantTimeEqual(certificateThumbprint, x5tS256)) return 'other client certificate';
    }
    if (jkt === undefined) return null;
    const result = await verifyProof({ ...request, jkt });
    return result.kind === 'refused' ? result.reason : null;
  };
}
