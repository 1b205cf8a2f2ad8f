import { type Account, normalizeEmail } from '../../domain/accounts/account.ts';
import type { AccountChange, AccountStore } from '../../domain/accounts/account-store.ts';
import type { Database, Row, Value } from './database.ts';

interface AccountRow {
  id: string;
  email: string;
  email_verified: boolean | number;
  password_hash: string | null;
  given_name: string | null;
  family_name: string | null;
  disabled_at: number | null;
  signed_out_at: number | null;
  created_at: number;
  updated_at: number;
}

const COLUMNS =
  'id, email, email_verified, password_hash, given_name, family_name, disabled_at, signed_out_at, created_at, updated_at';

const CHANGEABLE: Record<keyof AccountChange, string> = {
  emailVerified: 'email_verified',
  passwordHash: 'password_hash',
  givenName: 'given_name',
  familyName: 'family_name',
  disabledAt: 'disabled_at',
  signedOutAt: 'signed_out_at',
};

export function createAccountStore({ database }: { database: Database }): AccountStore {
  const findBy = async (column: 'id' | 'email_key', value: string): Promise<Account | null> => {
    const [row] = await database.rows<AccountRow>(`select ${COLUMNS} from accounts where ${column} = ?`, [value]);
    return row ? toAccount(row) : null;
  };

  return {
    insert: (account) => database.insertIfAbsent('accounts', toRow(account)),
    find: (id) => findBy('id', id),
    findByEmail: (normalizedEmail) => findBy('email_key', normalizedEmail),

    async list({ after = '', limit }) {
      const sql = `select ${COLUMNS} from accounts where id > ? order by id limit ?`;
      return (await database.rows<AccountRow>(sql, [after, limit])).map(toAccount);
    },

    async update(id, change, atMs) {
      const assignments = ['updated_at = ?'];
      const values: Value[] = [atMs];
      for (const [field, column] of Object.entries(CHANGEABLE)) {
        const value = change[field as keyof AccountChange];
        if (value === undefined) continue;
        assignments.push(`${column} = ?`);
        values.push(value);
      }
      const sql = `update accounts set ${assignments.join(', ')} where id = ?`;
      return (await database.affected(sql, [...values, id])) === 1;
    },
  };
}

function toRow(account: Account): Row {
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
    disabled_at: account.disabledAt,
    signed_out_at: account.signedOutAt,
    created_at: account.createdAt,
    updated_at: account.updatedAt,
  };
}

const toAccount = (row: AccountRow): Account => ({
  id: row.id,
  email: row.email,
  emailVerified: Boolean(row.email_verified),
  passwordHash: row.password_hash,
  givenName: row.given_name,
  familyName: row.family_name,
  disabledAt: row.disabled_at,
  signedOutAt: row.signed_out_at,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});
