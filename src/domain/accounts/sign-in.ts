import { createExpiringSet } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { Throttle, ThrottlePolicy } from '../limits/throttle.ts';
import { type Account, countingFrom, normalizeEmail } from './account.ts';
import type { AccountStore } from './account-store.ts';
import type { Passwords } from './password.ts';

/** Never locks for good: the longest wait is 15 minutes, and a known device has a counter of its own. */
export const SIGN_IN_BY_ACCOUNT: ThrottlePolicy = {
  name: 'sign-in-account',
  freeAttempts: 5,
  firstDelaySeconds: 2,
  maxDelaySeconds: 900,
  windowSeconds: 86_400,
};
/**
 * Many people share one address, an attacker among them. So the wait does not grow, browsers known to the account pass, and
 * successes count too: an attacker's own account must not reset it.
 */
export const SIGN_IN_BY_ADDRESS: ThrottlePolicy = {
  name: 'sign-in-address',
  freeAttempts: 100,
  firstDelaySeconds: 2,
  maxDelaySeconds: 2,
  windowSeconds: 600,
};

export type SignInOutcome =
  /** `at` is when the attempt began, in seconds: a password changed meanwhile makes it worthless. */
  | { kind: 'signed-in'; account: Account; at: number }
  /** Unknown user, wrong password and disabled account are one answer to the caller; `reason` is for the audit trail. */
  | { kind: 'refused'; reason: 'unknown' | 'wrong-password' | 'disabled'; accountId: string | null }
  | { kind: 'throttled'; retryAfterSeconds: number };

export type SignIn = (attempt: {
  email: string;
  password: string;
  /** The client's address; IPv6 callers count per /64. */
  addressGroup: string;
  /** An account id this browser has signed in to before, proven by its device cookie. */
  knownDevice: { accountId: string; deviceId: string } | null;
}) => Promise<SignInOutcome>;

export function createSignIn({
  accounts,
  passwords,
  throttle,
  clock,
}: {
  clock: Clock;
  accounts: AccountStore;
  passwords: Passwords;
  throttle: Throttle;
}): SignIn {
  return async ({ email, password, addressGroup, knownDevice }) => {
    const at = clock.nowSeconds();
    const normalized = normalizeEmail(email);
    const account = normalized ? await accounts.findByEmail(normalized) : null;
    // The counter is by what was typed, so that known and unknown users are throttled alike. A device that signed in to
    // this very account counts apart: an attacker elsewhere cannot keep its owner out.
    const device = account && knownDevice?.accountId === account.id ? knownDevice.deviceId : null;
    const subject = device ? `device\0${device}\0${account?.id}` : `email\0${normalized ?? email.slice(0, 320)}`;

    const waits = [
      device ? null : await throttle.attempt(SIGN_IN_BY_ADDRESS, addressGroup),
      await throttle.attempt(SIGN_IN_BY_ACCOUNT, subject),
    ].filter((wait) => wait !== null);
    if (waits.length > 0) return { kind: 'throttled', retryAfterSeconds: Math.max(...waits) };

    const matches = await passwords.verify(account?.passwordHash ?? null, password);
    if (!account) return { kind: 'refused', reason: 'unknown', accountId: null };
    if (!matches) return { kind: 'refused', reason: 'wrong-password', accountId: account.id };
    if (account.disabledAt !== null) return { kind: 'refused', reason: 'disabled', accountId: account.id };

    await throttle.forgive(SIGN_IN_BY_ACCOUNT, subject);
    return { kind: 'signed-in', account, at: countingFrom(account, at) };
  };
}

/** Writes how an attempt to sign in ended. `clientId` is who asked for it. */
export type AuditSignIn = (
  outcome: SignInOutcome,
  from: { ip: string; addressGroup: string; requestId: string; clientId: string },
) => Promise<void>;

/** One for every way to sign in, so that the audit trail reads the same whichever was used. */
export function createSignInAudit({ audit }: { audit: RecordAudit }): AuditSignIn {
  const throttled = createExpiringSet({ max: 10_000, ttlMs: 60_000 });

  return async (outcome, { ip, addressGroup, requestId, clientId }) => {
    switch (outcome.kind) {
      case 'signed-in':
        return audit('account.signed_in', { accountId: outcome.account.id, clientId, ip, requestId });
      case 'throttled':
        // Once a minute for an address: strangers must not be able to fill the audit trail.
        if (throttled.has(addressGroup)) return;
        throttled.add(addressGroup);
        return audit('account.sign_in_throttled', { clientId, ip, requestId });
      case 'refused': {
        const { accountId, reason } = outcome;
        return audit('account.sign_in_failed', { accountId, clientId, ip, requestId, details: { reason } });
      }
    }
  };
}
