import { accountAuthenticator } from '../accounts/authentic-accounts.ts';
import { createAuthenticator, filledPage, type RowFacts, type RowMacs } from '../row-macs/row-macs.ts';
import type { ApiKey } from './api-key.ts';
import type { ApiKeyStore, KeyWithOwner } from './api-key-store.ts';

/** All but the name, what tells keys apart, and what counting and warnings write. */
export const apiKeyFacts = (key: ApiKey): RowFacts => [
  key.id,
  key.ownerId,
  key.environment,
  key.current?.mac ?? null,
  key.current?.pepperId ?? null,
  key.previous?.mac ?? null,
  key.previous?.pepperId ?? null,
  key.previous?.endsAt ?? null,
  key.importedDigest,
  key.importedEndsAt,
  key.scopes,
  key.allowedAddresses,
  key.namespace,
  key.limit?.quota ?? null,
  key.limit?.windowSeconds ?? null,
  key.createdBy,
  key.createdAt,
  key.expiresAt,
  key.revokedAt,
  key.suspendedAt,
  key.rotatedAt,
  // Rows without them keep the MAC that they had before there were such columns. A list that is longer never has the MAC of a shorter one.
  ...(key.rotatedBy === null && key.previousBy === null ? [] : [key.rotatedBy, key.previousBy]),
];

/** So many keys of one namespace are looked at for one that is as Gatehouse wrote it. */
const MOST_OF_NAMESPACE = 100;

/** API keys as Gatehouse wrote them; one that somebody else changed, or whose owner's account is such a one, does not exist. */
export function authenticApiKeys(stored: ApiKeyStore, macs: RowMacs): ApiKeyStore {
  const { sealed, opened, openedAll } = createAuthenticator<ApiKey>({
    macs,
    table: 'api_keys',
    idOf: ({ id }) => id,
    factsOf: apiKeyFacts,
  });
  const accounts = accountAuthenticator(macs);

  function withOwner(found: KeyWithOwner | null): KeyWithOwner | null {
    if (found === null) return null;
    const key = opened(found.key);
    const owner = accounts.opened(found.owner);
    return key && owner ? { key, owner } : null;
  }

  // Each method by name: a new one has to decide.
  return {
    insert: (key, request) => stored.insert(sealed(key), request),
    insertMade: (key, maker, request) => stored.insertMade(sealed(key), maker, request),
    insertMany: (keys) => stored.insertMany(keys.map(sealed)),
    find: async (id) => withOwner(await stored.find(id)),
    findImported: async (importedDigest) => withOwner(await stored.findImported(importedDigest)),
    async findManyImported(importedDigests) {
      const found = await stored.findManyImported(importedDigests);
      return found.map(withOwner).filter((each) => each !== null);
    },
    hasImported: () => stored.hasImported(),
    list: (page) => filledPage(page, stored.list, openedAll, ({ createdAt, id }) => ({ createdAt, id })),
    listOfNamespace: async (ownerId, environment, namespace, limit) => {
      const found = await stored.listOfNamespace(ownerId, environment, namespace, MOST_OF_NAMESPACE);
      return openedAll(found).slice(0, limit);
    },
    countLive: (ownerId, nowMs) => stored.countLive(ownerId, nowMs),
    // What it names is ended: a key that is not as Gatehouse wrote it opens nothing anyway.
    listMadeByOthers: (ownerId) => stored.listMadeByOthers(ownerId),
    lastUses: (ownerId) => stored.lastUses(ownerId),
    update: (key) => stored.update(sealed(key)),
    updateOnce: (key, request) => stored.updateOnce(sealed(key), request),
    updateMade: (key, maker, request) => stored.updateMade(sealed(key), maker, request),
    listExpiring: async (...page) => openedAll(await stored.listExpiring(...page)),
    markWarned: (id, days) => stored.markWarned(id, days),
  };
}
