import { createAuthenticator, type RowFacts, type RowMacs } from '../row-macs/row-macs.ts';
import type { Consent } from './consent.ts';
import type { ConsentStore } from './consent-store.ts';

export const consentFacts = ({ accountId, clientId, scopes, claims, resources }: Consent): RowFacts => [
  accountId,
  clientId,
  scopes,
  claims,
  resources,
];

/** What accounts allowed by themselves. Of anything else the account is asked again. */
export function authenticConsents(stored: ConsentStore, macs: RowMacs): ConsentStore {
  const { sealed, opened } = createAuthenticator<Consent>({
    macs,
    table: 'consents',
    idOf: ({ accountId, clientId }) => `${accountId} ${clientId}`,
    factsOf: consentFacts,
  });
  // Each method by name: a new one has to decide.
  return {
    find: async (accountId, clientId) => opened(await stored.find(accountId, clientId)),
    save: (consent) => stored.save(sealed(consent)),
    remove: (accountId, clientId) => stored.remove(accountId, clientId),
    removeByAccount: (accountId) => stored.removeByAccount(accountId),
    removeByClient: (clientId) => stored.removeByClient(clientId),
  };
}
