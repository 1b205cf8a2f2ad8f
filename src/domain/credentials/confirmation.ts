/** RFC 7800: the key or the certificate, by its SHA-256 thumbprint, that whoever uses a token must prove to hold. */
export interface Confirmation {
  /** RFC 9449 6: a DPoP key (RFC 7638). */
  jkt?: string;
  /** RFC 8705 3.1: a client certificate. */
  x5tS256?: string;
}

/** As it stands in a token and in the answer of introspection: the `cnf` claim. */
export const toClaim = ({ jkt, x5tS256 }: Confirmation) => ({
  ...(jkt === undefined ? {} : { jkt }),
  ...(x5tS256 === undefined ? {} : { 'x5t#S256': x5tS256 }),
});

/**
 * The reverse, from a `cnf` claim or the payload of an opaque token. Null when there is nothing to confirm. A claim with
 * members we do not know gives an empty confirmation, which nobody can meet.
 */
export function confirmationOf(claim: unknown): Confirmation | null {
  if (typeof claim !== 'object' || claim === null) return null;
  const { jkt, 'x5t#S256': x5tS256 } = claim as Record<string, unknown>;
  return {
    ...(typeof jkt === 'string' ? { jkt } : {}),
    ...(typeof x5tS256 === 'string' ? { x5tS256 } : {}),
  };
}
