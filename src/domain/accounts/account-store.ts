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
