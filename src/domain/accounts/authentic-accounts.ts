import { AppError } from '../../kit/errors.ts';
import { createAuthenticator, filledPage, type RowFacts, type RowMacs } from '../row-macs/row-macs.ts';
import { type Account, normalizeEmail } from './account.ts';
import type { AccountStore, StoredAccounts } from './account-store.ts';

/** How often a change is tried again on what others have made of the account meanwhile: of 50 at once each gets its turn. */
const ATTEMPTS = 100;

/** Who it is and what opens it, may do and ends it: all but the time of the last change. */
export const accountFacts = (account: Account): RowFacts => [
  account.id,
  account.email,
  account.emailVerified,
  account.passwordHash,
  account.givenName,
  account.familyName,
  account.scopes,
  account.disabledAt,
  account.signedOutAt,
  account.createdAt,
];

export const accountAuthenticator = (macs: RowMacs) =>
  createAuthenticator<Account>({ macs, table: 'accounts', idOf: ({ id }) => id, factsOf: accountFacts });

/** Accounts as Gatehouse wrote them; one that somebody else changed does not exist. */
export function authenticAccounts(stored: StoredAccounts, macs: RowMacs): AccountStore {
  const { sealed, opened, openedAll } = accountAuthenticator(macs);
  // Each method by name: a new one has to decide.
  return {
    insert: (account) => stored.insert(sealed(account)),
    find: async (id) => opened(await stored.find(id)),
    async findByEmail(normalizedEmail) {
      const account = opened(await stored.findByEmail(normalizedEmail));
      // The column it is found by is made of the address, and has no MAC of its own.
      return account && normalizeEmail(account.email) === normalizedEmail ? account : null;
    },
    list: (page) => filledPage(page, stored.list, openedAll, ({ id }) => id),
    async update(id, change, atMs) {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const found = await stored.find(id);
        const before = opened(found);
        if (!found || !before) return false;
        const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
        const rowMac = macs.make('accounts', accountFacts({ ...before, ...given }));
        if (await stored.update(id, { ...change, rowMac }, atMs, found.rowMac ?? null)) return true;
      }
      throw new AppError('conflict', { public: 'The account is being changed by others just now.' });
    },
    remove: (id) => stored.remove(id),
  };
}
