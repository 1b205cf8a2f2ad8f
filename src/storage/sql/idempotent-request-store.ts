import {
  IDEMPOTENT_LIFE_MS,
  type IdempotentRequest,
  type IdempotentRequestStore,
  type InsertOutcome,
} from '../../domain/idempotency/idempotent-request.ts';
import { CLOCK_SKEW_MS } from '../../kit/clock.ts';
import type { Database, Row, Statements } from './database.ts';
import { deleteBatch } from './delete-batch.ts';

interface RequestRow {
  id: string;
  fingerprint: string;
  sealed_answer: string;
  created_at: number;
  expires_at: number;
}

const TABLE = 'idempotent_requests';

export function createIdempotentRequestStore({ database }: { database: Database }): IdempotentRequestStore {
  return {
    find: (id) => findRequest(database, id),
    async purge(nowMs, limit) {
      const latest = nowMs + IDEMPOTENT_LIFE_MS;
      const shorten = `update ${TABLE} set expires_at = ? where expires_at > ?`;
      await database.affected(shorten, [latest, latest + CLOCK_SKEW_MS]);
      return deleteBatch(database, { table: TABLE, key: ['id'], column: 'expires_at', before: nowMs, limit });
    },
  };
}

/** Undoes what was written before it turned out that the record exists already. */
class Taken extends Error {}

/**
 * Runs `insert` in a transaction with the request that asked for it. `insert` is false when the record's unique values are
 * taken: then nothing is stored. The request comes first, so that its repetitions wait at its row and create nothing.
 */
export async function insertOnce(
  database: Database,
  request: IdempotentRequest | undefined,
  insert: (tx: Statements) => Promise<boolean>,
): Promise<InsertOutcome> {
  try {
    return await database.transaction(async (tx) => {
      const first = request ? await claim(tx, request) : null;
      if (first) return { kind: 'repeated', first };
      if (!(await insert(tx))) throw new Taken();
      return { kind: 'inserted' };
    });
  } catch (error) {
    if (error instanceof Taken) return { kind: 'taken' };
    throw error;
  }
}

/** Stores the request, in place of one that has expired. Returns the one that came before it, or null. */
async function claim(tx: Statements, request: IdempotentRequest): Promise<IdempotentRequest | null> {
  // One that was being stored when the expired ones were looked for may have expired as well: once more.
  for (let tries = 0; tries < 3; tries += 1) {
    await tx.affected(`delete from ${TABLE} where id = ? and expires_at <= ?`, [request.id, request.createdAt]);
    if (await tx.insertIfAbsent(TABLE, toRow(request))) return null;
    const first = await findRequest(tx, request.id);
    if (first && first.expiresAt > request.createdAt) return first;
  }
  // It expired by another clock, or was purged, in this moment.
  throw new Error('an idempotent request vanished while it was read');
}

async function findRequest(statements: Statements, id: string): Promise<IdempotentRequest | null> {
  const sql = `select id, fingerprint, sealed_answer, created_at, expires_at from ${TABLE} where id = ?`;
  const [row] = await statements.rows<RequestRow>(sql, [id]);
  if (!row) return null;
  return {
    id: row.id,
    fingerprint: row.fingerprint,
    sealedAnswer: row.sealed_answer,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}

const toRow = (request: IdempotentRequest): Row => ({
  id: request.id,
  fingerprint: request.fingerprint,
  sealed_answer: request.sealedAnswer,
  created_at: request.createdAt,
  expires_at: request.expiresAt,
});
