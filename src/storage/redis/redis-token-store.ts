import type { Stored as WithMac } from '../../domain/row-macs/row-macs.ts';
import type { TokenKind, TokenRecord } from '../../domain/tokens/token-record.ts';
import type { TokenStore } from '../../domain/tokens/token-store.ts';
import type { Clock } from '../../kit/clock.ts';
import { newestFirst } from '../newest-first.ts';
import type { Unreadable } from '../unreadable.ts';
import { orIfForeign, type RedisClient, type RedisConnection } from './connection.ts';
import { createIndexes, memberOf, parseMember, recordKey } from './record-indexes.ts';

/** What the routed store needs beside the contract. */
export interface RedisTokenStore extends TokenStore {
  consume(kind: TokenKind, id: string, atMs: number, receipt?: string): Promise<boolean>;
}

/** The part of a record that a save replaces; without nulls, since there are many of these. */
type Stored = Partial<Omit<WithMac<TokenRecord>, 'kind' | 'id' | 'consumedAt' | 'receipt'>> &
  Pick<TokenRecord, 'payload' | 'createdAt'>;

/**
 * How much longer than the record its key lives. Whoever reads decides on the expiry, with some tolerance for clocks; a
 * device that asks about an expired code must be told so (RFC 8628 3.5), not that the code is unknown.
 */
const SLACK_SECONDS = 20;
const POLLED_SLACK_SECONDS = 600;
const POLLED_KINDS: ReadonlySet<TokenKind> = new Set<TokenKind>(['DeviceCode', 'BackchannelAuthenticationRequest']);

/** Short-lived kinds, in Redis. Each method is one round trip unless it says otherwise. */
export function createRedisTokenStore({
  connection,
  clock,
  unreadable,
}: {
  connection: RedisConnection;
  clock: Clock;
  unreadable: Unreadable;
}): RedisTokenStore {
  const keyOf = (member: string): string => connection.names.keys + recordKey(member);
  const indexes = createIndexes({ connection, clock });

  /** Relative to our clock: the one of the Redis server decides nothing. */
  function ttlMs({ kind, expiresAt }: TokenRecord): number | null {
    if (expiresAt === null) return null;
    const slack = POLLED_KINDS.has(kind) ? POLLED_SLACK_SECONDS : SLACK_SECONDS;
    return Math.max(expiresAt - clock.nowSeconds() + slack, 1) * 1000;
  }

  async function put(mode: 'insert' | 'save' | 'update' | 'consume', record: TokenRecord): Promise<boolean> {
    const ttl = ttlMs(record);
    const stored = await connection.run(async (redis) => {
      // Indexed first: a record that no index knows could not be revoked, an index without a record does no harm.
      const indexed = indexes.add(redis, record, ttl);
      const written = redis.putRecord(
        keyOf(memberOf(record)),
        mode,
        encode(record),
        ttl ?? '',
        record.consumedAt ?? '',
        record.receipt ?? '',
      );
      return (await Promise.all([written, ...indexed]))[0];
    });
    return stored === 1;
  }

  /** What cannot be read counts as not there. */
  async function read(redis: RedisClient, member: string): Promise<WithMac<TokenRecord> | null> {
    const [text, consumedAt, receipt] = await orIfForeign(redis.hmget(keyOf(member), 'r', 'c', 'x'), () => ['']);
    if (text === null || text === undefined) return null;
    const stored = parseStored(text);
    if (!stored) {
      unreadable.note('record', 'redis');
      return null;
    }
    return {
      ...parseMember(member),
      payload: stored.payload,
      grantId: stored.grantId ?? null,
      accountId: stored.accountId ?? null,
      clientId: stored.clientId ?? null,
      uid: stored.uid ?? null,
      userCode: stored.userCode ?? null,
      createdAt: stored.createdAt,
      expiresAt: stored.expiresAt ?? null,
      // A mark that is no time is a mark all the same.
      consumedAt: consumedAt ? Number(consumedAt) || stored.createdAt * 1000 : null,
      receipt: receipt ?? null,
      ...(stored.rowMac === undefined ? {} : { rowMac: stored.rowMac }),
    };
  }

  const fetch = (members: readonly string[]): Promise<TokenRecord[]> =>
    connection.run(async (redis) => {
      const found = await Promise.all(members.map((member) => read(redis, member)));
      return found.filter((record) => record !== null);
    });

  return {
    insert: (record) => put('insert', record),
    async save(record) {
      await put('save', record);
    },
    update: (record, use) =>
      use === undefined ? put('update', record) : put('consume', { ...record, consumedAt: use.consumeAtMs }),

    find: (kind, id) => connection.run((redis) => read(redis, memberOf({ kind, id }))),
    findMany: (keys) => fetch(keys.map(memberOf)),

    /** Two round trips. */
    async findByUid(uid) {
      const records = await fetch(await indexes.membersOf('uid', uid));
      return records.filter((record) => record.uid === uid).sort(newestFirst);
    },

    /** Two round trips. */
    async findByUserCode(userCode) {
      const records = await fetch(await indexes.membersOf('userCode', userCode));
      return records.filter((record) => record.userCode === userCode).sort(newestFirst)[0] ?? null;
    },

    consume: (kind, id, atMs, receipt = '') =>
      connection.run(async (redis) => (await redis.consumeRecord(keyOf(memberOf({ kind, id })), atMs, receipt)) === 1),

    remove: (kind, id) => connection.run(async (redis) => (await redis.del(keyOf(memberOf({ kind, id })))) === 1),

    /** Two round trips and more for more than a thousand records, as the two that follow. */
    async removeByGrant(grantId) {
      await indexes.removeAll('grantId', grantId);
    },
    /** Codes and grants are not kept here. */
    removeBySession: async () => [],
    removeByAccount: (accountId) => removeByOwner('accountId', accountId),
    removeByClient: (clientId) => removeByOwner('clientId', clientId),

    /** Redis forgets by itself. */
    purge: async () => 0,
  };

  async function removeByOwner(owner: 'accountId' | 'clientId', value: string): Promise<string[]> {
    const grants = await indexes.removeAll(owner, value);
    await Promise.all(grants.map((grantId) => indexes.removeAll('grantId', grantId)));
    return grants;
  }
}

function encode({ kind: _kind, id: _id, consumedAt: _consumedAt, receipt: _receipt, ...stored }: TokenRecord): string {
  return JSON.stringify(stored, (_key, value: unknown) => value ?? undefined);
}

const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';
const isTime = (value: unknown): boolean => value === undefined || Number.isFinite(value);

/** Null for what is no record: another version or another program may have written it. */
function parseStored(text: string): Stored | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const stored = value as Record<keyof Stored, unknown>;
  const { payload, createdAt, expiresAt, grantId, accountId, clientId, uid, userCode, rowMac } = stored;
  const isOurs =
    typeof payload === 'string' &&
    Number.isFinite(createdAt) &&
    isTime(expiresAt) &&
    [grantId, accountId, clientId, uid, userCode, rowMac].every(isText);
  return isOurs ? (stored as Stored) : null;
}
