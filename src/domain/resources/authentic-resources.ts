import { createAuthenticator, type RowFacts, type RowMacs } from '../row-macs/row-macs.ts';
import type { ResourceServer } from './resource-server.ts';
import type { ResourceServerStore } from './resource-server-store.ts';

export const resourceFacts = (resource: ResourceServer): RowFacts => [
  resource.identifier,
  resource.name,
  resource.scopes,
  resource.accessTokenFormat,
  resource.accessTokenLifetimeSeconds,
  resource.clientId,
  resource.createdAt,
];

/** Resource servers as Gatehouse wrote them: who may introspect which tokens is no matter of the database alone. */
export function authenticResources(stored: ResourceServerStore, macs: RowMacs): ResourceServerStore {
  const { sealed, opened, openedAll } = createAuthenticator<ResourceServer>({
    macs,
    table: 'resource_servers',
    idOf: ({ identifier }) => identifier,
    factsOf: resourceFacts,
  });
  // Each method by name: a new one has to decide.
  return {
    insert: (resource) => stored.insert(sealed(resource)),
    find: async (identifier) => opened(await stored.find(identifier)),
    list: async () => openedAll(await stored.list()),
    remove: (identifier) => stored.remove(identifier),
  };
}
