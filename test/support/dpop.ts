/** The client's side of DPoP (RFC 9449): keys and proofs, right ones and wrong ones. */
import { createHash, randomBytes } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface ProofKeys {
  alg: string;
  privateKey: CryptoKey;
  publicJwk: JWK;
  privateJwk: JWK;
  /** Its thumbprint. */
  jkt: string;
}

export async function createProofKeys(alg = 'ES256', options: { modulusLength?: number } = {}): Promise<ProofKeys> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true, ...options });
  const publicJwk = await exportJWK(publicKey);
  return {
    alg,
    privateKey,
    publicJwk,
    privateJwk: await exportJWK(privateKey),
    jkt: await calculateJwkThumbprint(publicJwk),
  };
}

/** What a test wants otherwise; a claim or header member set to undefined is left out. */
export interface ProofChange {
  method?: string;
  accessToken?: string;
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  signWith?: CryptoKey | Uint8Array;
}

/** A proof for a POST to `url`, made now, unless told otherwise. */
export function proofFor(
  url: string,
  { alg, privateKey, publicJwk }: ProofKeys,
  { method = 'POST', accessToken, claims = {}, header = {}, signWith = privateKey }: ProofChange = {},
): Promise<string> {
  const jwt = new SignJWT({
    htm: method,
    htu: url,
    iat: Math.floor(Date.now() / 1000),
    jti: randomBytes(12).toString('hex'),
    ...(accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') }),
    ...claims,
  });
  return jwt.setProtectedHeader({ typ: 'dpop+jwt', alg, jwk: publicJwk, ...header }).sign(signWith);
}
