import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { readCertificate } from '../kit/certificate.ts';
import { ConfigError } from './problems.ts';
import type { StoreTls } from './store-tls.ts';

/** The certificates of a connection, as TLS takes them. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
}

/**
 * Reads the files that the address of a store names. Throws ConfigError: a file that is missing or is no certificate is told
 * before the start, not as a connection that fails.
 * @param setting where they are named: DATABASE_URL or REDIS_URL.
 */
export function readTlsFiles({ ca, cert, key, passphrase }: StoreTls, setting: string): TlsFiles {
  const files = {
    ...(ca === null ? {} : { ca: readPem(ca, `${setting}: the certificate of the authority`, readCertificate) }),
    ...(cert === null ? {} : { cert: readPem(cert, `${setting}: sslcert`, readCertificate) }),
    ...(key === null ? {} : { key: readPem(key, `${setting}: sslkey`) }),
    ...(passphrase === null ? {} : { passphrase }),
  };
  try {
    createSecureContext(files);
  } catch {
    throw new ConfigError([`${setting}: sslcert and sslkey do not go together, or sslpassword does not open sslkey`]);
  }
  return files;
}

function readPem(file: string, what: string, check: (pem: string) => unknown = () => {}): string {
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${what}, ${file}, cannot be read (${(error as NodeJS.ErrnoException).code ?? 'no file'})`]);
  }
  try {
    check(pem);
  } catch {
    throw new ConfigError([`${what}, ${file}, holds no certificate in PEM`]);
  }
  return pem;
}
