import fc from 'fast-check';
import type { Client } from '../../../src/domain/clients/client.ts';
import type { ClientStore } from '../../../src/domain/clients/client-store.ts';
import type { ResourceServer } from '../../../src/domain/resources/resource-server.ts';
import type { ResourceServerStore } from '../../../src/domain/resources/resource-server-store.ts';
import { clientOf } from '../client-store.ts';
import { type Model, type Names, type Operation, orNull, slot } from './model.ts';

type Clients = Map<string, Client>;
const draft = fc.record({ id: slot(3), owner: orNull(slot(2)), word: fc.constantFrom('a', 'b'), updatedAt: slot(4) });
const made = (names: Names, { id, owner, word, updatedAt }: typeof draft extends fc.Arbitrary<infer D> ? D : never) =>
  clientOf({
    id: names(id),
    ownerId: owner === null ? null : names(`owner${owner}`),
    name: word,
    scopes: [word],
    secrets: [{ digest: word, createdAt: 1, expiresAt: null }],
    createdAt: 7,
    updatedAt,
  });

export const clientModel: Model<ClientStore, Clients> = {
  start: () => new Map(),
  operations: fc.oneof<fc.Arbitrary<Operation<ClientStore, Clients>>[]>(
    draft.map((each) => ({
      text: `insert(${JSON.stringify(each)})`,
      call: (clients, names) => clients.insert(made(names, each)),
      model(known, names) {
        if (known.has(names(each.id))) return false;
        known.set(names(each.id), made(names, each));
        return true;
      },
    })),
    fc.tuple(draft, slot(4)).map(([each, expected]) => ({
      text: `update(${JSON.stringify(each)}, ${expected})`,
      call: (clients, names) => clients.update(made(names, each), expected),
      model(known, names) {
        if (known.get(names(each.id))?.updatedAt !== expected) return false;
        known.set(names(each.id), made(names, each));
        return true;
      },
    })),
    slot(3).map((id) => ({
      text: `find(${id})`,
      call: (clients, names) => clients.find(names(id)),
      model: (known, names) => known.get(names(id)) ?? null,
    })),
    slot(3).map((id) => ({
      text: `remove(${id})`,
      call: (clients, names) => clients.remove(names(id)),
      model: (known, names) => known.delete(names(id)),
    })),
    slot(2).map((owner) => ({
      text: `listByOwner(${owner})`,
      call: async (clients, names) => (await clients.listByOwner(names(`owner${owner}`))).map(({ id }) => id),
      model: (known, names) =>
        [...known.values()]
          .filter(({ ownerId }) => ownerId === names(`owner${owner}`))
          .map(({ id }) => id)
          .sort()
          .reverse(),
    })),
  ),
};

type Resources = Map<string, ResourceServer>;
const resourceOf = (names: Names, id: number, word: string): ResourceServer => ({
  identifier: `https://${names(id)}.example`,
  name: word,
  scopes: [{ name: word, description: word }],
  accessTokenFormat: 'jwt',
  accessTokenLifetimeSeconds: 900,
  clientId: names('api'),
  createdAt: 1,
});

export const resourceServerModel: Model<ResourceServerStore, Resources> = {
  start: () => new Map(),
  operations: fc.oneof<fc.Arbitrary<Operation<ResourceServerStore, Resources>>[]>(
    fc.tuple(slot(3), fc.constantFrom('a', 'b')).map(([id, word]) => ({
      text: `insert(${id}, ${word})`,
      call: (resources, names) => resources.insert(resourceOf(names, id, word)),
      model(known, names) {
        const resource = resourceOf(names, id, word);
        if (known.has(resource.identifier)) return false;
        known.set(resource.identifier, resource);
        return true;
      },
    })),
    slot(3).map((id) => ({
      text: `find(${id})`,
      call: (resources, names) => resources.find(resourceOf(names, id, '').identifier),
      model: (known, names) => known.get(resourceOf(names, id, '').identifier) ?? null,
    })),
    slot(3).map((id) => ({
      text: `remove(${id})`,
      call: (resources, names) => resources.remove(resourceOf(names, id, '').identifier),
      model: (known, names) => known.delete(resourceOf(names, id, '').identifier),
    })),
    fc.constant({
      text: 'list()',
      call: async (resources: ResourceServerStore, names: Names) =>
        (await resources.list()).filter(({ identifier }) => identifier.startsWith(`https://${names('')}`)),
      model: (known: Resources) => [...known.values()].sort((a, b) => (a.identifier < b.identifier ? -1 : 1)),
    }),
  ),
};
