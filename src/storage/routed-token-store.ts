import { SHORT_LIVED_KINDS, type TokenKind, type TokenRecord } from '../domain/tokens/token-record.ts';
import type { DurableTokenStore, TokenCommit } from '../domain/tokens/token-store.ts';
import type { RedisTokenStore } from './redis/redis-token-store.ts';

/** Short-lived kinds to Redis, the others to SQL. */
export function createRoutedTokenStore({
  sql,
  redis,
}: {
  sql: DurableTokenStore;
  redis: RedisTokenStore;
}): DurableTokenStore {
  const storeOf = (kind: TokenKind) => (SHORT_LIVED_KINDS.has(kind) ? redis : sql);
  const isShortLived = ({ kind }: { kind: TokenKind }): boolean => SHORT_LIVED_KINDS.has(kind);

  async function insertShortLived(records: readonly TokenRecord[]): Promise<void> {
    const inserted = await Promise.all(records.map((record) => redis.insert(record)));
    if (inserted.includes(false)) throw new Error('a record to be committed exists already');
  }

  /** They were never disclosed, so it is enough that they expire; this is sooner. */
  async function removeUndisclosed(records: readonly TokenRecord[]): Promise<void> {
    await Promise.allSettled(records.map(({ kind, id }) => storeOf(kind).remove(kind, id)));
  }

  async function commit({ consume, inserts }: TokenCommit): Promise<boolean> {
    const shortLived = inserts.filter(isShortLived);
    const durable = inserts.filter((record) => !isShortLived(record));
    // What is inserted before the one step that decides is known to nobody until this returns true. When a step fails
    // it stays: the outcome is not always known, and a receipt that was stored must find its records.
    await insertShortLived(shortLived);

    if (consume && isShortLived(consume)) {
      if (durable.length > 0) await sql.commit({ inserts: durable });
      const won = await redis.consume(consume.kind, consume.id, consume.atMs, consume.receipt);
      if (!won) await removeUndisclosed(inserts);
      return won;
    }
    if (!consume && durable.length === 0) return true;
    const won = await sql.commit({ ...(consume ? { consume } : {}), inserts: durable });
    if (!won) await removeUndisclosed(shortLived);
    return won;
  }

  return {
    insert: (record) => storeOf(record.kind).insert(record),
    save: (record) => storeOf(record.kind).save(record),
    update: (record, use) => storeOf(record.kind).update(record, use),
    find: (kind, id) => storeOf(kind).find(kind, id),

    async findMany(keys) {
      const found = await Promise.all([
        redis.findMany(keys.filter(isShortLived)),
        sql.findMany(keys.filter((key) => !isShortLived(key))),
      ]);
      return found.flat();
    },

    findByUid: (uid) => redis.findByUid(uid),
    findByUserCode: (userCode) => redis.findByUserCode(userCode),
    listByAccount: (kind, accountId, limit) => sql.listByAccount(kind, accountId, limit),
    consume: (kind, id, atMs) => storeOf(kind).consume(kind, id, atMs),
    remove: (kind, id) => storeOf(kind).remove(kind, id),

    // SQL first: without its Grant a token is dead, wherever it is.
    async removeByGrant(grantId, grantKey) {
      await sql.removeByGrant(grantId, grantKey);
      await redis.removeByGrant(grantId);
    },
    async removeBySession(uid, clientId) {
      return removeGrants(await sql.removeBySession(uid, clientId), []);
    },
    async removeByAccount(accountId) {
      return removeGrants(await sql.removeByAccount(accountId), await redis.removeByAccount(accountId));
    },
    async removeByClient(clientId) {
      return removeGrants(await sql.removeByClient(clientId), await redis.removeByClient(clientId));
    },

    purge: (nowSeconds, limit) => sql.purge(nowSeconds, limit),
    commit,
    clearReceipts: (outside, limit) => sql.clearReceipts(outside, limit),
  };

  /** Each store has removed what hangs on the grants it knew; now what hangs on those of the other. */
  async function removeGrants(ofSql: readonly string[], ofRedis: readonly string[]): Promise<string[]> {
    await Promise.all(ofSql.map((grantId) => redis.removeByGrant(grantId)));
    await Promise.all(
      ofRedis.filter((grantId) => !ofSql.includes(grantId)).map((grantId) => sql.removeByGrant(grantId)),
    );
    return [...new Set([...ofSql, ...ofRedis])];
  }
}
