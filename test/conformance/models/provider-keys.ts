import fc from 'fast-check';
import type { AccountStore } from '../../../src/domain/accounts/account-store.ts';
import type { IdempotentRequestStore } from '../../../src/domain/idempotency/idempotent-request.ts';
import type { ProviderKey } from '../../../src/domain/provider-keys/provider-key.ts';
import type { ProviderKeyStore } from '../../../src/domain/provider-keys/provider-key-store.ts';
import { accountOf } from '../account-store.ts';
import { T } from '../api-keys.ts';
import { createOnce, type Requests, requestDraft, requestFor } from './keys-of-people.ts';
import { type Model, type Names, type Operation, orNull, slot } from './model.ts';

export interface VaultParts {
  accounts: AccountStore;
  providerKeys: ProviderKeyStore;
  idempotentRequests: IdempotentRequestStore;
}

interface Vault {
  keys: Map<string, ProviderKey>;
  requests: Requests;
}

const draft = fc.record({
  id: slot(4),
  provider: fc.constantFrom<string>('openai', 'mistral'),
  value: slot(2),
  isDefault: fc.boolean(),
  created: slot(3),
});
type Draft = typeof draft extends fc.Arbitrary<infer D> ? D : never;

const made = (names: Names, { id, provider, value, isDefault, created }: Draft): ProviderKey => ({
  id: names(id),
  ownerId: names('owner'),
  provider,
  label: `${value}`,
  version: 1,
  sealedValue: `v1.${value}`,
  wrappedKey: `w${value}`,
  wrappedBy: 'ring-1',
  mask: 'sk-…wxyz',
  fingerprint: `value ${value}`,
  isDefault,
  createdAt: T + created,
  updatedAt: T,
  lastUsedAt: null,
});

const ofProvider = (keys: Vault['keys'], provider: string): ProviderKey[] =>
  [...keys.values()].filter((key) => key.provider === provider);

const hasTwin = (keys: Vault['keys'], { id, provider, fingerprint }: ProviderKey): boolean =>
  ofProvider(keys, provider).some((other) => other.id !== id && other.fingerprint === fingerprint);

/** The only default of its provider. */
function makeDefault(keys: Vault['keys'], { id, provider }: ProviderKey): void {
  for (const key of ofProvider(keys, provider)) keys.set(key.id, { ...key, isDefault: key.id === id });
}

function fillDefault(keys: Vault['keys'], provider: string): void {
  const all = ofProvider(keys, provider).sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  const [oldest] = all;
  if (oldest && !all.some(({ isDefault }) => isDefault)) makeDefault(keys, oldest);
}

function insertInto(keys: Vault['keys'], key: ProviderKey): boolean {
  if (keys.has(key.id) || hasTwin(keys, key)) return false;
  keys.set(key.id, { ...key, isDefault: false });
  if (key.isDefault) makeDefault(keys, key);
  else fillDefault(keys, key.provider);
  return true;
}

export const providerKeyModel: Model<VaultParts, Vault> = {
  start: () => ({ keys: new Map(), requests: new Map() }),
  async prepare({ accounts }, names) {
    await accounts.insert(accountOf({ id: names('owner') }));
  },
  operations: fc.oneof<fc.Arbitrary<Operation<VaultParts, Vault>>[]>(
    fc.tuple(draft, orNull(requestDraft)).map(([each, request]) => ({
      text: `insert(${JSON.stringify(each)}, request ${JSON.stringify(request)})`,
      call: ({ providerKeys }, names) =>
        providerKeys.insert(made(names, each), ...(request ? [requestFor(names, request)] : [])),
      model: ({ keys, requests }, names) =>
        createOnce(requests, request && requestFor(names, request), () => insertInto(keys, made(names, each))),
    })),
    fc.tuple(slot(4), slot(2), fc.integer({ min: 1, max: 3 })).map(([id, value, version]) => {
      const asRead = (names: Names, provider: string): ProviderKey => ({
        ...made(names, { id, provider, value, isDefault: false, created: 0 }),
        version: version + 1,
      });
      return {
        text: `replace(${id}, value ${value}, version ${version})`,
        // As its caller does: with the provider of the key that was read.
        async call({ providerKeys }, names) {
          const known = await providerKeys.find(names('owner'), names(id));
          return providerKeys.replace(asRead(names, known?.provider ?? 'openai'), version);
        },
        alone: true,
        model({ keys }, names) {
          const known = keys.get(names(id));
          if (!known || known.version !== version || hasTwin(keys, asRead(names, known.provider))) return false;
          const { createdAt, isDefault, lastUsedAt } = known;
          keys.set(known.id, { ...asRead(names, known.provider), createdAt, isDefault, lastUsedAt });
          return true;
        },
      };
    }),
    slot(4).map((id) => ({
      text: `makeDefault(${id})`,
      call: ({ providerKeys }, names) => providerKeys.makeDefault(names('owner'), names(id)),
      model({ keys }, names) {
        const key = keys.get(names(id));
        if (key) makeDefault(keys, key);
        return key !== undefined;
      },
    })),
    slot(4).map((id) => ({
      text: `remove(${id})`,
      call: ({ providerKeys }, names) => providerKeys.remove(names('owner'), names(id)),
      model({ keys }, names) {
        const key = keys.get(names(id));
        if (!key) return false;
        keys.delete(key.id);
        fillDefault(keys, key.provider);
        return true;
      },
    })),
    fc.tuple(slot(4), slot(9)).map(([id, at]) => ({
      text: `touch(${id}, ${at})`,
      call: ({ providerKeys }, names) => providerKeys.touch(names(id), T + at),
      model({ keys }, names) {
        const key = keys.get(names(id));
        if (key) keys.set(key.id, { ...key, lastUsedAt: Math.max(key.lastUsedAt ?? 0, T + at) });
        return undefined;
      },
    })),
    fc.tuple(slot(4), slot(2), slot(2)).map(([id, from, to]) => ({
      text: `rewrap(${id}, ${from}, ${to})`,
      call: ({ providerKeys }, names) =>
        providerKeys.rewrap(names(id), `w${from}`, { wrappedKey: `w${to}`, wrappedBy: 'ring-2' }),
      model({ keys }, names) {
        const key = keys.get(names(id));
        if (key?.wrappedKey !== `w${from}`) return false;
        keys.set(key.id, { ...key, wrappedKey: `w${to}`, wrappedBy: 'ring-2' });
        return true;
      },
    })),
    fc.constant<Operation<VaultParts, Vault>>({
      text: 'list()',
      call: ({ providerKeys }, names) => providerKeys.list(names('owner')),
      model: ({ keys }) =>
        [...keys.values()].sort((a, b) => (`${a.provider} ${a.id}` < `${b.provider} ${b.id}` ? -1 : 1)),
    }),
    fc.constantFrom('openai', 'mistral').map((provider) => ({
      text: `findDefault(${provider})`,
      call: ({ providerKeys }, names) => providerKeys.findDefault(names('owner'), provider),
      model: ({ keys }) => ofProvider(keys, provider).find(({ isDefault }) => isDefault) ?? null,
    })),
    slot(2).map((id) => ({
      text: `find request ${id}`,
      call: ({ idempotentRequests }, names) => idempotentRequests.find(names(`request${id}`)),
      model: ({ requests }, names) => requests.get(names(`request${id}`)) ?? null,
    })),
  ),
};
