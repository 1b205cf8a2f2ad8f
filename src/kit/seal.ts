import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';

/**
 * Authenticated encryption of what must be read back later. AES-256-GCM with a random 96-bit nonce.
 * The sealed text is `v1.<key id>.<nonce>.<ciphertext and tag>`, all base64url.
 */
export interface Sealer {
  /** Seals under the first key of the ring. `context` is authenticated: it must be given again to open. */
  seal(plaintext: string | Buffer, context: string): string;
  /** Opens with whichever key of the ring sealed it. Throws SealError for a foreign key, another context or a changed byte. */
  open(sealed: string, context: string): Buffer;
  /** True when the text was sealed under the first key, that is, needs no re-sealing. */
  isCurrent(sealed: string): boolean;
}

export class SealError extends Error {
  override name = 'SealError';
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface WrappingKey {
  id: string;
  key: KeyObject;
}

const derive = (secret: string | Buffer, info: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, 'gatehouse', info, length));

/** @param info what the keys are for: a key derived under one name opens nothing of another. */
function deriveRing(secrets: readonly (string | Buffer)[], info: string): [WrappingKey, ...WrappingKey[]] {
  const [current, ...others] = secrets.map((secret): WrappingKey => {
    if (secret.length < 32) throw new RangeError('a sealing secret needs at least 32 characters');
    // The id is derived apart from the key: it is stored in clear beside every ciphertext. It names the secret, whatever for.
    return { id: derive(secret, 'id', 6).toString('base64url'), key: createSecretKey(derive(secret, info, 32)) };
  });
  if (!current) throw new RangeError('a sealer needs at least one secret');
  return [current, ...others];
}

/**
 * @param secrets key-encryption secrets of at least 32 characters or bytes; the first one seals, all of them open.
 */
export function createSealer(secrets: readonly (string | Buffer)[]): Sealer {
  const ring = deriveRing(secrets, 'seal');
  const [current] = ring;
  return {
    seal: (plaintext, context) => `v1.${current.id}.${encrypt(current.key, plaintext, context)}`,
    open(sealed, context) {
      const [version, id, ...text] = sealed.split('.');
      if (version !== 'v1' || text.length !== 2) throw new SealError('this is not a sealed value');
      return decrypt(memberOf(ring, id).key, text.join('.'), context);
    },
    isCurrent: (sealed) => sealed.split('.')[1] === current.id,
  };
}

/** A data key as it is stored: sealed under one key of the ring, whose id stands beside it. */
export interface WrappedKey {
  wrappedKey: string;
  wrappedBy: string;
}

/** Wraps data keys, so that a new secret changes the wrapping of each and never what it encrypts. */
export interface WrappingRing {
  /** Of the first secret, which wraps. */
  readonly currentId: string;
  /** Of all secrets, in their order. */
  readonly ids: readonly string[];
  /** `context` and the id of the wrapping key are authenticated. */
  wrap(dataKey: Buffer, context: string): WrappedKey;
  /** Throws SealError for a foreign key, another context or a changed byte. */
  unwrap(wrapped: WrappedKey, context: string): Buffer;
}

/** @param purpose of the data keys: rings of the same secrets with another purpose open nothing of this one. */
export function createWrappingRing(secrets: readonly (string | Buffer)[], purpose: string): WrappingRing {
  const ring = deriveRing(secrets, `wrap:${purpose}`);
  const [current] = ring;
  return {
    currentId: current.id,
    ids: ring.map(({ id }) => id),
    wrap: (dataKey, context) => ({
      wrappedKey: sealUnder(current.key, dataKey, `${context}|${current.id}`),
      wrappedBy: current.id,
    }),
    unwrap: ({ wrappedKey, wrappedBy }, context) =>
      openUnder(memberOf(ring, wrappedBy).key, wrappedKey, `${context}|${wrappedBy}`),
  };
}

/** Seals under a key of one's own, 256 bits: `v1.<nonce>.<ciphertext and tag>`. */
export const sealUnder = (key: Buffer | KeyObject, plaintext: string | Buffer, context: string): string =>
  `v1.${encrypt(key, plaintext, context)}`;

/** Throws SealError for another key, another context or a changed byte. */
export function openUnder(key: Buffer | KeyObject, sealed: string, context: string): Buffer {
  if (!sealed.startsWith('v1.')) throw new SealError('this is not a sealed value');
  return decrypt(key, sealed.slice(3), context);
}

function memberOf(ring: readonly WrappingKey[], id: string | undefined): WrappingKey {
  const match = ring.find((candidate) => candidate.id === id);
  if (!match) throw new SealError('no key of the ring sealed this value');
  return match;
}

/** `<nonce>.<ciphertext and tag>` */
function encrypt(key: Buffer | KeyObject, plaintext: string | Buffer, context: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(context));
  const body = Buffer.concat([cipher.update(plaintext as Buffer), cipher.final(), cipher.getAuthTag()]);
  return `${nonce.toString('base64url')}.${body.toString('base64url')}`;
}

function decrypt(key: Buffer | KeyObject, text: string, context: string): Buffer {
  const [nonce, bytes, ...more] = text.split('.').map(fromBase64url);
  if (nonce?.length !== NONCE_BYTES || !bytes || more.length > 0) throw new SealError('this is not a sealed value');
  if (bytes.length < TAG_BYTES) throw new SealError('the sealed value is cut short');
  try {
    // Without the length, a tag cut to 4 bytes would do.
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (cause) {
    throw new SealError('the sealed value or its context was changed', { cause });
  }
}

/** Node skips what is no base64url, and the last character may have idle bits: one value has one text only. */
function fromBase64url(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new SealError('this is not a sealed value');
  return bytes;
}
