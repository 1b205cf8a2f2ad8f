import { createBudget } from '../../kit/budget.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';
import { type Cached, createTaggedCache, type TaggedCache } from '../../kit/tagged-cache.ts';
import { isAllowedAddress } from '../api-keys/addresses.ts';
import { type ApiKey, stateOf } from '../api-keys/api-key.ts';
import type { ApiKeyStore, KeyWithOwner } from '../api-keys/api-key-store.ts';
import { type KeyDigests, knowPeppersOf } from '../api-keys/key-digests.ts';
import type { KeyFormat } from '../api-keys/key-format.ts';
import type { CredentialTag } from './announce.ts';
import type { RefusalReason, Resolution } from './principal.ts';

/** Looks for imported keys, in a second: their text has no checksum, so anyone can make one up. */
const IMPORTED_LOOKUPS_PER_SECOND = 100;
/** Milliseconds. */
const DOUBTFUL_MS = 1000;

export interface ApiKeyResolver {
  resolve(text: string, ip: string): Promise<Resolution>;
  forget(tag: CredentialTag): void;
}

/** Finds out what an API key stands for. A malformed one costs no I/O, a warm one neither. */
export function createApiKeyResolver({
  apiKeys,
  format,
  digests,
  importedDigests,
  heldScopes,
  cacheMs,
  clock,
  onOutdatedDigest,
}: {
  apiKeys: ApiKeyStore;
  format: KeyFormat;
  digests: KeyDigests;
  /** The digests under which this text would be found, had it been imported. */
  importedDigests: (text: string) => readonly string[];
  /** Of the granted scopes, those the owner still holds. */
  heldScopes: (granted: readonly string[], owner: KeyWithOwner['owner']) => readonly string[];
  cacheMs: number;
  clock: Clock;
  /** A key was used whose digest is of an older pepper. */
  onOutdatedDigest: (key: ApiKey, text: string) => void;
}): ApiKeyResolver {
  const tagsOf = ({ key, owner }: KeyWithOwner): readonly string[] => [`key:${key.id}`, `account:${owner.id}`];
  const keys: TaggedCache<KeyWithOwner> = createTaggedCache({
    max: 100_000,
    ttlMs: cacheMs,
    tagsOf,
    doubtfulMs: DOUBTFUL_MS,
    clock,
  });
  const imported: TaggedCache<KeyWithOwner> = createTaggedCache({
    max: 100_000,
    ttlMs: cacheMs,
    tagsOf,
    doubtfulMs: DOUBTFUL_MS,
    clock,
  });
  const anyImported: TaggedCache<boolean> = createTaggedCache({
    max: 1,
    ttlMs: cacheMs,
    tagsOf: () => ['imported'],
    doubtfulMs: DOUBTFUL_MS,
    clock,
  });
  const budget = createBudget({ perSecond: IMPORTED_LOOKUPS_PER_SECOND, clock });

  async function findImported(digest: string): Promise<KeyWithOwner | null> {
    if (!budget.take()) {
      throw new AppError('temporarily_unavailable', {
        public: 'Too many unknown keys are being tried just now.',
        retryAfterSeconds: 1,
      });
    }
    const found = await apiKeys.findImported(digest);
    if (found) budget.giveBack();
    return found;
  }

  async function resolveImported(text: string, ip: string): Promise<Resolution> {
    if (!(await anyImported.find('any', () => apiKeys.hasImported()))?.value) return refused('malformed', null);
    for (const digest of importedDigests(text)) {
      const entry = await imported.find(digest, () => findImported(digest));
      if (!entry) continue;
      const { importedEndsAt } = entry.value.key;
      if (importedEndsAt !== null && importedEndsAt <= clock.nowMs()) return refused('wrong-secret', entry.value);
      return judge(entry, ip, importedEndsAt);
    }
    return refused('unknown', null);
  }

  function judge(entry: Cached<KeyWithOwner>, ip: string, oldSecretEndsAt: number | null): Resolution {
    const { key, owner } = entry.value;
    const state = stateOf(key, clock.nowMs());
    if (state !== 'active') return refused(state, entry.value);
    if (owner.disabledAt !== null) return refused('owner-disabled', entry.value);
    if (!isAllowedAddress(ip, key.allowedAddresses)) return refused('address-not-allowed', entry.value);
    return {
      kind: 'resolved',
      readAtMs: entry.readAtMs,
      principal: {
        method: 'api_key',
        subject: owner.id,
        subjectType: 'user',
        clientId: null,
        keyId: key.id,
        namespace: key.namespace,
        environment: key.environment,
        scopes: heldScopes(key.scopes, owner),
        audience: null,
        issuedAt: Math.floor(key.createdAt / 1000),
        expiresAt: key.expiresAt === null ? null : Math.floor(key.expiresAt / 1000),
        sessionId: null,
        confirmation: null,
        addressBound: key.allowedAddresses.length > 0,
        limit: key.limit,
        oldSecretEndsAt,
      },
    };
  }

  return {
    async resolve(text, ip) {
      const parsed = format.parse(text);
      if (!parsed) return resolveImported(text, ip);
      const entry = await keys.find(parsed.id, () => apiKeys.find(parsed.id));
      if (!entry) return refused('unknown', null);
      await knowPeppersOf(digests, entry.value.key);
      const { current, previous } = entry.value.key;
      if (current && digests.matches(text, current)) {
        if (!digests.isCurrent(current)) onOutdatedDigest(entry.value.key, text);
        return judge(entry, ip, null);
      }
      if (previous && digests.matches(text, previous) && previous.endsAt > clock.nowMs()) {
        return judge(entry, ip, previous.endsAt);
      }
      return refused('wrong-secret', entry.value);
    },
    forget(tag) {
      for (const cache of [keys, imported, anyImported]) cache.forget(tag);
    },
  };
}

function refused(reason: RefusalReason, known: KeyWithOwner | null): Resolution {
  return {
    kind: 'refused',
    reason,
    method: 'api_key',
    keyId: known?.key.id ?? null,
    ownerId: known?.owner.id ?? null,
    environment: known?.key.environment ?? null,
  };
}
