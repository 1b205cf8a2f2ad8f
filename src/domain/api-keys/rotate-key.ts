import type { ApiKey } from './api-key.ts';
import { stateOf } from './api-key.ts';
import { type ChangeKey, conflict, findFor, recordKey } from './change-key.ts';
import { overlapProblems, requireValid } from './key-rules.ts';
import { requireNothingBeyond } from './key-scopes.ts';
import type { ManageApiKeys } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';

export function createRotateKey(parts: ManageParts, change: ChangeKey): ManageApiKeys['rotate'] {
  const { format, digests, keyScopes, clock } = parts;

  return async (id, overlapSeconds, actor) => {
    requireValid(overlapProblems(overlapSeconds));
    const first = (await findFor(parts, id, actor)).key;
    requireKnownEnvironment(first);
    const minted = format.secretFor(id, first.environment);
    const { key } = await change(id, actor, ({ key: before, owner }) => {
      // Whoever holds the new secret holds the key's scopes: nobody gets at more than they have this way.
      requireNothingBeyond(keyScopes.beyond(before.scopes, owner, actor));
      if (owner.disabledAt !== null) throw conflict('The account is disabled.');
      // Another rotation was faster. Its caller relies on the overlap it was told, so this one ends none of its secrets.
      if (before.rotatedAt !== first.rotatedAt) throw conflict('The API key was rotated by someone else just now.');
      return rotated(before, overlapSeconds);
    });
    await recordKey(parts, 'api_key.rotated', key, actor, { overlapSeconds });
    return { key, secret: minted.text, repeated: false };

    function rotated(before: ApiKey, seconds: number): ApiKey {
      const nowMs = clock.nowMs();
      const state = stateOf(before, nowMs);
      if (state === 'revoked' || state === 'expired') throw conflict(`The API key is ${state}.`);
      if (state === 'suspended' && seconds > 0) {
        throw conflict('The API key is suspended: rotate it without overlap, so that the secret that leaked ends.');
      }
      const endsAt = nowMs + seconds * 1000;
      const previous = before.current && seconds > 0 ? { ...before.current, endsAt } : null;
      // The imported form is the secret before the first rotation; with the second one it has had its overlap.
      const importedEndsAt = Math.min(before.importedEndsAt ?? endsAt, before.current ? nowMs : endsAt);
      return {
        ...before,
        prefix: minted.prefix,
        lastFour: minted.lastFour,
        current: digests.make(minted.text),
        previous,
        importedEndsAt: before.importedDigest === null ? null : importedEndsAt,
        rotatedAt: Math.max(nowMs, (before.rotatedAt ?? 0) + 1),
        // As the store does: they were of the secret that is the last but one now.
        previousUses: 0,
        previousUsedAt: null,
      };
    }
  };

  function requireKnownEnvironment({ environment }: ApiKey): void {
    if (Object.hasOwn(format.environments, environment)) return;
    throw conflict(`The environment ${environment} is no longer configured.`);
  }
}
