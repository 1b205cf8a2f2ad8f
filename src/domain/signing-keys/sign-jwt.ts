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
  // RFC 7518 3.4 wants the two numbers side by side, not the DER that is Node's default.
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
