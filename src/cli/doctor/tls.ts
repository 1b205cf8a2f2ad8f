import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from '../../config/config.ts';
import { readCertificate } from '../../kit/certificate.ts';
import type { Clock } from '../../kit/clock.ts';
import { time } from '../text.ts';
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts';

const DAY_MS = 86_400_000;

export function examineTls({ tls, issuer }: Config, clock: Clock): Finding[] {
  if (!tls) return [];
  const files: Buffer[] = [];
  for (const file of [tls.certFile, tls.keyFile]) {
    try {
      files.push(readFileSync(file));
    } catch (error) {
      return [
        fail(
          'TLS',
          `${file} cannot be read (${reasonOf(error)})`,
          'Check TLS_CERT, TLS_KEY and who may read the files.',
        ),
      ];
    }
  }
  const [cert = Buffer.alloc(0), key = Buffer.alloc(0)] = files;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    return [
      fail(
        'TLS',
        `certificate and key do not go together (${reasonOf(error)})`,
        'Give the PEM chain of this very key.',
      ),
    ];
  }
  return examineCertificate(readCertificate(cert), new URL(issuer).hostname, clock.nowMs());
}

function examineCertificate(
  { expiresAtMs, names, fits }: ReturnType<typeof readCertificate>,
  hostname: string,
  nowMs: number,
): Finding[] {
  const advice = 'Renew it, then restart the server: it reads the files at start.';
  const until = `until ${time(expiresAtMs)}`;
  const findings: Finding[] = [];
  if (!fits(hostname))
    findings.push(fail('TLS', `the certificate (${names}) is not for ${hostname}`, 'Use one that names the issuer.'));
  if (expiresAtMs <= nowMs) findings.push(fail('TLS', `the certificate was valid ${until}`, advice));
  else if (expiresAtMs - nowMs < 14 * DAY_MS)
    findings.push(warn('TLS', `the certificate is valid ${until} only`, advice));
  return findings.length > 0 ? findings : [ok('TLS', `the certificate is valid ${until}`)];
}
