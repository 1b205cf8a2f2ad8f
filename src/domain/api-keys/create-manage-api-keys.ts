import type { Digester } from '../../kit/digest.ts';
import { AppError } from '../../kit/errors.ts';
import { createRepeatable } from '../idempotency/create-repeatable.ts';
import type { IdempotentRequestStore } from '../idempotency/idempotent-request.ts';
import type { ScopeDefinition } from '../scopes/scope.ts';
import { type ApiKey, stateOf } from './api-key.ts';
import { createAuthorityOf, requireNoScopesBeyond, widens } from './authority.ts';
import { conflict, createChangeKey, findFor, recordKey } from './change-key.ts';
import { createEndDescendants } from './descendants.ts';
import { createImportKeys } from './import-keys.ts';
import { createIssueKey } from './issue-key.ts';
import { keyProblems, oneLine, requireValid } from './key-rules.ts';
import { createKeyScopes } from './key-scopes.ts';
import type { KeyActor, ManageApiKeys } from './manage-api-keys.ts';
import type { ManageParts } from './manage-parts.ts';
import { createReportLeak } from './report-leak.ts';
import { createRotateKey } from './rotate-key.ts';

/** However many a caller asks for. */
const MAX_PAGE = 500;

export function createManageApiKeys({
  requests,
  digester,
  scopes,
  defaultScopes,
  ...given
}: Omit<ManageParts, 'begin' | 'keyScopes' | 'authorityOf'> & {
  requests: Pick<IdempotentRequestStore, 'find'>;
  digester: Digester;
  scopes: readonly ScopeDefinition[];
  /** What a key gets that names none, as far as its owner and its maker have it. */
  defaultScopes: readonly string[];
}): ManageApiKeys {
  const { apiKeys, clock } = given;
  const begin = createRepeatable({ requests, digester, clock });
  const keyScopes = createKeyScopes({ scopes, defaultScopes });
  const authorityOf = createAuthorityOf({ apiKeys, keyScopes, clock });
  const parts: ManageParts = { ...given, begin, keyScopes, authorityOf };
  const change = createChangeKey(parts);
  const endDescendants = createEndDescendants({ apiKeys, change });

  return {
    issue: createIssueKey(parts),
    rotate: createRotateKey(parts, change),
    reportLeak: createReportLeak(parts, change, endDescendants),
    importMany: createImportKeys(parts),

    async get(id, actor) {
      return (await findFor(parts, id, actor)).key;
    },

    async list({ environment, after, limit }, actor) {
      if (environment !== undefined && actor.environment !== null && environment !== actor.environment) return [];
      const only = actor.environment ?? environment;
      return apiKeys.list({
        ownerId: actor.ownerId,
        limit: Math.min(limit, MAX_PAGE),
        ...(only === undefined ? {} : { environment: only }),
        ...(after === undefined ? {} : { after }),
      });
    },

    async update(id, { name, allowedAddresses, limit }, actor) {
      requireValid(keyProblems({ name, allowedAddresses, limit }, clock.nowMs()));
      const given: Partial<ApiKey> = {
        ...(name === undefined ? {} : { name }),
        ...(allowedAddresses === undefined ? {} : { allowedAddresses }),
        ...(limit === undefined ? {} : { limit }),
      };
      const fields = Object.keys(given);
      const { requireWithin } = await authorityOf(actor);
      const { key, changed } = await change(id, actor, ({ key: before, owner }) => {
        if (fields.length === 0) return null;
        if (before.revokedAt !== null) throw conflict('The API key is revoked.');
        // A stolen key must take away its own bounds as little as those of a better one.
        if (fields.some((field) => field !== 'name')) {
          if (actor.id === id) {
            throw new AppError('insufficient_scope', {
              public: 'A key does not change where and how often it may be used.',
            });
          }
          requireNoScopesBeyond(keyScopes.beyond(before.scopes, owner, actor));
        }
        const after = { ...before, ...given };
        // Bounds that get tighter take nothing from nobody; wider ones are as good as a key of their own.
        if (widens(after, before)) requireWithin(after, owner);
        return after;
      });
      if (changed) await recordKey(parts, 'api_key.updated', key, actor, { fields: fields.join(' ') });
      return key;
    },

    revoke,

    async revokeFamily(id, reason, actor) {
      const key = await revoke(id, reason, actor);
      const revokeReason = oneLine(reason, 200) || null;
      const descendants = await endDescendants(key, (before) => revoked(before, revokeReason));
      for (const made of descendants) {
        const details = { reason: revokeReason ?? '', descendsFrom: id };
        await recordKey(parts, 'api_key.revoked', made, actor, details);
      }
      return { key, descendants };
    },

    async resume(id, actor) {
      const { requireWithin } = await authorityOf(actor);
      const { key, changed } = await change(id, actor, ({ key: before, owner }) => {
        if (stateOf(before, clock.nowMs()) === 'revoked') throw conflict('The API key is revoked.');
        if (before.suspendedAt === null) return null;
        requireWithin(before, owner);
        return { ...before, suspendedAt: null };
      });
      if (changed) await recordKey(parts, 'api_key.resumed', key, actor);
      return key;
    },
  };

  async function revoke(id: string, reason: string, actor: KeyActor): Promise<ApiKey> {
    const revokeReason = oneLine(reason, 200) || null;
    const { key, changed } = await change(id, actor, ({ key: before }) => revoked(before, revokeReason));
    if (changed) await recordKey(parts, 'api_key.revoked', key, actor, { reason: revokeReason ?? '' });
    return key;
  }

  function revoked(before: ApiKey, revokeReason: string | null): ApiKey | null {
    return before.revokedAt === null ? { ...before, revokedAt: clock.nowMs(), revokeReason, previous: null } : null;
  }
}
