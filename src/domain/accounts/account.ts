import { isFromTheFuture } from '../../kit/clock.ts';

/** An end user who signs in. */
export interface Account {
  /** `acc_…`; the OIDC `sub`. Never reused. */
  id: string;
  /** As the user typed it, for display and mail. */
  email: string;
  emailVerified: boolean;
  /** Argon2id in PHC string form, or null when the account has no password. */
  passwordHash: string | null;
  givenName: string | null;
  familyName: string | null;
  /** The API scopes it may hold and hand on; null for all that users may have. */
  scopes: readonly string[] | null;
  /** Milliseconds since the epoch; null while enabled. */
  disabledAt: number | null;
  /** Sign-ins from before this moment count no longer, whatever still refers to them. Milliseconds since the epoch. */
  signedOutAt: number | null;
  createdAt: number;
  updatedAt: number;
}

const EMAIL = /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,255}$/u;

/**
 * Whether a sign-in at this time (seconds, as `auth_time`) still counts. One in the very second of the cut does not: it may
 * have come before.
 */
export function signInCounts(account: Account, signedInAt: number): boolean {
  return account.disabledAt === null && !wasSignedOutSince(account, signedInAt);
}

/** Whether everything that began at this time (seconds) was ended: by a new password, say. */
export function wasSignedOutSince({ signedOutAt }: Account, beganAt: number): boolean {
  return signedOutAt !== null && beganAt <= Math.floor(signedOutAt / 1000);
}

/**
 * When a sign-in at `nowSeconds` counts from. A sign-out of a time that has not come, by a clock that was ahead, still ends what
 * came before it, but keeps nobody out until then: what is signed in now counts from after it.
 */
export function countingFrom({ signedOutAt }: Account, nowSeconds: number): number {
  if (signedOutAt === null || !isFromTheFuture(signedOutAt, nowSeconds * 1000)) return nowSeconds;
  return Math.floor(signedOutAt / 1000) + 1;
}

/** The form under which an address is unique: NFKC and lower case. Null when it is not an address at all. */
export function normalizeEmail(input: string): string | null {
  const email = input.trim().normalize('NFKC').toLowerCase();
  return EMAIL.test(email) ? email : null;
}

export function displayName(account: Pick<Account, 'givenName' | 'familyName' | 'email'>): string {
  return [account.givenName, account.familyName].filter(Boolean).join(' ') || account.email;
}
