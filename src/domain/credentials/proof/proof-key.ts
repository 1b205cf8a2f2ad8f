import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from 'jose';

/** Asymmetric, and what clients use (RFC 9449 11.6, RFC 8725 3.1). `EdDSA` is the old name of `Ed25519` (RFC 9864). */
export const PROOF_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'] as const;
export type ProofAlgorithm = (typeof PROOF_ALGORITHMS)[number];

export interface ProofKey {
  key: CryptoKey;
  /** RFC 7638. */
  jkt: string;
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const MIN_RSA_BITS = 2048;
/** The caller chooses the key, and verifying takes longer the larger it is. */
const MAX_RSA_BITS = 4096;
const MAX_RSA_EXPONENT_BITS = 32;

/** The public key in a proof's header. Null for a private or symmetric one, and for one that does not fit the algorithm. */
export async function readProofKey(jwk: unknown, alg: ProofAlgorithm): Promise<ProofKey | null> {
  if (typeof jwk !== 'object' || jwk === null) return null;
  if (PRIVATE_MEMBERS.some((member) => member in jwk)) return null;
  const plain = essentials(jwk as Record<string, unknown>, alg);
  if (!plain) return null;
  try {
    const key = (await importJWK(plain, alg)) as CryptoKey;
    return { key, jkt: await calculateJwkThumbprint(plain, 'sha256') };
  } catch {
    // Not a point of the curve, and the like.
    return null;
  }
}

/** The members that make the key, and no others: `use`, `x5c`, `alg` and so on are the caller's to invent. */
function essentials({ kty, crv, x, y, n, e }: Record<string, unknown>, alg: ProofAlgorithm): JWK | null {
  if (alg === 'ES256') {
    return kty === 'EC' && crv === 'P-256' && isText(x) && isText(y) ? { kty, crv, x, y } : null;
  }
  if (alg === 'Ed25519' || alg === 'EdDSA') {
    return kty === 'OKP' && crv === 'Ed25519' && isText(x) ? { kty, crv, x } : null;
  }
  if (kty !== 'RSA' || !isText(n) || !isText(e)) return null;
  const size = bits(n);
  if (size < MIN_RSA_BITS || size > MAX_RSA_BITS || bits(e) > MAX_RSA_EXPONENT_BITS) return null;
  return { kty, n, e };
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** The length of an unsigned number in base64url, without the zeros in front. */
function bits(encoded: string): number {
  const hex = Buffer.from(encoded, 'base64url').toString('hex').replace(/^0+/, '');
  return hex === '' ? 0 : (hex.length - 1) * 4 + Number.parseInt(hex[0] as string, 16).toString(2).length;
}
