import { hash, verify } from '@node-rs/argon2';
import { AppError } from '../../kit/errors.ts';
import { createFairQueue } from './fair-queue.ts';

/** OWASP 2026 minimum for argon2id: 19 MiB, two passes, one lane (about 13 ms of one core). */
const ARGON2 = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
/** Of the same cost as a real one, so that a sign-in of an unknown user takes as long. It opens nothing: see `verify`. */
export const DUMMY_HASH =
  '$argon2id$v=19$m=19456,t=2,p=1$a0cPBXCqQNduzXyhqjE+ug$UKKZtCYghy9cOczp7hOOoSo1QU50SESkjv4i0Yh00yQ';
/** Of the normalized form. Argon2 has no limit of its own; a cap keeps a megabyte from being hashed. Nothing is cut off silently. */
export const MAX_PASSWORD_BYTES = 1024;
/** In characters of the normalized form. NIST SP 800-63B-4: 15 when the password is the only factor. */
export const MIN_PASSWORD_LENGTH = 15;

/**
 * The one form of a password that is measured, hashed and compared (NIST SP 800-63B-4 3.1.1.2): a keyboard that composes letters
 * in another way types the same password. Spaces stay as they are.
 */
export const normalizePassword = (password: string): string => password.normalize('NFKC');

export interface Passwords {
  hash(password: string): Promise<string>;
  /**
   * With `phc` null it spends the same time on a dummy hash and answers false: an unknown user costs what a known one does.
   * `addressGroup` is whose turn it takes when others wait too.
   */
  verify(phc: string | null, password: string, addressGroup?: string): Promise<boolean>;
  /** Hashing jobs running and waiting, for the metrics. */
  load(): { running: number; waiting: number };
}

/**
 * Hashing runs on libuv's threads. At most `concurrency` run at once, so that token signing always finds a thread, and at
 * most `queueLimit` wait, of one address at most `queueShare`: past that a sign-in is refused with 503 instead of making
 * everyone slow. The addresses that wait are served in turn.
 */
export function createPasswords({
  concurrency,
  queueLimit,
  queueShare = queueLimit,
}: {
  concurrency: number;
  queueLimit: number;
  queueShare?: number;
}): Passwords {
  const queue = createFairQueue({
    concurrency,
    limit: queueLimit,
    share: queueShare,
    refused: () =>
      new AppError('temporarily_unavailable', {
        public: 'Too many people are signing in just now.',
        retryAfterSeconds: 3,
      }),
  });

  return {
    hash: (password) => queue.run(null, () => hash(normalizePassword(password), ARGON2)),
    async verify(phc, password, addressGroup) {
      const normalized = normalizePassword(password);
      if (Buffer.byteLength(normalized) > MAX_PASSWORD_BYTES) return false;
      return (await queue.run(addressGroup ?? null, () => verify(phc ?? DUMMY_HASH, normalized))) && phc !== null;
    },
    load: queue.load,
  };
}

/** Why a password is not acceptable, in words for the person choosing it; null when it is. */
export function passwordProblem(typed: string, context: readonly string[] = []): string | null {
  const password = normalizePassword(typed);
  if ([...password].length < MIN_PASSWORD_LENGTH) return `Use at least ${MIN_PASSWORD_LENGTH} characters.`;
  if (Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return `Use at most ${MAX_PASSWORD_BYTES} bytes.`;
  const lower = password.toLowerCase();
  if (context.some((word) => word.length > 3 && lower === normalizePassword(word).toLowerCase()))
    return 'Do not use your email address.';
  if (new Set(lower).size < 5) return 'Use more than four different characters.';
  return null;
}
