import type { Digester } from '../../kit/digest.ts';
import { createHmacSha256Hex, sha256Hex } from '../../kit/foreign-digest.ts';
import type { ImportedApiKey } from './manage-api-keys.ts';

export type ImportedAlgorithm = ImportedApiKey['algorithm'];

/**
 * Keys that came from another system as digests. What is stored is a keyed digest of theirs: a plain SHA-256 in a dump could be
 * looked up in the dumps of that system, or computed from a guessed key.
 */
export interface ImportedDigests {
  /** Whether keys of this kind can be recognised: an HMAC needs the key of the other system. */
  supports(algorithm: ImportedAlgorithm): boolean;
  /** What is stored for a digest (hex, 64 characters). */
  stored(algorithm: ImportedAlgorithm, hexDigest: string): string;
  /** What may be stored for a key that someone shows: one for every algorithm in use. */
  importedDigestsOf(text: string): string[];
}

const PURPOSE = 'api-key-imported';

/** @param hmacKey GATEHOUSE_IMPORT_HMAC_KEY, or null. */
export function createImportedDigests({
  digester,
  hmacKey,
}: {
  digester: Digester;
  hmacKey: Buffer | null;
}): ImportedDigests {
  const algorithms = new Map<ImportedAlgorithm, (text: string) => string>([['sha256', sha256Hex]]);
  if (hmacKey) algorithms.set('hmac-sha256', createHmacSha256Hex(hmacKey));

  const stored = (algorithm: ImportedAlgorithm, hexDigest: string): string =>
    digester.digest(PURPOSE, `${algorithm}\0${hexDigest}`);
  return {
    supports: (algorithm) => algorithms.has(algorithm),
    stored,
    importedDigestsOf: (text) => Array.from(algorithms, ([algorithm, digest]) => stored(algorithm, digest(text))),
  };
}

/** A SHA-256 in hex or base64url, as hex in small letters; null when it is neither. */
export function hexDigestOf(text: string): string | null {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return text.toLowerCase();
  if (!/^[A-Za-z0-9_-]{43}$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64url');
  // The last character has two bits to spare: with those set it would be a second spelling of the same digest.
  return bytes.toString('base64url') === text ? bytes.toString('hex') : null;
}
