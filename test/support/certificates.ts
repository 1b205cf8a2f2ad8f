/** Certificates that nobody signed but their holders, made by openssl. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Identity {
  /** PEM, and the same in DER. */
  certFile: string;
  derFile: string;
  keyFile: string;
  cert: string;
  key: string;
  der: Buffer;
  /** RFC 8705 3.1, in other words than the server's. */
  thumbprint: string;
}

/** In a folder that other users may read: nginx runs as one. */
export function makeIdentity(folder: string, name: string, host = 'localhost'): Identity {
  const [certFile, derFile, keyFile] = ['pem', 'der', 'key'].map((end) => join(folder, `${name}.${end}`)) as [
    string,
    string,
    string,
  ];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${host}`, '-keyout', keyFile, '-out', certFile],
    ],
    { stdio: 'pipe' },
  );
  chmodSync(folder, 0o755);
  chmodSync(keyFile, 0o644);
  const cert = readFileSync(certFile, 'utf8');
  const { raw: der, fingerprint256 } = new X509Certificate(cert);
  writeFileSync(derFile, der);
  const thumbprint = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
  return { certFile, derFile, keyFile, cert, key: readFileSync(keyFile, 'utf8'), der, thumbprint };
}

/** What a server shows and what its clients know it by. */
export interface Authority {
  caFile: string;
  /** A certificate that the authority signed, for these names: `DNS:localhost`, `IP:127.0.0.1`. */
  issue(name: string, names: readonly string[]): { certFile: string; keyFile: string };
}

/** In a folder that other users may read, as makeIdentity's. */
export function makeAuthority(folder: string, name: string): Authority {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const [caFile, caKey] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const files = ['-keyout', caKey, '-out', caFile];
  execFileSync('openssl', ['req', '-x509', ...key, '-subj', `/CN=${name}`, ...files], { stdio: 'pipe' });
  chmodSync(folder, 0o755);
  return {
    caFile,
    issue(of, names) {
      const [certFile, keyFile] = [join(folder, `${of}.pem`), join(folder, `${of}.key`)];
      const extensions = [`subjectAltName=${names.join(',')}`, 'basicConstraints=critical,CA:FALSE'];
      execFileSync(
        'openssl',
        [
          ...['req', '-x509', '-CA', caFile, '-CAkey', caKey, ...key, '-subj', `/CN=${of}`],
          ...extensions.flatMap((extension) => ['-addext', extension]),
          ...['-keyout', keyFile, '-out', certFile],
        ],
        { stdio: 'pipe' },
      );
      chmodSync(keyFile, 0o644);
      return { certFile, keyFile };
    },
  };
}
