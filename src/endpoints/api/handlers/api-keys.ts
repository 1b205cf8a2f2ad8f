import type { KeyActor, ManageApiKeys } from '../../../domain/api-keys/manage-api-keys.ts';
import { expandScopes, type ScopeDefinition } from '../../../domain/scopes/scope.ts';
import type { Clock } from '../../../kit/clock.ts';
import { apiKeyAnswer } from '../answers.ts';
import { type Call, type Handlers, who } from '../call.ts';
import { cursorOf, readCursor } from '../cursor.ts';

type ApiKeyHandlers = Pick<
  Handlers,
  | 'listApiKeys'
  | 'createApiKey'
  | 'getApiKey'
  | 'updateApiKey'
  | 'rotateApiKey'
  | 'resumeApiKey'
  | 'revokeApiKey'
  | 'reportLeak'
>;

export function createApiKeyHandlers({
  manageApiKeys,
  catalogue,
  usualEnvironment,
  clock,
}: {
  manageApiKeys: ManageApiKeys;
  catalogue: readonly ScopeDefinition[];
  usualEnvironment: string;
  clock: Clock;
}): ApiKeyHandlers {
  const answer = (key: Parameters<typeof apiKeyAnswer>[0]) => apiKeyAnswer(key, clock.nowMs());

  function actorOf(call: Call): KeyActor {
    const { subject, method, keyId, clientId, environment, scopes } = who(call);
    const { ip, requestId } = call.facts;
    return {
      ownerId: subject,
      id: keyId ?? clientId ?? subject,
      scopes: [...expandScopes(scopes, catalogue)],
      // What the usual environment may do, it may do to the others: they are for trying out. Never the reverse.
      environment: environment === usualEnvironment ? null : environment,
      keyId,
      isApp: method === 'access_token',
      ip,
      requestId,
    };
  }

  return {
    async listApiKeys({ limit, cursor, environment }, call) {
      const after = readCursor(cursor);
      const keys = await manageApiKeys.list(
        { limit: limit + 1, ...(environment === undefined ? {} : { environment }), ...(after ? { after } : {}) },
        actorOf(call),
      );
      const shown = keys.slice(0, limit);
      return { data: shown.map(answer), next_cursor: keys.length > limit ? cursorOf(shown.at(-1)) : null };
    },
    async createApiKey(input, call) {
      const { key, secret } = await manageApiKeys.issue(
        {
          name: input.name,
          environment: input.environment,
          scopes: input.scopes,
          expiresInDays: input.expires_in_days,
          expiresAt: input.expires_at === undefined ? undefined : Math.floor(Date.parse(input.expires_at) / 1000),
          allowedAddresses: input.allowed_addresses,
          namespace: input.namespace,
          limit: input.limit && { quota: input.limit.quota, windowSeconds: input.limit.window_seconds },
        },
        actorOf(call),
        call.repeatable,
      );
      return { ...answer(key), key: secret };
    },
    getApiKey: async ({ id }, call) => answer(await manageApiKeys.get(id, actorOf(call))),
    async updateApiKey({ id, name, allowed_addresses: allowedAddresses, limit }, call) {
      const change = {
        ...(name === undefined ? {} : { name }),
        ...(allowedAddresses === undefined ? {} : { allowedAddresses }),
        ...(limit === undefined ? {} : { limit: limit && { quota: limit.quota, windowSeconds: limit.window_seconds } }),
      };
      return answer(await manageApiKeys.update(id, change, actorOf(call)));
    },
    async rotateApiKey({ id, overlap_seconds: overlapSeconds }, call) {
      const { key, secret } = await manageApiKeys.rotate(id, overlapSeconds, actorOf(call), call.repeatable);
      return { ...answer(key), key: secret };
    },
    resumeApiKey: async ({ id }, call) => answer(await manageApiKeys.resume(id, actorOf(call))),
    async revokeApiKey({ id, descendants }, call) {
      const reason = 'revoked by its owner';
      if (descendants !== 'true') return answer(await manageApiKeys.revoke(id, reason, actorOf(call)));
      const { key, descendants: ended } = await manageApiKeys.revokeFamily(id, reason, actorOf(call));
      return { ...answer(key), revoked_descendants: ended.map((made) => made.id) };
    },
    async reportLeak({ key, source = null, url = null }, { facts: { ip, requestId } }) {
      return { outcome: await manageApiKeys.reportLeak(key, { source, url, ip, requestId }) };
    },
  };
}
