import type { TokenKind, TokenRecord } from '../../domain/tokens/token-record.ts';
import type { Clock } from '../../kit/clock.ts';
import { orIfForeign, type RedisClient, type RedisConnection } from './connection.ts';

/** A record's name in an index: `<kind>:<id>`. */
export const memberOf = ({ kind, id }: Pick<TokenRecord, 'kind' | 'id'>): string => `${kind}:${id}`;
/** What follows the prefix in a record's key. */
export const recordKey = (member: string): string => `t:${member}`;

export function parseMember(member: string): { kind: TokenKind; id: string } {
  const colon = member.indexOf(':');
  return { kind: member.slice(0, colon) as TokenKind, id: member.slice(colon + 1) };
}

/** References under which records are found or removed, with the names of their index keys. */
const INDEXES = { grantId: 'g:', accountId: 'a:', clientId: 'l:', uid: 's:', userCode: 'u:' } as const;
export type IndexName = keyof typeof INDEXES;
const INDEX_NAMES = Object.keys(INDEXES) as IndexName[];

/** Processes whose clocks differ must not drop each other's members. */
const CLOCK_SLACK_MS = 300_000;

const BATCH = 1000;

interface Indexes {
  /** Sends one command for each reference that the record has. */
  add(redis: RedisClient, record: TokenRecord, ttlMs: number | null): Promise<unknown>[];
  membersOf(index: IndexName, value: string): Promise<string[]>;
  /** Removes all records that refer to `value`; returns the grants they belonged to. */
  removeAll(index: IndexName, value: string): Promise<string[]>;
}

/** Sorted sets of records by reference, scored by when a record ends. A member may be gone already or refer elsewhere by now. */
export function createIndexes({ connection, clock }: { connection: RedisConnection; clock: Clock }): Indexes {
  const indexKey = (index: IndexName, value: string): string => connection.names.keys + INDEXES[index] + value;
  const members = (key: string, first: number, last: number): Promise<string[]> =>
    connection.run((redis) => orIfForeign(redis.zrange(key, String(first), String(last)), () => []));
  return {
    add(redis, record, ttlMs) {
      const nowMs = clock.nowMs();
      return INDEX_NAMES.flatMap((index) => {
        const value = record[index];
        // A uid is a session's own name; other kinds only quote it.
        if (value === null || (index === 'uid' && record.kind !== 'Session')) return [];
        // A client's own tokens end with the client without being found, and there may be millions of them.
        if (index === 'clientId' && record.kind === 'AccessToken' && record.grantId === null) return [];
        const endsAtMs = ttlMs === null ? '+inf' : nowMs + ttlMs;
        return [redis.addToIndex(indexKey(index, value), memberOf(record), endsAtMs, nowMs - CLOCK_SLACK_MS)];
      });
    },

    membersOf: (index, value) => members(indexKey(index, value), 0, -1),

    async removeAll(index, value) {
      const key = indexKey(index, value);
      const grants = new Set<string>();
      for (let from = 0; ; ) {
        const found = await members(key, from, from + BATCH - 1);
        if (found.length === 0) return [...grants];
        const answers = await connection.run((redis) =>
          Promise.all(
            found.map((member) => redis.removeRecordOf(connection.names.keys + recordKey(member), index, value)),
          ),
        );
        for (const answer of answers) if (answer) grants.add(answer);
        // A member without a record stays: its record may be on the way, and must then be found by the next removal.
        const done = found.filter((_member, position) => answers[position] !== null);
        if (done.length > 0) await connection.run((redis) => redis.zrem(key, ...done));
        from += found.length - done.length;
        if (found.length < BATCH) return [...grants];
      }
    },
  };
}
