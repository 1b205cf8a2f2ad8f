import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { newId } from '../../kit/ids.ts';
import type { RecordAudit } from '../audit/audit.ts';
import { isDisplayName } from '../clients/client-rules.ts';
import type { TokenStore } from '../tokens/token-store.ts';
import { type Account, normalizeEmail } from './account.ts';
import type { AccountChange, AccountStore } from './account-store.ts';
import { type Passwords, passwordProblem } from './password.ts';

export interface NewAccount {
  email: string;
  password: string | null;
  emailVerified?: boolean;
  givenName?: string | null;
  familyName?: string | null;
}

export interface ManageAccounts {
  create(input: NewAccount): Promise<Account>;
  /** Every session, grant and token of the account dies with it, at once. */
  disable(idOrEmail: string): Promise<Account>;
  enable(idOrEmail: string): Promise<Account>;
  /** Signs the account out everywhere. */
  setPassword(idOrEmail: string, password: string): Promise<Account>;
}

export function createManageAccounts({
  accounts,
  tokens,
  passwords,
  audit,
  clock,
}: {
  accounts: AccountStore;
  tokens: TokenStore;
  passwords: Passwords;
  audit: RecordAudit;
  clock: Clock;
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
    // Sign-in times are whole seconds. Until this one is over, a new sign-in could not be told from an old one.
    await sleep(1000 - (nowMs % 1000));
  }

  function checkPassword(password: string, email: string): void {
    const problem = passwordProblem(password, [email, email.split('@')[0] ?? '']);
    if (problem) throw new AppError('invalid_request', { public: `password: ${problem}` });
  }

  return {
    async create({ email, password, emailVerified = false, givenName = null, familyName = null }) {
      const nowMs = clock.nowMs();
      if (!normalizeEmail(email))
        throw new AppError('invalid_request', { public: 'email: this is not an email address.' });
      for (const [field, value] of Object.entries({ givenName, familyName })) {
        if (value !== null && !isDisplayName(value)) {
          throw new AppError('invalid_request', { public: `${field}: use 1 to 120 printable characters.` });
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
        disabledAt: null,
        signedOutAt: null,
        createdAt: nowMs,
        updatedAt: nowMs,
      };
      if (!(await accounts.insert(account))) {
        throw new AppError('invalid_request', { public: 'email: there is an account with this address already.' });
      }
      await audit('account.created', { accountId: account.id });
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
      await audit('account.enabled', { accountId: account.id });
      return { ...account, disabledAt: null };
    },
    async setPassword(idOrEmail, password) {
      const account = await get(idOrEmail);
      checkPassword(password, account.email);
      const passwordHash = await passwords.hash(password);
      await signOutEverywhere(account, { passwordHash });
      await audit('account.password_set', { accountId: account.id });
      return { ...account, passwordHash };
    },
  };
}
