import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { SealError, type Sealer } from '../../kit/seal.ts';
import type { SigningAlgorithm, SigningKey } from './signing-key.ts';

const generate = promisify(generateKeyPair);

/** A signing key as the process uses it. The private half never leaves this record in clear. */
export interface LoadedSigningKey {
  kid: string;
  algorithm: SigningAlgorithm;
  state: SigningKey['state'];
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** With `kid`, `alg` and `use`, ready for the JWKS. */
  publicJwk: JWK;
  privateJwk: JWK;
}

/** As Node names them. */
const KEY_TYPES: Readonly<Record<SigningAlgorithm, string>> = { RS256: 'rsa', ES256: 'ec' };

const context = (kid: string): string => `signing-key:${kid}`;

/** A fresh key in the state asked for, sealed for the store. RSA 2048 or P-256. */
export async function generateSigningKey(
  algorithm: SigningAlgorithm,
  state: SigningKey['state'],
  sealer: Sealer,
  nowMs: number,
): Promise<SigningKey> {
  const { privateKey, publicKey } =
    algorithm === 'RS256'
      ? await generate('rsa', { modulusLength: 2048 })
      : await generate('ec', { namedCurve: 'P-256' });
  const publicJwk = publicKey.export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(publicJwk, 'sha256');
  return {
    kid,
    algorithm,
    state,
    publicJwk: JSON.stringify(publicJwk),
    sealedPrivateJwk: sealer.seal(JSON.stringify(privateKey.export({ format: 'jwk' })), context(kid)),
    createdAt: nowMs,
    stateSince: nowMs,
  };
}

/**
 * Throws SealError when the ring does not open the key, or the row calls it by another algorithm. The public half is made of the sealed
 * one: an attacker who can write the database must not publish a key in our name.
 */
export function loadSigningKey(key: SigningKey, sealer: Sealer): LoadedSigningKey {
  const { kid, algorithm, state } = key;
  const privateJwk = JSON.parse(sealer.open(key.sealedPrivateJwk, context(kid)).toString()) as JWK;
  const named = { kid, alg: algorithm, use: 'sig' };
  const privateKey = createPrivateKey({ key: privateJwk as never, format: 'jwk' });
  if (privateKey.asymmetricKeyType !== KEY_TYPES[algorithm]) throw new SealError(`${kid} is no key for ${algorithm}`);
  const publicKey = createPublicKey(privateKey);
  return {
    kid,
    algorithm,
    state,
    privateKey,
    publicKey,
    publicJwk: { ...(publicKey.export({ format: 'jwk' }) as JWK), ...named },
    privateJwk: { ...privateJwk, ...named },
  };
}

/** The same key sealed under the current key of the ring; null when it already is. */
export function resealed(key: SigningKey, sealer: Sealer): string | null {
  if (sealer.isCurrent(key.sealedPrivateJwk)) return null;
  return sealer.seal(sealer.open(key.sealedPrivateJwk, context(key.kid)), context(key.kid));
}
