import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

export interface Certificate {
  /** Who it is for, in words. */
  names: string;
  expiresAtMs: number;
  /** Whether it is for this host name or address, written as in a URL. */
  fits(host: string): boolean;
}

/** The first certificate of a PEM chain, the server's own. Throws when there is none. */
export function readCertificate(pem: string | Buffer): Certificate {
  const certificate = new X509Certificate(pem);
  return {
    names: certificate.subjectAltName ?? certificate.subject,
    expiresAtMs: certificate.validToDate.getTime(),
    fits(host) {
      const bare = host.replace(/^\[|\]$/g, '');
      return (isIP(bare) ? certificate.checkIP(bare) : certificate.checkHost(bare)) !== undefined;
    },
  };
}
