import { decodeJwt, errors, type JWTPayload, jwtVerify } from 'jose';
import { type Clock, monotonicMs } from '../../kit/clock.ts';
import { StoreUnavailableError } from '../../kit/errors.ts';
import type { LoadedSigningKey } from '../signing-keys/key-material.ts';
import type { KeySet } from '../signing-keys/key-set.ts';

/** A JWT access token of this server (RFC 9068), of the OAuth endpoints or of the JSON login. */
export type VerifiedJwt =
  | { kind: 'valid'; claims: JWTPayload }
  /** Made by us, and over. */
  | { kind: 'expired' }
  | { kind: 'invalid' };

/** Throws StoreUnavailableError when the signing key is not known here and cannot be looked for. */
export type VerifyJwt = (token: string) => Promise<VerifiedJwt>;

const UNKNOWN_KID_MS = 1000;
const INVALID: VerifiedJwt = { kind: 'invalid' };

export function createJwtVerifier({
  issuer,
  keySet,
  clock,
}: {
  issuer: string;
  keySet: KeySet;
  clock: Clock;
}): VerifyJwt {
  let looking = Promise.resolve();
  let lookedAtMs = Number.NEGATIVE_INFINITY;

  /**
   * Another process may have rotated just now. A look reads all keys, once a second at most, and nobody waits for the next one: anyone
   * can make up a kid. Throws StoreUnavailableError, for as long as the last look is all there is to know.
   */
  async function lookFor(kid: string, token: string): Promise<LoadedSigningKey | undefined> {
    const { iss, exp } = decodeJwt(token);
    // No key in the world would make it good.
    if (iss !== issuer || exp === undefined || exp <= clock.nowSeconds()) return undefined;
    if (monotonicMs() - lookedAtMs >= UNKNOWN_KID_MS) {
      lookedAtMs = monotonicMs();
      looking = keySet.refresh().catch((cause: unknown) => {
        throw cause instanceof StoreUnavailableError ? cause : new StoreUnavailableError('the signing keys', cause);
      });
    }
    await looking;
    return keySet.byKid(kid);
  }

  return async (token) => {
    try {
      const { payload } = await jwtVerify(
        token,
        async ({ kid, alg }) => {
          if (kid === undefined) throw new Error('kid is missing');
          const key = keySet.byKid(kid) ?? (await lookFor(kid, token));
          if (!key || key.algorithm !== alg) throw new Error('unknown key');
          return key.publicKey;
        },
        {
          issuer,
          typ: 'at+jwt',
          algorithms: ['ES256', 'RS256'],
          requiredClaims: ['exp', 'jti', 'sub', 'aud', 'client_id'],
          currentDate: new Date(clock.nowMs()),
        },
      );
      return { kind: 'valid', claims: payload };
    } catch (error) {
      // Not knowing is no reason to call a token invalid: its holder would throw it away.
      if (error instanceof StoreUnavailableError) throw error;
      // jose looks at the times last, when the signature and every other claim was found right.
      return error instanceof errors.JWTExpired ? { kind: 'expired' } : INVALID;
    }
  };
}
