import { createExpiringSet } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { sha256 } from '../../kit/digest.ts';
import { type Cached, createTaggedCache, type TaggedCache } from '../../kit/tagged-cache.ts';
import { isAllowedAddress } from '../api-keys/addresses.ts';
import { type ApiKey, stateOf } from '../api-keys/api-key.ts';
import type { ApiKeyStore, KeyWithOwner } from '../api-keys/api-key-store.ts';
import { type KeyDigests, knowsPeppersOf } from '../api-keys/key-digests.ts';
import type { KeyFormat } from '../api-keys/key-format.ts';
import { overlaps } from '../api-keys/key-rules.ts';
import type { CredentialTag } from './announce.ts';
import { createImportedLookups } from './imported-lookups.ts';
import type { Principal, RefusalReason, Resolution } from './principal.ts';
import { createUnknownLookups } from './unknown-lookups.ts';

/**
 * Imported keys have no checksum, so anyone can make one up. A second of the process, of which half may be left over from before; what
 * they cost the database is bounded by `createImportedLookups`.
 */
const UNKNOWN_LOOKUPS_PER_SECOND = 500;
const UNKNOWN_LOOKUPS_PER_CALLER = 200;
/** Of keys that are known, for a secret that is not: each is a statement. */
const RENEWALS_PER_SECOND = 50;
const RENEWALS_PER_CALLER = 20;
/** Milliseconds. */
const DOUBTFUL_MS = 1000;
const MAX_WRONG_SECRETS = 10_000;

type HeldScopes = (granted: readonly string[], owner: KeyWithOwner['owner']) => readonly string[];

/** What is remembered of a key, so that it is made out once and not with every request. */
type KnownKey = KeyWithOwner & { principal: Principal };

/** Where a request came from, and the address or network that attempts are counted by. */
export interface Caller {
  ip: string;
  addressGroup: string;
}

export interface ApiKeyResolver {
  resolve(text: string, caller: Caller): Promise<Resolution>;
  /** As a key of another system, whatever it looks like: for what proved to be no token of ours. */
  resolveImported(text: string, caller: Caller): Promise<Resolution>;
  forget(tag: CredentialTag): void;
  /** For certain, and without asking anybody: no key of ours, where none was imported. */
  isMalformed(text: string): boolean;
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
  heldScopes: HeldScopes;
  cacheMs: number;
  clock: Clock;
  /** A key was used whose digest is of an older pepper. */
  onOutdatedDigest: (key: ApiKey, text: string) => void;
}): ApiKeyResolver {
  const tagsOf = ({ key, owner }: KnownKey): readonly string[] => [`key:${key.id}`, `account:${owner.id}`];
  const keys: TaggedCache<KnownKey> = createTaggedCache({
    max: 100_000,
    ttlMs: cacheMs,
    tagsOf,
    doubtfulMs: DOUBTFUL_MS,
    clock,
  });
  const imported: TaggedCache<KnownKey> = createTaggedCache({
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
  /** Digests of texts that the store was asked about a moment ago. */
  const wrongSecrets = createExpiringSet({ max: MAX_WRONG_SECRETS, ttlMs: DOUBTFUL_MS });
  const renewals = createUnknownLookups({ perSecond: RENEWALS_PER_SECOND, perCaller: RENEWALS_PER_CALLER, clock });
  const importedLookups = createImportedLookups(apiKeys.findManyImported);
  const lookups = createUnknownLookups({
    perSecond: UNKNOWN_LOOKUPS_PER_SECOND,
    perCaller: UNKNOWN_LOOKUPS_PER_CALLER,
    clock,
  });

  async function known(finding: Promise<KeyWithOwner | null>): Promise<KnownKey | null> {
    const found = await finding;
    return found && { ...found, principal: principalOf(found, heldScopes) };
  }

  async function resolveImported(text: string, { ip, addressGroup }: Caller): Promise<Resolution> {
    const any = anyImported.known('any') ?? (await anyImported.find('any', () => apiKeys.hasImported()));
    if (!any?.value) return refused('malformed', null);
    // Under which algorithm a key was imported cannot be seen by its text.
    const digests = importedDigests(text);
    const id = digests.join(' ');
    const look = () => importedLookups.find(digests);
    const entry = await imported.find(id, () => known(lookups.run(id, addressGroup, look)));
    if (!entry) return refused('unknown', null);
    const { importedEndsAt } = entry.value.key;
    if (importedEndsAt !== null && !overlaps(importedEndsAt, clock.nowMs()))
      return refused('wrong-secret', entry.value);
    return judge(entry, ip, importedEndsAt);
  }

  async function compare(text: string, entry: Cached<KnownKey>, ip: string): Promise<Resolution> {
    if (!knowsPeppersOf(digests, entry.value.key)) await digests.reload();
    const { current, previous } = entry.value.key;
    if (current && digests.matches(text, current)) {
      if (!digests.isCurrent(current)) onOutdatedDigest(entry.value.key, text);
      return judge(entry, ip, null);
    }
    if (previous && digests.matches(text, previous) && overlaps(previous.endsAt, clock.nowMs())) {
      return judge(entry, ip, previous.endsAt);
    }
    return refused('wrong-secret', entry.value);
  }

  function judge(entry: Cached<KnownKey>, ip: string, oldSecretEndsAt: number | null): Resolution {
    const { key, owner, principal } = entry.value;
    const state = stateOf(key, clock.nowMs());
    if (state !== 'active') return refused(state, entry.value);
    if (owner.disabledAt !== null) return refused('owner-disabled', entry.value);
    if (!isAllowedAddress(ip, key.allowedAddresses)) return refused('address-not-allowed', entry.value);
    return {
      kind: 'resolved',
      readAtMs: entry.readAtMs,
      principal: oldSecretEndsAt === null ? principal : { ...principal, oldSecretEndsAt },
    };
  }

  return {
    async resolve(text, caller) {
      const { ip } = caller;
      const parsed = format.read(text);
      if (!parsed) return resolveImported(text, caller);
      const { id, environment } = parsed;
      const warm = keys.known(id);
      const isInUse = warm !== null && warm.value.key.environment === environment;
      // The tag keeps made-up ids away from the database; one that is known was found there.
      if (!isInUse && !format.isTagged(parsed)) return resolveImported(text, caller);
      const load = () => known(apiKeys.find(id));
      const entry = isInUse ? warm : await keys.find(id, load);
      if (!entry) return refused('unknown', null);
      const first = await compare(text, entry, ip);
      if (!isWrongSecret(first)) return first;

      // What is remembered may be older than the secret: the key was rotated where no message comes from.
      const tried = sha256(text);
      if (isInUse && !wrongSecrets.has(tried)) {
        const second = await renewals.run(tried, caller.addressGroup, async () => {
          const renewed = await keys.renew(id, load);
          const again = renewed && (await compare(text, renewed, ip));
          return again && isWrongSecret(again) ? null : again;
        });
        if (second) return second;
      }
      wrongSecrets.add(tried);
      return first;
    },
    resolveImported,
    isMalformed: (text) => anyImported.known('any')?.value === false && format.read(text) === null,
    forget(tag) {
      for (const cache of [keys, imported, anyImported]) cache.forget(tag);
    },
  };
}

const isWrongSecret = (resolution: Resolution): boolean =>
  resolution.kind === 'refused' && resolution.reason === 'wrong-secret';

function principalOf({ key, owner }: KeyWithOwner, heldScopes: HeldScopes): Principal {
  return {
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
    oldSecretEndsAt: null,
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
