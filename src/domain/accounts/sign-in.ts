import { networkOf } from '../../kit/addresses.ts';
import { createExpiringSet } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { Claim, EvenPolicy, Throttle, ThrottlePolicy } from '../limits/throttle.ts';
import { type Account, countingFrom, normalizeEmail, wasSignedOutSince } from './account.ts';
import type { AccountStore } from './account-store.ts';
import type { KnownDevice } from './known-device.ts';
import type { Passwords } from './password.ts';

/** Never locks for good: the longest wait is 15 minutes. */
const GROWING = { freeAttempts: 5, firstDelaySeconds: 2, maxDelaySeconds: 900, windowSeconds: 86_400 } as const;

/** A device that signed in to the account before counts alone: nobody else can make it wait. */
export const SIGN_IN_BY_DEVICE: ThrottlePolicy = { name: 'sign-in-device', ...GROWING };
/** What somebody at one address fails at one account makes only that address wait. */
export const SIGN_IN_BY_ACCOUNT_AND_ADDRESS: ThrottlePolicy = { name: 'sign-in-account-and-address', ...GROWING };
/** One customer of a provider may have all the /64 of an IPv6 network. */
export const SIGN_IN_BY_ACCOUNT_AND_NETWORK: ThrottlePolicy = {
  name: 'sign-in-account-and-network',
  ...GROWING,
  freeAttempts: 25,
};
/**
 * What guessing from very many addresses is held to. Addresses that have free attempts left have ten times the room of those
 * that have not: to keep an owner out who comes from a new address takes hundreds of addresses, for as long as it shall last.
 * docs/decisions/0020 has the numbers.
 */
export const SIGN_IN_TO_ACCOUNT: EvenPolicy = {
  name: 'sign-in-to-account',
  capacity: 1000,
  wornCapacity: 100,
  intervalSeconds: 10,
};
/**
 * Many people share one address, an attacker among them. So the wait does not grow, known devices pass, and a success takes
 * back itself and nothing else: an attacker's own account must not reset it.
 */
export const signInFromAddress = (failures: number): EvenPolicy => ({
  name: 'sign-in-from-address',
  capacity: failures,
  intervalSeconds: 2,
});

export type SignInOutcome =
  /** `at` is when the attempt began, in seconds: a password changed meanwhile makes it worthless. */
  | { kind: 'signed-in'; account: Account; at: number }
  /** Unknown user, wrong password and disabled account are one answer to the caller; `reason` is for the audit trail. */
  | { kind: 'refused'; reason: 'unknown' | 'wrong-password' | 'disabled'; accountId: string | null }
  /** `by` is the name of the counter, which says nothing of who it is about. */
  | { kind: 'throttled'; retryAfterSeconds: number; by: string };

export type SignIn = (attempt: {
  email: string;
  password: string;
  /** The client's address; IPv6 callers count per /64. */
  addressGroup: string;
  /** The account that this browser or client has signed in to before, as it proves. */
  knownDevice: KnownDevice | null;
}) => Promise<SignInOutcome>;

export function createSignIn({
  accounts,
  passwords,
  throttle,
  clock,
  failuresByAddress = 100,
}: {
  clock: Clock;
  accounts: AccountStore;
  passwords: Passwords;
  throttle: Throttle;
  /** Failed sign-ins from one address that go at once. */
  failuresByAddress?: number;
}): SignIn {
  const fromAddress = signInFromAddress(failuresByAddress);

  return async ({ email, password, addressGroup, knownDevice }) => {
    const at = clock.nowSeconds();
    const normalized = normalizeEmail(email);
    const account = normalized ? await accounts.findByEmail(normalized) : null;
    // The counters are by what was typed, so that known and unknown users are throttled alike.
    const owner = `email\0${normalized ?? email.slice(0, 320)}`;
    const begun = await throttle.begin(
      account && knownDevice && isKnown(account, knownDevice)
        ? [{ policy: SIGN_IN_BY_DEVICE, owner, subject: `${knownDevice.deviceId}\0${account.id}` }]
        : strangerClaims(fromAddress, owner, addressGroup),
    );
    if (begun.kind === 'refused') {
      return { kind: 'throttled', retryAfterSeconds: begun.retryAfterSeconds, by: begun.by };
    }

    let matches: boolean;
    try {
      matches = await passwords.verify(account?.passwordHash ?? null, password, addressGroup);
    } catch (error) {
      // Nobody learnt whether it was the right one.
      await begun.end('abandoned');
      throw error;
    }
    if (!account) return { kind: 'refused', reason: 'unknown', accountId: null };
    if (!matches) return { kind: 'refused', reason: 'wrong-password', accountId: account.id };
    if (account.disabledAt !== null) return { kind: 'refused', reason: 'disabled', accountId: account.id };

    await begun.end('succeeded');
    return { kind: 'signed-in', account, at: countingFrom(account, at) };
  };
}

/** Of this very account, and not from before it was signed out everywhere, as a new password does. */
const isKnown = (account: Account, { accountId, knownSince }: KnownDevice): boolean =>
  accountId === account.id && !wasSignedOutSince(account, knownSince);

function strangerClaims(fromAddress: EvenPolicy, owner: string, addressGroup: string): Claim[] {
  const network = networkOf(addressGroup);
  return [
    { policy: SIGN_IN_BY_ACCOUNT_AND_ADDRESS, owner, subject: `${owner}\0${addressGroup}` },
    ...(network === null ? [] : [{ policy: SIGN_IN_BY_ACCOUNT_AND_NETWORK, owner, subject: `${owner}\0${network}` }]),
    { policy: SIGN_IN_TO_ACCOUNT, owner, subject: owner },
    { policy: fromAddress, owner: addressGroup, subject: addressGroup },
  ];
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
        return audit('account.sign_in_throttled', { clientId, ip, requestId, details: { counter: outcome.by } });
      case 'refused': {
        const { accountId, reason } = outcome;
        return audit('account.sign_in_failed', { accountId, clientId, ip, requestId, details: { reason } });
      }
    }
  };
}
