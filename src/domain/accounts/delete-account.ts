import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../../kit/errors.ts';
import type { RecordAudit } from '../audit/audit.ts';
import type { ClientStore } from '../clients/client-store.ts';
import type { ManageClients } from '../clients/manage-clients.ts';
import type { TokenStore } from '../tokens/token-store.ts';
import type { Account } from './account.ts';
import type { AccountStore } from './account-store.ts';
import type { ManageAccounts } from './manage-accounts.ts';

/** Throws not_found, and invalid_request when one of the account's clients cannot be deleted; run again, it goes on. */
export type DeleteAccount = (idOrEmail: string) => Promise<Account>;

/**
 * Deletes an account with all that belongs to it: sessions, tokens, consents, API keys, provider keys and the clients it made. What
 * stays is the audit trail (its id, the addresses it came from, the names of its keys) and the counts of usage, until their time is
 * over, and for a day at most the sealed answers to repeatable requests. It is disabled first, and
 * for as long as some process may still believe one of its credentials nothing is deleted: whatever that writes goes as well.
 */
export function createDeleteAccount({
  accounts,
  clients,
  tokens,
  manageAccounts,
  manageClients,
  audit,
  revocationBoundMs,
}: {
  accounts: AccountStore;
  clients: ClientStore;
  tokens: TokenStore;
  manageAccounts: ManageAccounts;
  manageClients: ManageClients;
  audit: RecordAudit;
  revocationBoundMs: number;
}): DeleteAccount {
  async function removeClient(id: string): Promise<void> {
    try {
      await manageClients.remove(id);
    } catch (error) {
      // Somebody else was faster.
      if (!(error instanceof AppError && error.code === 'not_found')) throw error;
    }
  }

  return async (idOrEmail) => {
    const account = await manageAccounts.disable(idOrEmail);
    await sleep(revocationBoundMs);
    for (const client of await clients.listByOwner(account.id)) await removeClient(client.id);
    await tokens.removeByAccount(account.id);
    if (await accounts.remove(account.id)) await audit('account.deleted', { accountId: account.id });
    return account;
  };
}
