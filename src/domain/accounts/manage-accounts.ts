import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { newId } from '../../kit/ids.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { isDisplayName } from '../clients/client-rules.ts';
import type { Announce } from '../credentials/announce.ts';
import type { TokenStore } from '../tokens/token-store.ts';
import { type Account, normalizeEmail, signInCounts } from './account.ts';
import type { AccountChange, AccountStore } from './account-store.ts';
import { type Passwords, passwordProblem } from './password.ts';

export interface NewAccount {
  email: string;
  password: string | null;
  emailVerified?: boolean;
  givenName?: string | null;
  familyName?: string | null;
}

/** The request that asked for a change, for the audit trail; none at the command line. */
export interface ChangeOrigin {
  ip: string;
  requestId: string;
}

export interface ManageAccounts {
  /** Throws invalid_request naming the field, or email_taken. The password is hashed before either is known. */
  create(input: NewAccount, from?: ChangeOrigin): Promise<Account>;
  /** Every session, grant and token of the account dies with it, at once. */
  disable(idOrEmail: string): Promise<Account>;
  enable(idOrEmail: string): Promise<Account>;
  /**
   * Signs the account out everywhere. With `provenAt`, when the old password was shown (seconds since the epoch), it throws
   * invalid_credentials if the account was signed out since: then that password may be the one somebody had to replace.
   */
  setPassword(idOrEmail: string, password: string, from?: ChangeOrigin & { provenAt?: number }): Promise<Account>;
  /** What the account may hold and hand on from now on; null for all that users may have. Credentials out there lose the rest. */
  setScopes(idOrEmail: string, scopes: readonly string[] | null): Promise<Account>;
}

export function createManageAccounts({
  accounts,
  tokens,
  passwords,
  audit,
  announce,
  clock,
  userScopes,
}: {
  accounts: AccountStore;
  tokens: TokenStore;
  passwords: Passwords;
  audit: RecordAudit;
  announce: Announce;
  clock: Clock;
  /** The scopes a user may hold at all. */
  userScopes: readonly string[];
}): ManageAccounts {
  async function get(idOrEmail: string): Promise<Account> {
    const email = normalizeEmail(idOrEmail);
    const account = email ? await accounts.findByEmail(email) : await accounts.find(idOrEmail);
    if (!account) throw new AppError('not_found', { public: `There is no account ${idOrEmail}.` });
    return account;
  }

  /**
   * The account first: a sign-in, refresh or page view that is under way may write its session or token after the removal, and
   * then finds that its sign-in counts no longer.
   */
  async function signOutEverywhere(account: Account, change: AccountChange): Promise<void> {
    const nowMs = clock.nowMs();
    await accounts.update(account.id, { ...change, signedOutAt: nowMs }, nowMs);
    await tokens.removeByAccount(account.id);
    await announce(`account:${account.id}`);
    // Sign-in times are whole seconds. Until this one is over, a new sign-in could not be told from an old one.
    await sleep(1000 - (nowMs % 1000));
  }

  return {
    async create({ email, password, emailVerified = false, givenName = null, familyName = null }, from) {
      const nowMs = clock.nowMs();
      if (!normalizeEmail(email)) throw refused('email', 'this is not an email address.');
      for (const [field, value] of Object.entries({ givenName, familyName })) {
        if (value !== null && !isDisplayName(value)) {
          throw refused(field, 'use 1 to 120 printable characters.');
        }
      }
      if (password !== null) checkPassword(password, email);
      const account: Account = {
        id: newId('acc'),
        email: email.trim(),
        emailVerified,
        passwordHash: password === null ? null : await passwords.hash(password),
        givenName,
        familyName,
        scopes: null,
        disabledAt: null,
        signedOutAt: null,
        createdAt: nowMs,
        updatedAt: nowMs,
      };
      if (!(await accounts.insert(account))) {
        throw new AppError('email_taken', { public: 'email: there is an account with this address already.' });
      }
      await audit('account.created', { accountId: account.id, ...from });
      return account;
    },
    async disable(idOrEmail) {
      const account = await get(idOrEmail);
      const change = { disabledAt: clock.nowMs() };
      await signOutEverywhere(account, change);
      await audit('account.disabled', { accountId: account.id });
      return { ...account, ...change };
    },
    async enable(idOrEmail) {
      const account = await get(idOrEmail);
      await accounts.update(account.id, { disabledAt: null }, clock.nowMs());
      await announce(`account:${account.id}`);
      await audit('account.enabled', { accountId: account.id });
      return { ...account, disabledAt: null };
    },
    async setPassword(idOrEmail, password, from) {
      const account = await get(idOrEmail);
      checkPassword(password, account.email);
      const passwordHash = await passwords.hash(password);
      if (from?.provenAt !== undefined && !signInCounts(await get(account.id), from.provenAt)) {
        throw new AppError('invalid_credentials', {
          internal: 'the account was signed out while its password changed',
        });
      }
      await signOutEverywhere(account, { passwordHash });
      const { ip = null, requestId = null } = from ?? {};
      await audit('account.password_set', { accountId: account.id, ip, requestId });
      return { ...account, passwordHash };
    },
    async setScopes(idOrEmail, wanted) {
      const account = await get(idOrEmail);
      const unknown = (wanted ?? []).filter((scope) => !userScopes.includes(scope));
      if (unknown.length > 0) {
        const problem = `users cannot have ${unknown.join(', ')}; there are ${userScopes.join(', ') || 'none'}.`;
        throw new AppError('invalid_request', {
          public: `Scopes: ${problem}`,
          facts: { fields: [{ field: 'scopes', problem }] },
        });
      }
      // In the order of the catalogue, each once.
      const scopes = wanted && userScopes.filter((scope) => wanted.includes(scope));
      await accounts.update(account.id, { scopes }, clock.nowMs());
      await announce(`account:${account.id}`);
      await audit('account.scopes_set', { accountId: account.id, details: { scopes: scopes?.join(' ') ?? 'all' } });
      return { ...account, scopes };
    },
  };
}

/** Throws invalid_request, under the name that the caller's form has for the field. */
export function checkPassword(password: string, email: string, field = 'password'): void {
  const problem = passwordProblem(password, [email, email.split('@')[0] ?? '']);
  if (problem) throw refused(field, problem);
}

const refused = (field: string, problem: string): AppError =>
  new AppError('invalid_request', { public: `${field}: ${problem}`, facts: { fields: [{ field, problem }] } });
