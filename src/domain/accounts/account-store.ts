import type { Stored } from '../row-macs/row-macs.ts';
import type { Account } from './account.ts';

/** Fields an operator may change; `undefined` leaves one as it is. */
export type AccountChange = Partial<
  Pick<Account, 'emailVerified' | 'passwordHash' | 'givenName' | 'familyName' | 'scopes' | 'disabledAt' | 'signedOutAt'>
>;

export interface AccountStore {
  /** False when the normalized email is taken. The caller generates the id. */
  insert(account: Account): Promise<boolean>;
  find(id: string): Promise<Account | null>;
  /** By normalized email. */
  findByEmail(normalizedEmail: string): Promise<Account | null>;
  /** Ordered by id; `after` is the last id of the page before. */
  list(page: { after?: string; limit: number }): Promise<Account[]>;
  /** False when there is no such account. Sets `updatedAt` to `atMs`. */
  update(id: string, change: AccountChange, atMs: number): Promise<boolean>;
  /** With its API keys, provider keys and consents, all or nothing. False when there is no such account. */
  remove(id: string): Promise<boolean>;
}

/** As the database keeps accounts: with their MACs, which nobody has looked at. */
export interface StoredAccounts extends AccountStore {
  insert(account: Stored<Account>): Promise<boolean>;
  find(id: string): Promise<Stored<Account> | null>;
  findByEmail(normalizedEmail: string): Promise<Stored<Account> | null>;
  list(page: { after?: string; limit: number }): Promise<Stored<Account>[]>;
  /** With `ifRowMac`, false also when the account has another MAC by now; null stands for none. */
  update(id: string, change: Stored<AccountChange>, atMs: number, ifRowMac?: string | null): Promise<boolean>;
}
