import type { ApiKey } from './api-key.ts';
import { stateOf } from './api-key.ts';
import type { KeyWithOwner } from './api-key-store.ts';
import type { Authority } from './authority.ts';
import { type ChangeKey, conflict, findFor, recordKey } from './change-key.ts';
import { overlapProblems, overlaps, requireValid } from './key-rules.ts';
import type { IssuedApiKey, ManageApiKeys } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';

/** How often a key is looked at again that is changed while it rotates another. */
const MAKER_ATTEMPTS = 20;

export function createRotateKey(parts: ManageParts, change: ChangeKey): ManageApiKeys['rotate'] {
  const { format, digests, authorityOf, begin, clock } = parts;

  return async (id, overlapSeconds, actor, repeatable) => {
    requireValid(overlapProblems(overlapSeconds));
    const request =
      repeatable &&
      begin({
        ...repeatable,
        operation: `api_key.rotate ${id}`,
        caller: [actor.ownerId, actor.id, actor.environment ?? ''],
      });
    const before = await request?.firstAnswer();
    if (before) return repeated(before);
    const first = (await findFor(parts, id, actor)).key;
    requireKnownEnvironment(first);
    const minted = format.secretFor(id, first.environment);
    let rotation: Awaited<ReturnType<ChangeKey>> | undefined;
    try {
      for (let attempt = 0; attempt < MAKER_ATTEMPTS && !rotation; attempt += 1) {
        const { ownKey, requireWithin } = await authorityOf(actor);
        const outcome = await change(id, actor, (found) => decide(found, requireWithin), {
          request: request?.record(minted.text),
          // One that is revoked meanwhile leaves no secret behind.
          maker: ownKey ?? undefined,
        });
        if (!outcome.makerChanged) rotation = outcome;
      }
    } catch (error) {
      // The faster one may have been this very request, sent twice: what that was answered is the answer here too.
      const meanwhile = await request?.firstAnswer();
      if (meanwhile) return repeated(meanwhile);
      throw error;
    }
    if (!rotation) throw conflict('The API key that asks is being changed by others just now.');
    if (rotation.first && request) return repeated(request.answerOf(rotation.first));
    const { key } = rotation;
    await recordKey(parts, 'api_key.rotated', key, actor, { overlapSeconds });
    return { key, secret: minted.text, repeated: false };

    function decide({ key: before, owner }: KeyWithOwner, requireWithin: Authority['requireWithin']): ApiKey {
      // The new secret opens all that the key does: a caller must not get more by it than the caller has.
      requireWithin(before, owner);
      if (owner.disabledAt !== null) throw conflict('The account is disabled.');
      // Another rotation was faster. Its caller relies on the overlap it was told, so this one ends none of its secrets.
      if (before.rotatedAt !== first.rotatedAt) throw conflict('The API key was rotated by someone else just now.');
      return rotated(before, overlapSeconds);
    }

    /** The caller may have fewer rights by now than when it asked first. */
    async function repeated(secret: string): Promise<IssuedApiKey> {
      const { key, owner } = await findFor(parts, id, actor);
      (await authorityOf(actor)).requireWithin(key, owner);
      return { key, secret, repeated: true };
    }

    function rotated(before: ApiKey, seconds: number): ApiKey {
      const nowMs = clock.nowMs();
      const runsUntil = Math.max(before.previous?.endsAt ?? 0, before.importedEndsAt ?? 0);
      if (seconds > 0 && overlaps(runsUntil, nowMs)) {
        throw conflict('The secret before the last rotation still works. Wait for its end, or rotate without overlap.');
      }
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
        rotatedBy: actor.id,
        previousBy: previous && before.rotatedBy,
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
