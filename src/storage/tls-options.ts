import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { readTlsFiles } from '../config/store-files.ts';
import type { StoreTls } from '../config/store-tls.ts';

/** What `tls.connect` is told, for drivers that pass it on. Throws ConfigError when a file cannot be used. */
export function tlsOptions(tls: StoreTls, host: string, setting: string): ConnectionOptions {
  return {
    ...readTlsFiles(tls, setting),
    rejectUnauthorized: tls.verify !== 'nothing',
    // Drivers differ in which name they compare, above all when it is an address.
    checkServerIdentity: (_name, certificate) =>
      tls.verify === 'host' ? checkServerIdentity(host, certificate) : undefined,
  };
}
