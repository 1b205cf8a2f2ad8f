import type { Clock } from '../../../kit/clock.ts';
import { constantTimeEqual, type Digester } from '../../../kit/digest.ts';
import type { TokenStore } from '../../tokens/token-store.ts';
import { PROOF_AGE_SECONDS, type ProofProblem, type ProofRequest, readDpopProof } from './dpop-proof.ts';

/** How long a used proof is remembered beyond its time, for processes whose clocks differ. */
const MARGIN_SECONDS = 60;

export type VerifiedProof =
  /** `jkt`: the thumbprint of the key that the caller holds (RFC 7638, SHA-256, base64url). */
  { kind: 'proved'; jkt: string } | { kind: 'refused'; reason: ProofProblem };

/**
 * Accepts a DPoP proof once (RFC 9449 4.3). `jkt` is the key it has to be of, when that is known already: proofs of other
 * keys leave no trace in the store. `acceptsNonce` is asked when the server hands out nonces; undefined is a proof without.
 * Throws StoreUnavailableError.
 */
export type VerifyDpopProof = (
  request: ProofRequest & { jkt?: string; acceptsNonce?: (nonce: string | undefined) => boolean },
) => Promise<VerifiedProof>;

export function createDpopProofVerifier({
  tokens,
  digester,
  clock,
}: {
  tokens: Pick<TokenStore, 'insert'>;
  digester: Digester;
  clock: Clock;
}): VerifyDpopProof {
  /** Insert-if-absent decides which of several uses was the first. */
  const isFirstUse = (jkt: string, jti: string, issuedAt: number): Promise<boolean> =>
    tokens.insert({
      kind: 'ReplayMarker',
      // A name space of its own: a client must not be able to use up somebody's proof with an assertion.
      id: digester.digest('DpopProof', `${jkt}\0${jti}`),
      payload: '{}',
      grantId: null,
      accountId: null,
      clientId: null,
      uid: null,
      userCode: null,
      createdAt: clock.nowSeconds(),
      expiresAt: Math.ceil(issuedAt) + PROOF_AGE_SECONDS + MARGIN_SECONDS,
      consumedAt: null,
      receipt: null,
    });

  return async ({ jkt: expected, acceptsNonce, ...request }) => {
    const proof = await readDpopProof(request, clock.nowSeconds());
    if (proof.kind === 'refused') return proof;
    const { jkt, jti, issuedAt, nonce } = proof;
    if (expected !== undefined && !constantTimeEqual(jkt, expected)) return { kind: 'refused', reason: 'other key' };
    if (acceptsNonce && !acceptsNonce(nonce)) return { kind: 'refused', reason: 'nonce missing or old' };
    if (!(await isFirstUse(jkt, jti, issuedAt))) return { kind: 'refused', reason: 'used before' };
    return { kind: 'proved', jkt };
  };
}
