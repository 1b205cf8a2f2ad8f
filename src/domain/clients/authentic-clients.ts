import { createAuthenticator, filledPage, type RowFacts, type RowMacs } from '../row-macs/row-macs.ts';
import type { Client } from './client.ts';
import type { ClientStore } from './client-store.ts';

/** All but the time of the last change: the name is what people are asked to trust. */
export const clientFacts = (client: Client): RowFacts => [
  client.id,
  client.name,
  client.applicationType,
  client.authMethod,
  client.grantTypes,
  client.redirectUris,
  client.postLogoutRedirectUris,
  client.scopes,
  client.resources,
  client.allowedOrigins,
  client.requirePkce,
  client.jwks,
  client.secrets,
  client.certificateThumbprints,
  client.tokenBinding,
  client.ownerId,
  client.createdAt,
];

/** Clients as Gatehouse wrote them; one that somebody else changed does not exist, and can only be deleted. */
export function authenticClients(stored: ClientStore, macs: RowMacs): ClientStore {
  const { sealed, opened, openedAll } = createAuthenticator<Client>({
    macs,
    table: 'clients',
    idOf: ({ id }) => id,
    factsOf: clientFacts,
  });
  // Each method by name: a new one has to decide.
  return {
    insert: (client) => stored.insert(sealed(client)),
    find: async (id) => opened(await stored.find(id)),
    list: (page) => filledPage(page, stored.list, openedAll, ({ id }) => id),
    listByOwner: async (ownerId) => openedAll(await stored.listByOwner(ownerId)),
    update: (client, expectedUpdatedAt) => stored.update(sealed(client), expectedUpdatedAt),
    remove: (id) => stored.remove(id),
  };
}
