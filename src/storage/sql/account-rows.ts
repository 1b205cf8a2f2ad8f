import { type Account, normalizeEmail } from '../../domain/accounts/account.ts';
import type { Stored } from '../../domain/row-macs/row-macs.ts';
import type { Row } from './database.ts';
import { fromJson } from './json.ts';
import { storedMac } from './stored-mac.ts';

export interface AccountRow {
  id: string;
  email: string;
  email_verified: boolean | number;
  password_hash: string | null;
  given_name: string | null;
  family_name: string | null;
  scopes: string | null;
  disabled_at: number | null;
  signed_out_at: number | null;
  created_at: number;
  updated_at: number;
  row_mac: string | null;
}

export const ACCOUNT_COLUMNS: readonly (keyof AccountRow)[] = [
  'id',
  'email',
  'email_verified',
  'password_hash',
  'given_name',
  'family_name',
  'scopes',
  'disabled_at',
  'signed_out_at',
  'created_at',
  'updated_at',
  'row_mac',
];

export function toAccountRow(account: Stored<Account>): Row {
  const emailKey = normalizeEmail(account.email);
  if (emailKey === null) throw new TypeError('the email of an account must be an address');
  return {
    id: account.id,
    email: account.email,
    email_key: emailKey,
    email_verified: account.emailVerified,
    password_hash: account.passwordHash,
    given_name: account.givenName,
    family_name: account.familyName,
    scopes: account.scopes === null ? null : JSON.stringify(account.scopes),
    disabled_at: account.disabledAt,
    signed_out_at: account.signedOutAt,
    created_at: account.createdAt,
    updated_at: account.updatedAt,
    row_mac: account.rowMac ?? null,
  };
}

export const toAccount = (row: AccountRow): Stored<Account> => ({
  id: row.id,
  email: row.email,
  emailVerified: Boolean(row.email_verified),
  passwordHash: row.password_hash,
  givenName: row.given_name,
  familyName: row.family_name,
  scopes: row.scopes === null ? null : fromJson(row.scopes),
  disabledAt: row.disabled_at,
  signedOutAt: row.signed_out_at,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  ...storedMac(row),
});
