import { createHash, X509Certificate } from 'node:crypto';

/**
 * SHA-256 of a certificate's DER as base64url: `x5t#S256` of RFC 8705 3.1. Takes DER or PEM, of which the first certificate
 * counts. Null when it is no certificate.
 */
export function certificateThumbprint(certificate: string | Buffer): string | null {
  try {
    return createHash('sha256').update(new X509Certificate(certificate).raw).digest('base64url');
  } catch {
    return null;
  }
}
