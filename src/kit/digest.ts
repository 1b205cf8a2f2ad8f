import { createHmac, createSecretKey, hash, timingSafeEqual } from 'node:crypto';

/** Keyed digest of a bearer value: what the stores keep instead of the value itself. */
export interface Digester {
  /**
   * HMAC-SHA-256 of `value` as 43 characters of base64url. `purpose` separates the name spaces, so the digest of
   * a code never equals the digest of a session with the same value.
   */
  digest(purpose: string, value: string): string;
  /** True when `value` has this digest; takes the same time wherever they differ. */
  matches(purpose: string, value: string, expected: string): boolean;
}

export function createDigester(key: Buffer): Digester {
  if (key.length < 32) throw new RangeError('a digest key needs at least 32 bytes');
  // As a KeyObject: preparing a bare buffer anew for every digest costs five times the digest itself.
  const secret = createSecretKey(key);
  const digest = (purpose: string, value: string): string =>
    createHmac('sha256', secret).update(`${purpose}\0${value}`).digest('base64url');
  return {
    digest,
    matches: (purpose, value, expected) => constantTimeEqual(digest(purpose, value), expected),
  };
}

/** Compares two strings without telling, by the time it takes, where they differ. Unequal lengths return at once. */
export function constantTimeEqual(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Plain SHA-256 as base64url: PKCE challenges and fingerprints, never for storing a secret. */
export const sha256 = (value: string): string => hash('sha256', value, 'base64url');
