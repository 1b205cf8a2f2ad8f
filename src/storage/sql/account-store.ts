import type { Account } from '../../domain/accounts/account.ts';
import type { AccountChange, StoredAccounts } from '../../domain/accounts/account-store.ts';
import type { Stored } from '../../domain/row-macs/row-macs.ts';
import { ACCOUNT_COLUMNS, type AccountRow, toAccount, toAccountRow } from './account-rows.ts';
import type { Database, Value } from './database.ts';

const COLUMNS = ACCOUNT_COLUMNS.join(', ');

const CHANGEABLE: Record<keyof Stored<AccountChange>, string> = {
  emailVerified: 'email_verified',
  passwordHash: 'password_hash',
  givenName: 'given_name',
  familyName: 'family_name',
  scopes: 'scopes',
  disabledAt: 'disabled_at',
  signedOutAt: 'signed_out_at',
  rowMac: 'row_mac',
};

export function createAccountStore({ database }: { database: Database }): StoredAccounts {
  const findBy = async (column: 'id' | 'email_key', value: string): Promise<Stored<Account> | null> => {
    const [row] = await database.rows<AccountRow>(`select ${COLUMNS} from accounts where ${column} = ?`, [value]);
    return row ? toAccount(row) : null;
  };

  return {
    insert: (account) => database.insertIfAbsent('accounts', toAccountRow(account)),
    find: (id) => findBy('id', id),
    findByEmail: (normalizedEmail) => findBy('email_key', normalizedEmail),

    async list({ after = '', limit }) {
      const sql = `select ${COLUMNS} from accounts where id > ? order by id limit ?`;
      return (await database.rows<AccountRow>(sql, [after, limit])).map(toAccount);
    },

    async update(id, change, atMs, ifRowMac) {
      const assignments = ['updated_at = ?'];
      const values: Value[] = [atMs];
      for (const [field, column] of Object.entries(CHANGEABLE)) {
        const value = change[field as keyof Stored<AccountChange>];
        if (value === undefined) continue;
        assignments.push(`${column} = ?`);
        values.push(typeof value === 'object' && value !== null ? JSON.stringify(value) : value);
      }
      let where = 'id = ?';
      values.push(id);
      if (ifRowMac !== undefined) {
        where += ifRowMac === null ? ' and row_mac is null' : ' and row_mac = ?';
        if (ifRowMac !== null) values.push(ifRowMac);
      }
      return (await database.affected(`update accounts set ${assignments.join(', ')} where ${where}`, values)) === 1;
    },

    remove: (id) =>
      database.transaction(async (tx) => {
        // The account first: a provider key that is being stored waits for it, and then is not.
        const existed = (await tx.affected('delete from accounts where id = ?', [id])) === 1;
        await tx.affected('delete from provider_keys where owner_id = ?', [id]);
        await tx.affected('delete from api_keys where owner_id = ?', [id]);
        await tx.affected('delete from consents where account_id = ?', [id]);
        return existed;
      }),
  };
}
