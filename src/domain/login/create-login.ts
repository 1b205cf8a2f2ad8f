import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { newId } from '../../kit/ids.ts';
import type { Account } from '../accounts/account.ts';
import type { AccountStore } from '../accounts/account-store.ts';
import { checkPassword, type ManageAccounts } from '../accounts/manage-accounts.ts';
import { createSignInAudit, type SignIn, type SignInOutcome } from '../accounts/sign-in.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { Announce } from '../credentials/announce.ts';
import type { Throttle, ThrottlePolicy } from '../limits/throttle.ts';
import type { KeySet } from '../signing-keys/key-set.ts';
import { createBearerText } from '../tokens/bearer-text.ts';
import type { DurableTokenStore } from '../tokens/token-store.ts';
import { createIssueLoginTokens, type LoginLifetimes } from './issue-tokens.ts';
import type { Login, LoginOrigin, LoginTokens } from './login.ts';
import { LOGIN_CLIENT_ID, type LoginSession } from './login-session.ts';
import { createLoginSessions } from './login-sessions.ts';
import { createRefreshLogin, readGrant } from './refresh-login.ts';

/** An answer tells whether an address has an account, and costs a hash: nobody may ask for many. */
export const SIGN_UP_BY_ADDRESS: ThrottlePolicy = {
  name: 'sign-up-address',
  freeAttempts: 10,
  firstDelaySeconds: 2,
  maxDelaySeconds: 60,
  windowSeconds: 3600,
};
/** Names itself what it likes; the list of sessions shows no more of it. */
const MAX_USER_AGENT_LENGTH = 256;

export function createLogin({
  signIn,
  manageAccounts,
  accounts,
  tokens,
  keySet,
  digester,
  receiptKey,
  announce,
  audit,
  clock,
  throttle,
  issuer,
  audience,
  scopesOf,
  lifetimes,
  signUpOpen,
}: {
  signIn: SignIn;
  manageAccounts: ManageAccounts;
  accounts: Pick<AccountStore, 'find'>;
  tokens: DurableTokenStore;
  keySet: KeySet;
  digester: Digester;
  /** See `createReceipts`. */
  receiptKey: (token: string) => string;
  announce: Announce;
  audit: RecordAudit;
  clock: Clock;
  throttle: Throttle;
  issuer: string;
  /** Of the access tokens. */
  audience: string;
  scopesOf: (account: Account) => readonly string[];
  lifetimes: LoginLifetimes;
  signUpOpen: boolean;
}): Login {
  const sessions = createLoginSessions({ tokens, digester, audit, announce, clock });
  const issueTokens = createIssueLoginTokens({ issuer, audience, keySet, digester, clock, scopesOf, lifetimes });
  const auditSignIn = createSignInAudit({ audit });
  const bearerText = createBearerText({ digester });

  async function open(account: Account, signedInAt: number, { ip, userAgent }: LoginOrigin): Promise<LoginTokens> {
    const session: LoginSession = {
      id: newId('ses'),
      accountId: account.id,
      signedInAt,
      expiresAt: signedInAt + lifetimes.sessionAbsolute,
      ip,
      userAgent: userAgent.slice(0, MAX_USER_AGENT_LENGTH),
    };
    const { issued, record } = issueTokens(
      {
        sessionId: session.id,
        accountId: account.id,
        signedInAt,
        sessionExpiresAt: session.expiresAt,
        scopes: scopesOf(account),
      },
      account,
    );
    await tokens.commit({ inserts: [sessions.toRecord(session), record] });
    return { account, session, ...issued };
  }

  return {
    async signUp({ email, password, givenName = null, familyName = null }, { addressGroup, ip, requestId }) {
      if (!signUpOpen) throw new AppError('sign_up_closed');
      const wait = await throttle.attempt(SIGN_UP_BY_ADDRESS, addressGroup);
      if (wait !== null) {
        const internal = `the counter ${SIGN_UP_BY_ADDRESS.name}`;
        throw new AppError('too_many_requests', { retryAfterSeconds: wait, internal });
      }
      return manageAccounts.create({ email, password, givenName, familyName }, { ip, requestId });
    },
    async login({ email, password }, origin) {
      const { addressGroup, knownDevice } = origin;
      const outcome = await signIn({ email, password, addressGroup, knownDevice });
      await auditSignIn(outcome, { ...origin, clientId: LOGIN_CLIENT_ID });
      const { account, at } = signedIn(outcome);
      return open(account, at, origin);
    },
    refresh: createRefreshLogin({
      tokens,
      sessions,
      accounts,
      issueTokens,
      digester,
      receiptKey,
      audit,
      clock,
      graceSeconds: lifetimes.refreshGrace,
    }),
    async endSession(accountId, sessionId, origin) {
      const session = await sessions.find(sessionId);
      return session?.accountId === accountId && sessions.end(session, origin);
    },
    async endSessionOf(refreshToken, origin) {
      // A used or expired one still names its session: whoever signs out with it means that.
      const record = await tokens.find('LoginRefreshToken', digester.digest('LoginRefreshToken', refreshToken));
      if (!record) return;
      const { sessionId: id, accountId } = readGrant(record);
      await sessions.end({ id, accountId }, origin);
    },
    async deviceOf(refreshToken) {
      if (!bearerText.isOurs(refreshToken)) return null;
      const record = await tokens.find('LoginRefreshToken', digester.digest('LoginRefreshToken', refreshToken));
      if (!record) return null;
      const { sessionId, accountId, signedInAt } = readGrant(record);
      return { accountId, deviceId: sessionId, knownSince: signedInAt };
    },
    async sessions(accountId) {
      const account = await accounts.find(accountId);
      return account ? sessions.list(account) : [];
    },
    async changePassword(accountId, { currentPassword, newPassword }, { addressGroup, knownDevice, ip, requestId }) {
      const account = await accounts.find(accountId);
      if (!account) throw new AppError('invalid_credentials', { internal: 'there is no such account' });
      checkPassword(newPassword, account.email, 'newPassword');
      // A sign-in like any other: a stolen session must not guess faster than a stranger.
      const outcome = await signIn({ email: account.email, password: currentPassword, addressGroup, knownDevice });
      if (outcome.kind !== 'signed-in') {
        await auditSignIn(outcome, { addressGroup, ip, requestId, clientId: LOGIN_CLIENT_ID });
      }
      const { at } = signedIn(outcome);
      await manageAccounts.setPassword(accountId, newPassword, { ip, requestId, provenAt: at });
    },
  };
}

function signedIn(outcome: SignInOutcome): SignInOutcome & { kind: 'signed-in' } {
  switch (outcome.kind) {
    case 'signed-in':
      return outcome;
    case 'refused':
      throw new AppError('invalid_credentials', { internal: outcome.reason });
    case 'throttled':
      throw new AppError('too_many_requests', {
        retryAfterSeconds: outcome.retryAfterSeconds,
        internal: `the counter ${outcome.by}`,
      });
  }
}
