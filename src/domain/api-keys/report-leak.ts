import { createWithoutCredentials, MASK } from '../audit/without-credentials.ts';
import { type ApiKey, stateOf } from './api-key.ts';
import type { KeyWithOwner } from './api-key-store.ts';
import { type ChangeKey, recordKey } from './change-key.ts';
import type { EndDescendants } from './descendants.ts';
import { knowPeppersOf } from './key-digests.ts';
import { oneLine, overlaps } from './key-rules.ts';
import type { ManageApiKeys } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';

/** No key of any system is longer; more is not worth a digest. */
const MAX_LENGTH = 512;

const LEAKED = 'leaked';

/**
 * Ends or suspends the key whose full text someone shows, and what that key made: a thief may have made them. The text is the
 * proof: with it the key can be used. A text that opens nothing any more (a rotation has ended it) does nothing to the key.
 */
export function createReportLeak(
  parts: ManageParts,
  change: ChangeKey,
  endDescendants: EndDescendants,
): ManageApiKeys['reportLeak'] {
  const { apiKeys, format, digests, imported, leakPolicy, leakTakesDescendants, clock } = parts;
  const without = createWithoutCredentials(Object.values(format.environments).map(({ prefix }) => prefix));

  return async (secret, { source, url, ip, requestId }) => {
    const by = { id: 'leak-report', ip, requestId };
    const found = await findByText(secret);
    if (!found) return 'unknown';
    await knowPeppersOf(digests, found.key);
    if (!isLive(found.key, secret)) {
      // An earlier report may have broken off before it was through.
      if (found.key.revokeReason === LEAKED && opened(found.key, secret)) await end(found.key);
      return 'unknown';
    }

    const { key, changed } = await change(found.key.id, null, ({ key: before }) =>
      isLive(before, secret) ? over(before) : null,
    );
    const state = stateOf(key, clock.nowMs());
    const outcome = state === 'revoked' || state === 'suspended' ? state : 'unknown';
    if (outcome === 'unknown') return outcome;
    if (!changed) {
      await end(key);
      return outcome;
    }
    await recordKey(parts, 'api_key.leak_reported', key, by, {
      outcome,
      ...(source === null ? {} : { source: oneLine(without.text(source.replaceAll(secret, MASK)), 64) }),
      ...(url === null ? {} : { url: oneLine(without.url(url).replaceAll(secret, MASK), 500) }),
    });
    if (outcome === 'revoked') await recordKey(parts, 'api_key.revoked', key, by, { reason: LEAKED });
    await end(key);
    return outcome;

    async function end(root: ApiKey): Promise<void> {
      if (!leakTakesDescendants) return;
      for (const made of await endDescendants(root, over)) {
        if (leakPolicy === 'revoke') {
          await recordKey(parts, 'api_key.revoked', made, by, { reason: LEAKED, descendsFrom: root.id });
        } else await recordKey(parts, 'api_key.suspended', made, by, { reason: LEAKED, descendsFrom: root.id });
      }
    }
  };

  /** Null when it is over already. */
  function over(before: ApiKey): ApiKey | null {
    if (before.revokedAt !== null) return null;
    if (leakPolicy === 'revoke') {
      return { ...before, revokedAt: clock.nowMs(), revokeReason: LEAKED, previous: null };
    }
    return before.suspendedAt === null ? { ...before, suspendedAt: clock.nowMs() } : null;
  }

  async function findByText(text: string): Promise<KeyWithOwner | null> {
    if (text === '' || text.length > MAX_LENGTH) return null;
    const parsed = format.parse(text);
    if (parsed) return apiKeys.find(parsed.id);
    // Whatever it looks like: a product that moved here may have used the same prefix before.
    if (!(await apiKeys.hasImported())) return null;
    for (const digest of imported.importedDigestsOf(text)) {
      const found = await apiKeys.findImported(digest);
      if (found) return found;
    }
    return null;
  }

  /** Whether this very text works now, or would if the key were not suspended. */
  function isLive(key: ApiKey, text: string): boolean {
    const state = stateOf(key, clock.nowMs());
    return state !== 'revoked' && state !== 'expired' && opened(key, text);
  }

  /** Whether it would, were the key neither over nor suspended. */
  function opened(key: ApiKey, text: string): boolean {
    const nowMs = clock.nowMs();
    if (key.current && digests.matches(text, key.current)) return true;
    if (key.previous && overlaps(key.previous.endsAt, nowMs) && digests.matches(text, key.previous)) return true;
    const { importedDigest } = key;
    if (importedDigest === null || (key.importedEndsAt !== null && !overlaps(key.importedEndsAt, nowMs))) return false;
    return imported.importedDigestsOf(text).includes(importedDigest);
  }
}
