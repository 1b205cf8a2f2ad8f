import type { Peppers } from '../data-keys/peppers.ts';
import type { ApiKey, ApiKeyDigest } from './api-key.ts';

/**
 * What is stored of a key's text: HMAC-SHA-256 under a pepper. No slow hash: 190 random bits cannot be guessed, and a key is
 * checked with every request.
 */
export interface KeyDigests {
  /** Under the current pepper. */
  make(text: string): ApiKeyDigest;
  /** In constant time. False for a pepper that this process does not know; see `knows`. */
  matches(text: string, digest: ApiKeyDigest): boolean;
  /** When false, `reload` may change that: another process has added a pepper. */
  knows(digest: ApiKeyDigest): boolean;
  isCurrent(digest: ApiKeyDigest): boolean;
  /** Learns of new peppers; see `Peppers.reload`. */
  reload(): Promise<void>;
}

const PURPOSE = 'api-key';

export function createKeyDigests({ peppers }: { peppers: Peppers }): KeyDigests {
  return {
    make(text) {
      const { id, digester } = peppers.current();
      return { mac: digester.digest(PURPOSE, text), pepperId: id };
    },
    matches: (text, { mac, pepperId }) => peppers.find(pepperId)?.digester.matches(PURPOSE, text, mac) ?? false,
    knows: ({ pepperId }) => peppers.find(pepperId) !== null,
    isCurrent: ({ pepperId }) => pepperId === peppers.current().id,
    reload: () => peppers.reload(),
  };
}

/** Whether this process has the peppers for a key: when not, they are to be reloaded before a text is said not to match. */
export function knowsPeppersOf(digests: KeyDigests, { current, previous }: ApiKey): boolean {
  return (current === null || digests.knows(current)) && (previous === null || digests.knows(previous));
}

/** Learns of a pepper that this process needs for a key and does not know. To be called before a text is said not to match. */
export async function knowPeppersOf(digests: KeyDigests, key: ApiKey): Promise<void> {
  if (!knowsPeppersOf(digests, key)) await digests.reload();
}

/**
 * The key with the digest that `text` has just matched made anew under the current pepper, for `ApiKeyStore.update`; null when
 * there is nothing to do. Best effort: whoever changed the key meanwhile wins, and its next use tries again.
 */
export function refreshDigest(digests: KeyDigests, key: ApiKey, text: string): ApiKey | null {
  const { current, previous } = key;
  if (current && !digests.isCurrent(current) && digests.matches(text, current)) {
    return { ...key, current: digests.make(text) };
  }
  if (previous && !digests.isCurrent(previous) && digests.matches(text, previous)) {
    return { ...key, previous: { ...digests.make(text), endsAt: previous.endsAt } };
  }
  return null;
}
