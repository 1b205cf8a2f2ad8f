export const SIGNING_ALGORITHMS = ['RS256', 'ES256'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/**
 * published: in the JWKS, not signing yet. active: signs. retired: in the JWKS for what it signed. A removed key has no row.
 */
export type SigningKeyState = 'published' | 'active' | 'retired';

export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  kid: string;
  algorithm: SigningAlgorithm;
  state: SigningKeyState;
  /** Public JWK as JSON. */
  publicJwk: string;
  /** Private JWK, sealed under the key-encryption ring with the context `signing-key:<kid>`. */
  sealedPrivateJwk: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** When it entered its present state; milliseconds since the epoch. */
  stateSince: number;
}
