import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { constantTimeEqual, sha256 } from '../../../kit/digest.ts';
import { isSameHttpUri } from './http-uri.ts';
import { PROOF_ALGORITHMS, readProofKey } from './proof-key.ts';

/** A proof may be on its way for this long, and the clocks of clients may be ahead by so much. Seconds. */
export const PROOF_AGE_SECONDS = 60;
const AHEAD_SECONDS = 10;
const MAX_PROOF_CHARACTERS = 8192;
const MAX_JTI_CHARACTERS = 512;

/** What can be wrong with a proof. A closed list: it goes into logs, and what the caller wrote must not. */
export type ProofProblem =
  | 'no proof'
  | 'more than one proof'
  | 'not a DPoP proof'
  | 'algorithm not accepted'
  | 'key not accepted'
  | 'wrong signature'
  | 'outside its time'
  | 'other method'
  | 'other URI'
  | 'no usable jti'
  | 'other access token'
  | 'other key'
  | 'nonce missing or old'
  | 'used before';

export interface ProofRequest {
  /** The values of the DPoP header as they arrived. There has to be exactly one. */
  proof: string | readonly string[] | null | undefined;
  method: string;
  /** Of the request; its query and fragment do not count. */
  url: string;
  /** The token that comes with the proof, at a resource server: then the proof has to name it in `ath`. */
  accessToken?: string | undefined;
}

export interface ReadProof {
  kind: 'read';
  jkt: string;
  jti: string;
  /** Seconds since the epoch, possibly with a fraction. */
  issuedAt: number;
  nonce: string | undefined;
}

export interface RefusedProof {
  kind: 'refused';
  reason: ProofProblem;
}

const refused = (reason: ProofProblem): RefusedProof => ({ kind: 'refused', reason });

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Everything of RFC 9449 4.3 that can be told from the proof itself. Whether it was used before cannot. */
export async function readDpopProof(request: ProofRequest, nowSeconds: number): Promise<ReadProof | RefusedProof> {
  const [proof, another] = [request.proof ?? []].flat();
  if (proof === undefined || proof === '') return refused('no proof');
  // Node joins repeated headers of this name with a comma, which no JWT has.
  if (another !== undefined || proof.includes(',')) return refused('more than one proof');
  if (proof.length > MAX_PROOF_CHARACTERS || !COMPACT.test(proof)) return refused('not a DPoP proof');

  const verified = await verify(proof, nowSeconds);
  if ('kind' in verified) return verified;
  const { claims, jkt } = verified;
  const { htm, htu, iat, jti, ath, nonce } = claims;
  if (htm !== request.method) return refused('other method');
  if (typeof htu !== 'string' || !isSameHttpUri(htu, request.url)) return refused('other URI');
  if (typeof iat !== 'number' || iat < nowSeconds - PROOF_AGE_SECONDS || iat > nowSeconds + AHEAD_SECONDS) {
    return refused('outside its time');
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_CHARACTERS) return refused('no usable jti');
  if (request.accessToken !== undefined) {
    if (typeof ath !== 'string' || !constantTimeEqual(ath, sha256(request.accessToken))) {
      return refused('other access token');
    }
  }
  return { kind: 'read', jkt, jti, issuedAt: iat, nonce: typeof nonce === 'string' ? nonce : undefined };
}

async function verify(
  proof: string,
  nowSeconds: number,
): Promise<{ claims: JWTPayload & Record<string, unknown>; jkt: string } | RefusedProof> {
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(proof);
  } catch {
    return refused('not a DPoP proof');
  }
  // Exactly this type: nothing else that is signed, here or elsewhere, may pass for a proof (RFC 8725 3.11).
  if (header.typ !== 'dpop+jwt') return refused('not a DPoP proof');
  const alg = PROOF_ALGORITHMS.find((name) => name === header.alg);
  if (!alg) return refused('algorithm not accepted');
  const proofKey = await readProofKey(header.jwk, alg);
  if (!proofKey) return refused('key not accepted');
  try {
    const { payload } = await jwtVerify(proof, proofKey.key, {
      algorithms: [alg],
      // For `nbf` and `exp`, should a proof have them.
      clockTolerance: AHEAD_SECONDS,
      currentDate: new Date(nowSeconds * 1000),
    });
    return { claims: payload, jkt: proofKey.jkt };
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return refused('wrong signature');
    const timely = error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed;
    return refused(timely ? 'outside its time' : 'not a DPoP proof');
  }
}
