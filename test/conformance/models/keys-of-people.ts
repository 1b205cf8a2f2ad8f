import fc from 'fast-check';
import type { AccountStore } from '../../../src/domain/accounts/account-store.ts';
import type { ApiKey } from '../../../src/domain/api-keys/api-key.ts';
import type { ApiKeyStore } from '../../../src/domain/api-keys/api-key-store.ts';
import type {
  IdempotentRequest,
  IdempotentRequestStore,
  InsertOutcome,
} from '../../../src/domain/idempotency/idempotent-request.ts';
import type { UsageStore } from '../../../src/domain/usage/usage-store.ts';
import { accountOf } from '../account-store.ts';
import { apiKeyOf, T } from '../api-keys.ts';
import { type Model, type Names, type Operation, orNull, slot, sorted } from './model.ts';

export interface Parts {
  accounts: AccountStore;
  apiKeys: ApiKeyStore;
  idempotentRequests: IdempotentRequestStore;
  usage: UsageStore;
}

/** Requests known under an Idempotency-Key, as every store with creations keeps them. */
export type Requests = Map<string, IdempotentRequest>;

/** Two requests, of which one ends while the run lasts: by the times that the run itself says. */
export const requestDraft = fc.record({ id: slot(2), at: slot(4), life: fc.constantFrom(1, 1000), content: slot(3) });
export const requestFor = (
  names: Names,
  { id, at, life, content }: { id: number; at: number; life: number; content: number },
): IdempotentRequest => ({
  id: names(`request${id}`),
  fingerprint: `${content}`,
  sealedAnswer: `answer ${content}`,
  createdAt: T + at,
  expiresAt: T + at + life,
});

/** The request first: its repetition creates nothing. `insert` is false when the record is taken. */
export function createOnce(known: Requests, request: IdempotentRequest | null, insert: () => boolean): InsertOutcome {
  const first = request === null ? undefined : known.get(request.id);
  if (request !== null && first && first.expiresAt > request.createdAt) return { kind: 'repeated', first };
  if (!insert()) return { kind: 'taken' };
  if (request !== null) known.set(request.id, request);
  return { kind: 'inserted' };
}

interface Keys {
  keys: Map<string, ApiKey>;
  requests: Requests;
}
const draft = fc.record({ id: slot(3), imported: orNull(slot(2)), word: fc.constantFrom('a', 'b'), created: slot(3) });
type Draft = typeof draft extends fc.Arbitrary<infer D> ? D : never;

const made = (names: Names, { id, imported, word, created }: Draft): ApiKey =>
  apiKeyOf({
    id: names(id),
    ownerId: names('owner'),
    name: word,
    scopes: [word],
    current: { mac: word, pepperId: 'pepper' },
    importedDigest: imported === null ? null : names(`digest${imported}`),
    namespace: 'ns',
    createdAt: T + created,
  });

function insertInto(keys: Map<string, ApiKey>, key: ApiKey): boolean {
  const isTaken = [...keys.values()].some(
    ({ id, importedDigest }) => id === key.id || (importedDigest !== null && importedDigest === key.importedDigest),
  );
  if (!isTaken) keys.set(key.id, key);
  return !isTaken;
}

/** What a caller may change, if the version is still the one that was read. */
const changed = fc.record({
  id: slot(3),
  version: fc.integer({ min: 1, max: 4 }),
  revoked: orNull(slot(3)),
  word: fc.constantFrom('c', 'd'),
});
type Changed = typeof changed extends fc.Arbitrary<infer D> ? D : never;

function updateIn(keys: Map<string, ApiKey>, names: Names, { id, version, revoked, word }: Changed): boolean {
  const key = keys.get(names(id));
  if (key?.version !== version) return false;
  const revokedAt = revoked === null ? null : T + revoked;
  keys.set(key.id, { ...key, name: word, revokedAt, importedDigest: null, version: version + 1 });
  return true;
}
const asChanged = (names: Names, { id, version, revoked, word }: Changed): ApiKey => ({
  ...made(names, { id, imported: null, word: 'a', created: 0 }),
  ...{ name: word, revokedAt: revoked === null ? null : T + revoked, version },
});
/** The fields that an update of the model leaves as they were are left out. */
const essence = (key: ApiKey | undefined) =>
  key ? [key.id, key.name, key.revokedAt, key.importedDigest, key.createdAt, key.version] : null;

