import { X509Certificate } from 'node:crypto';

/** The first certificate of a PEM chain, the server's own. Throws when there is none. */
export function readCertificate(pem: string | Buffer): {
  names: string;
  expiresAtMs: number;
  fits(hostname: string): boolean;
} {
  const certificate = new X509Certificate(pem);
  return {
    names: certificate.subjectAltName ?? certificate.subject,
    expiresAtMs: certificate.validToDate.getTime(),
    fits: (hostname) => certificate.checkHost(hostname) !== undefined || certificate.checkIP(hostname) !== undefined,
  };
}
