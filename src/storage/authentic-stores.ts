import { authenticAccounts } from '../domain/accounts/authentic-accounts.ts';
import { authenticApiKeys } from '../domain/api-keys/authentic-api-keys.ts';
import { authenticClients } from '../domain/clients/authentic-clients.ts';
import { authenticConsents } from '../domain/consents/authentic-consents.ts';
import { authenticResources } from '../domain/resources/authentic-resources.ts';
import type { RowMacs } from '../domain/row-macs/row-macs.ts';
import { authenticTokens } from '../domain/tokens/authentic-tokens.ts';
import type { Stores } from './stores.ts';

/** The same stores, whatever is behind them, with rows that authorize as Gatehouse wrote them and no others. */
export const authenticStores = (stores: Stores, macs: RowMacs): Stores => ({
  ...stores,
  accounts: authenticAccounts(stores.accounts, macs),
  apiKeys: authenticApiKeys(stores.apiKeys, macs),
  clients: authenticClients(stores.clients, macs),
  consents: authenticConsents(stores.consents, macs),
  resources: authenticResources(stores.resources, macs),
  tokens: authenticTokens(stores.tokens, macs),
});
