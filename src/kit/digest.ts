import { hash, timingSafeEqual } from 'node:crypto';

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
  const hmac = createHmacSha256(key);
  const digest = (purpose: string, value: string): string => hmac(`${purpose}\0${value}`);
  return {
    digest,
    matches: (purpose, value, expected) => constantTimeEqual(digest(purpose, value), expected),
  };
}

/** Of SHA-256, in bytes. */
const BLOCK = 64;
const DIGEST = 32;
/** Longer texts get a buffer of their own. */
const USUAL_LENGTH = 1024;

/**
 * HMAC (RFC 2104) with SHA-256, as base64url, made of two plain hashes: Node's `createHmac` makes an object for each, which costs
 * more than both hashes together, and every request needs several. The tests compare the two.
 */
function createHmacSha256(key: Buffer): (text: string) => string {
  const short = key.length > BLOCK ? hash('sha256', key, 'buffer') : key;
  const padded = (length: number, pad: number): Buffer => {
    const bytes = Buffer.alloc(length);
    for (let index = 0; index < BLOCK; index += 1) bytes[index] = (short[index] ?? 0) ^ pad;
    return bytes;
  };
  // Written anew with each text, and read before the next can come.
  const inner = padded(BLOCK + USUAL_LENGTH, 0x36);
  const outer = padded(BLOCK + DIGEST, 0x5c);
  return (text) => {
    const length = BLOCK + Buffer.byteLength(text);
    let message = inner;
    if (length > inner.length) {
      message = Buffer.allocUnsafeSlow(length);
      inner.copy(message, 0, 0, BLOCK);
    }
    message.write(text, BLOCK);
    hash('sha256', message.subarray(0, length), 'buffer').copy(outer, BLOCK);
    return hash('sha256', outer, 'base64url');
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
