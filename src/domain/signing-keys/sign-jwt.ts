import { sign } from 'node:crypto';
import type { LoadedSigningKey } from './key-material.ts';

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/**
 * A JWS in compact form (RFC 7515 3.1), signed with ES256 on the calling thread. jose signs by WebCrypto on libuv's threads,
 * and the way there and back costs more than the signature: this is the busiest thing the server does.
 */
export function signJwt(key: LoadedSigningKey, type: string, claims: object): string {
  if (key.algorithm !== 'ES256') throw new TypeError(`signJwt signs with ES256, not ${key.algorithm}`);
  const signed = `${encode({ alg: key.algorithm, typ: type, kid: key.kid })}.${encode(claims)}`;
  // Asked for the form that JOSE wants, Node takes twice as long as it does for DER and the few lines below.
  const signature = joseSignature(sign('sha256', Buffer.from(signed), key.privateKey));
  return `${signed}.${signature.toString('base64url')}`;
}

const NUMBER_BYTES = 32;

/**
 * RFC 7518 3.4: the two numbers of a P-256 signature side by side, 32 bytes each. In DER (RFC 3279 2.2.3) they are integers of
 * their own length: with a zero in front when the first bit is set, without the zeros that were there.
 */
function joseSignature(der: Buffer): Buffer {
  const rLength = der[3] ?? 0;
  const out = Buffer.alloc(2 * NUMBER_BYTES);
  copyNumber(der.subarray(4, 4 + rLength), out.subarray(0, NUMBER_BYTES));
  copyNumber(der.subarray(6 + rLength), out.subarray(NUMBER_BYTES));
  return out;
}

function copyNumber(integer: Buffer, into: Buffer): void {
  const digits = integer.subarray(Math.max(0, integer.length - NUMBER_BYTES));
  digits.copy(into, NUMBER_BYTES - digits.length);
}