export const apiKeyModel: Model<Parts, Keys> = {
  start: () => ({ keys: new Map(), requests: new Map() }),
  async prepare({ accounts }, names) {
    await accounts.insert(accountOf({ id: names('owner') }));
  },
  operations: fc.oneof<fc.Arbitrary<Operation<Parts, Keys>>[]>(
    fc.tuple(draft, orNull(requestDraft)).map(([each, request]) => ({
      text: `insert(${JSON.stringify(each)}, request ${JSON.stringify(request)})`,
      call: ({ apiKeys }, names) => apiKeys.insert(made(names, each), ...(request ? [requestFor(names, request)] : [])),
      model: ({ keys, requests }, names) =>
        createOnce(requests, request && requestFor(names, request), () => insertInto(keys, made(names, each))),
    })),
    fc.uniqueArray(draft, { selector: ({ id }) => id, minLength: 1 }).map((all) => ({
      text: `insertMany(${JSON.stringify(all)})`,
      alone: true,
      call: async ({ apiKeys }, names) => sorted(await apiKeys.insertMany(all.map((each) => made(names, each)))),
      model: ({ keys }, names) =>
        sorted(
          [...all]
            .sort((a, b) => a.id - b.id)
            .filter((each) => insertInto(keys, made(names, each)))
            .map(({ id }) => names(id)),
        ),
    })),
    slot(3).map((id) => ({
      text: `find(${id})`,
      call: async ({ apiKeys }, names) => essence((await apiKeys.find(names(id)))?.key),
      model: ({ keys }, names) => essence(keys.get(names(id))),
    })),
    slot(2).map((digest) => ({
      text: `findImported(${digest})`,
      call: async ({ apiKeys }, names) => essence((await apiKeys.findImported(names(`digest${digest}`)))?.key),
      model: ({ keys }, names) =>
        essence([...keys.values()].find(({ importedDigest }) => importedDigest === names(`digest${digest}`))),
    })),
    changed.map((each) => ({
      text: `update(${JSON.stringify(each)})`,
      call: ({ apiKeys }, names) => apiKeys.update(asChanged(names, each)),
      model: ({ keys }, names) => updateIn(keys, names, each),
    })),
    fc.tuple(changed, requestDraft).map(([each, request]) => ({
      text: `updateOnce(${JSON.stringify(each)}, request ${JSON.stringify(request)})`,
      call: ({ apiKeys }, names) => apiKeys.updateOnce(asChanged(names, each), requestFor(names, request)),
      model: ({ keys, requests }, names) =>
        createOnce(requests, requestFor(names, request), () => updateIn(keys, names, each)),
    })),
    fc.tuple(slot(3), fc.constantFrom(1, 7, 30)).map(([id, days]) => ({
      text: `markWarned(${id}, ${days})`,
      call: ({ apiKeys }, names) => apiKeys.markWarned(names(id), days),
      model({ keys }, names) {
        const key = keys.get(names(id));
        if (!key || (key.warnedDays !== null && key.warnedDays <= days)) return false;
        keys.set(key.id, { ...key, warnedDays: days });
        return true;
      },
    })),
    slot(2).map((id) => ({
      text: `find request ${id}`,
      call: ({ idempotentRequests }, names) => idempotentRequests.find(names(`request${id}`)),
      model: ({ requests }, names) => requests.get(names(`request${id}`)) ?? null,
    })),
    fc.constant<Operation<Parts, Keys>>({
      text: 'list and count',
      alone: true,
      call: async ({ apiKeys }, names) => [
        (await apiKeys.list({ ownerId: names('owner'), limit: 10 })).map(({ id }) => id),
        await apiKeys.countLive(names('owner'), T),
      ],
      model: ({ keys }) => [
        [...keys.values()].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)).map(({ id }) => id),
        [...keys.values()].filter(({ revokedAt }) => revokedAt === null).length,
      ],
    }),
  ),
};

interface Used {
  buckets: Map<string, [number, number]>;
  lastUsedAt: number | null;
  previousUses: number;
  previousUsedAt: number | null;
}
const bucket = fc.record({
  key: slot(2),
  environment: fc.constantFrom('live', 'test'),
  hour: slot(3),
  allowed: slot(9),
  refused: slot(9),
});
const use = fc.record({ lastUsedAt: slot(9), previousUses: slot(3), previousUsedAt: orNull(slot(9)) });

export const usageModel: Model<Parts, Used> = {
  start: () => ({ buckets: new Map(), lastUsedAt: null, previousUses: 0, previousUsedAt: null }),
  async prepare({ accounts, apiKeys }, names) {
    await accounts.insert(accountOf({ id: names('owner') }));
    await apiKeys.insert(apiKeyOf({ id: names('key0'), ownerId: names('owner') }));
  },
  operations: fc.oneof<fc.Arbitrary<Operation<Parts, Used>>[]>(
    fc.tuple(fc.array(bucket, { maxLength: 3 }), fc.array(use, { maxLength: 2 })).map(([buckets, uses]) => ({
      text: `add(${JSON.stringify(buckets)}, ${JSON.stringify(uses)})`,
      call: ({ usage }, names) =>
        usage.add(
          buckets.map(({ key, ...rest }) => ({ ...rest, keyId: names(`key${key}`), ownerId: names('owner') })),
          uses.map(({ lastUsedAt, previousUsedAt, previousUses }) => ({
            keyId: names('key0'),
            lastUsedAt: T + lastUsedAt,
            previousUses,
            previousUsedAt: previousUsedAt === null ? null : T + previousUsedAt,
          })),
        ),
      model(state) {
        for (const { key, environment, hour, allowed, refused } of buckets) {
          const id = `${hour} ${key} ${environment}`;
          const [a, r] = state.buckets.get(id) ?? [0, 0];
          state.buckets.set(id, [a + allowed, r + refused]);
        }
        for (const { lastUsedAt, previousUses, previousUsedAt } of uses) {
          state.lastUsedAt = Math.max(state.lastUsedAt ?? 0, T + lastUsedAt);
          state.previousUses += previousUses;
          if (previousUsedAt !== null) state.previousUsedAt = Math.max(state.previousUsedAt ?? 0, T + previousUsedAt);
        }
        return undefined;
      },
    })),
    fc.constant<Operation<Parts, Used>>({
      text: 'list()',
      call: async ({ usage }, names) =>
        (await usage.list({ ownerId: names('owner'), from: 0, to: 1e15 })).map(
          ({ keyId, environment, hour, allowed, refused }) =>
            `${hour} ${keyId.slice(names('key').length)} ${environment}: ${allowed} ${refused}`,
        ),
      model: ({ buckets }) =>
        [...buckets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, [a, r]]) => `${id}: ${a} ${r}`),
    }),
    fc.constant<Operation<Parts, Used>>({
      text: 'the uses of the key',
      async call({ apiKeys }, names) {
        const key = (await apiKeys.find(names('key0')))?.key;
        return [key?.lastUsedAt, key?.previousUses, key?.previousUsedAt];
      },
      model: ({ lastUsedAt, previousUses, previousUsedAt }) => [lastUsedAt, previousUses, previousUsedAt],
    }),
  ),
};
