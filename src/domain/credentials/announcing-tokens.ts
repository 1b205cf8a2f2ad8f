import type { DurableTokenStore } from '../tokens/token-store.ts';
import type { Announce } from './announce.ts';

/** Kinds that stand behind a credential which the verifier may remember. */
const REMEMBERED = new Set<string>(['AccessToken', 'Session']);

/**
 * The token store, telling every process what it ends, whoever ends it: nobody who revokes can forget to say so. What is
 * removed from several stores is told of also when one of them fails, since the others may have done their part.
 */
export function announcingTokens(tokens: DurableTokenStore, announce: Announce): DurableTokenStore {
  return {
    ...tokens,
    async insert(record) {
      const inserted = await tokens.insert(record);
      if (inserted && record.kind === 'RevokedToken') await announce(`token:${record.id}`);
      return inserted;
    },
    async remove(kind, id) {
      const removed = await tokens.remove(kind, id);
      if (removed && REMEMBERED.has(kind)) await announce(`token:${id}`);
      return removed;
    },
    async removeByGrant(grantId, grantKey) {
      try {
        await tokens.removeByGrant(grantId, grantKey);
      } finally {
        await announce(`grant:${grantId}`);
      }
    },
    async removeBySession(uid, clientId) {
      const grants = await tokens.removeBySession(uid, clientId);
      await Promise.all(grants.map((grantId) => announce(`grant:${grantId}`)));
      return grants;
    },
    async removeByAccount(accountId) {
      try {
        return await tokens.removeByAccount(accountId);
      } finally {
        await announce(`account:${accountId}`);
      }
    },
    async removeByClient(clientId) {
      try {
        return await tokens.removeByClient(clientId);
      } finally {
        await announce(`client:${clientId}`);
      }
    },
  };
}
