import { type ApiKey, stateOf } from './api-key.ts';
import type { KeyWithOwner } from './api-key-store.ts';
import { type ChangeKey, recordKey } from './change-key.ts';
import { knowPeppersOf } from './key-digests.ts';
import { oneLine, overlaps } from './key-rules.ts';
import type { ManageApiKeys } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';

/** No key of any system is longer; more is not worth a digest. */
const MAX_LENGTH = 512;

/**
 * Ends or suspends the key whose full text someone shows. The text is the proof: whoever has it could have used the key. A text
 * that opens nothing any more (a rotation has ended it) does nothing to the key.
 */
export function createReportLeak(parts: ManageParts, change: ChangeKey): ManageApiKeys['reportLeak'] {
  const { apiKeys, format, digests, imported, leakPolicy, clock } = parts;

  return async (secret, { source, url, ip, requestId }) => {
    const found = await findByText(secret);
    if (!found) return 'unknown';
    await knowPeppersOf(digests, found.key);
    if (!isLive(found.key, secret)) return 'unknown';

    const { key, changed } = await change(found.key.id, null, ({ key: before }) => {
      if (!isLive(before, secret)) return null;
      if (leakPolicy === 'revoke')
        return { ...before, revokedAt: clock.nowMs(), revokeReason: 'leaked', previous: null };
      return before.suspendedAt === null ? { ...before, suspendedAt: clock.nowMs() } : null;
    });
    const state = stateOf(key, clock.nowMs());
    const outcome = state === 'revoked' || state === 'suspended' ? state : 'unknown';
    if (!changed) return outcome;
    const by = { id: 'leak-report', ip, requestId };
    await recordKey(parts, 'api_key.leak_reported', key, by, {
      outcome,
      ...(source === null ? {} : { source: withoutKeys(source, secret, 64) }),
      ...(url === null ? {} : { url: withoutKeys(url, secret, 500) }),
    });
    if (outcome === 'revoked') await recordKey(parts, 'api_key.revoked', key, by, { reason: 'leaked' });
    return outcome;
  };

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
    const nowMs = clock.nowMs();
    const state = stateOf(key, nowMs);
    if (state === 'revoked' || state === 'expired') return false;
    if (key.current && digests.matches(text, key.current)) return true;
    if (key.previous && overlaps(key.previous.endsAt, nowMs) && digests.matches(text, key.previous)) return true;
    const { importedDigest } = key;
    if (importedDigest === null || (key.importedEndsAt !== null && !overlaps(key.importedEndsAt, nowMs))) return false;
    return imported.importedDigestsOf(text).includes(importedDigest);
  }

  /** The address of a leak may hold what leaked, and other keys beside it. */
  function withoutKeys(text: string, secret: string, length: number): string {
    const anyKey = new RegExp(format.scannerPattern(), 'g');
    return oneLine(text.slice(0, 4096).replaceAll(secret, '***').replaceAll(anyKey, '***'), length);
  }
}
