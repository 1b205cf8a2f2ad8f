import type { KeyUse, UsageBucket, UsageStore } from '../../domain/usage/usage-store.ts';
import { type Database, insertSql, type Row, type Value } from './database.ts';
import { deleteBatch } from './delete-batch.ts';
import { rowBatches } from './row-batches.ts';

interface BucketRow {
  key_id: string;
  environment: string;
  hour: number;
  owner_id: string;
  allowed: number;
  refused: number;
}

const TABLE = 'api_key_usage';
const KEY = ['key_id', 'environment', 'hour'];

const STANDARD_UPSERT =
  `on conflict (${KEY.join(', ')}) do update set ` +
  `allowed = ${TABLE}.allowed + excluded.allowed, refused = ${TABLE}.refused + excluded.refused`;
const MARIADB_UPSERT =
  'on duplicate key update allowed = allowed + values(allowed), refused = refused + values(refused)';

/** Later by more than this is no flush that came late: a clock was ahead. */
const LATEST_MS = 3_600_000;
const later = (column: string): string =>
  `${column} = case when coalesce(${column}, 0) < ? or ${column} > ? then ? else ${column} end`;

/** Flushes arrive in any order, from all processes: a time only moves forward. */
const USE =
  `update api_keys set ${later('last_used_at')}, previous_uses = previous_uses + ?, ` +
  `${later('previous_used_at')} where id = ?`;

export function createUsageStore({ database }: { database: Database }): UsageStore {
  const upsert = database.dialect === 'mariadb' ? MARIADB_UPSERT : STANDARD_UPSERT;

  return {
    async add(buckets, uses) {
      if (buckets.length === 0 && uses.length === 0) return;
      const rows = mergedRows(buckets);
      await database.transaction(async (tx) => {
        for (const batch of rowBatches(rows)) {
          const sql = `${insertSql(TABLE, batch[0], batch.length)} ${upsert}`;
          await tx.affected(sql, batch.flatMap(Object.values));
        }
        for (const use of [...uses].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))) await tx.affected(USE, valuesOf(use));
      });
    },

    async list({ ownerId, keyId, environment, from, to }) {
      const values: Value[] = [ownerId, from, to];
      let where = 'owner_id = ? and hour >= ? and hour < ?';
      for (const [column, value] of Object.entries({ key_id: keyId, environment })) {
        if (value === undefined) continue;
        where += ` and ${column} = ?`;
        values.push(value);
      }
      const sql =
        `select key_id, environment, hour, owner_id, allowed, refused from ${TABLE} where ${where} ` +
        'order by hour, key_id, environment';
      return (await database.rows<BucketRow>(sql, values)).map(toBucket);
    },

    purge: (beforeMs, limit) =>
      deleteBatch(database, { table: TABLE, key: KEY, column: 'hour', before: beforeMs, limit }),
  };
}

/** One row for each bucket, since a statement may touch a row once; in order, so that two flushes never wait in a circle. */
function mergedRows(buckets: readonly UsageBucket[]): Row[] {
  const rows = new Map<string, Row & { allowed: number; refused: number }>();
  for (const { keyId, ownerId, environment, hour, allowed, refused } of buckets) {
    const id = JSON.stringify([keyId, environment, hour]);
    const known = rows.get(id) ?? { allowed: 0, refused: 0 };
    rows.set(id, {
      key_id: keyId,
      environment,
      hour,
      owner_id: ownerId,
      allowed: known.allowed + allowed,
      refused: known.refused + refused,
    });
  }
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}

function valuesOf({ keyId, lastUsedAt, previousUses, previousUsedAt }: KeyUse): Value[] {
  const moved = (atMs: number | null): number[] =>
    atMs === null ? [0, Number.MAX_SAFE_INTEGER, 0] : [atMs, atMs + LATEST_MS, atMs];
  return [...moved(lastUsedAt), previousUses, ...moved(previousUsedAt), keyId];
}

const toBucket = (row: BucketRow): UsageBucket => ({
  keyId: row.key_id,
  ownerId: row.owner_id,
  environment: row.environment,
  hour: row.hour,
  allowed: row.allowed,
  refused: row.refused,
});
