import { createHash, createHmac, createSecretKey } from 'node:crypto';

/** The plain digests that other systems keep of their keys, in hex. For recognising those, never for storing a secret. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/** HMAC-SHA-256 under another system's key, without a purpose of ours before the text. */
export function createHmacSha256Hex(key: Buffer): (text: string) => string {
  const secret = createSecretKey(key);
  return (text) => createHmac('sha256', secret).update(text).digest('hex');
}
