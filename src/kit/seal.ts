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

interface WrappingKey {
  id: string;
  key: KeyObject;
}

const derive = (secret: string | Buffer, info: string, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, 'gatehouse', info, length));

/**
 * @param secrets key-encryption secrets of at least 32 characters or bytes; the first one seals, all of them open.
 */
export function createSealer(secrets: readonly (string | Buffer)[]): Sealer {
  const ring = secrets.map((secret): WrappingKey => {
    if (secret.length < 32) throw new RangeError('a sealing secret needs at least 32 characters');
    // The id is derived apart from the key: it is stored in clear beside every ciphertext.
    return { id: derive(secret, 'id', 6).toString('base64url'), key: createSecretKey(derive(secret, 'seal', 32)) };
  });
  const [current] = ring;
  if (!current) throw new RangeError('a sealer needs at least one secret');

  return {
    seal(plaintext, context) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', current.key, nonce);
      cipher.setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plaintext as Buffer), cipher.final(), cipher.getAuthTag()]);
      return `v1.${current.id}.${nonce.toString('base64url')}.${body.toString('base64url')}`;
    },
    open(sealed, context) {
      const [version, id, nonce, body] = sealed.split('.');
      const match = ring.find((candidate) => candidate.id === id);
      if (version !== 'v1' || !nonce || !body) throw new SealError('this is not a sealed value');
      if (!match) throw new SealError('no key of the ring sealed this value');
      const bytes = Buffer.from(body, 'base64url');
      if (bytes.length < 16) throw new SealError('the sealed value is cut short');
      try {
        const decipher = createDecipheriv('aes-256-gcm', match.key, Buffer.from(nonce, 'base64url'));
        decipher.setAAD(Buffer.from(context));
        decipher.setAuthTag(bytes.subarray(-16));
        return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]);
      } catch (cause) {
        throw new SealError('the sealed value or its context was changed', { cause });
      }
    },
    isCurrent: (sealed) => sealed.split('.')[1] === current.id,
  };
}
