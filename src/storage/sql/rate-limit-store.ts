import type { LimitCounter, LimitState } from '../../domain/limits/limit-rule.ts';
import type { RateLimitStore } from '../../domain/limits/rate-limit-store.ts';
import { believedAhead, cellOf, hasRoom, stateOfCounter } from '../cell-rate.ts';
import { type Database, marks } from './database.ts';
import { deleteBatch } from './delete-batch.ts';
import { NOW, TABLE, takeOneOf } from './rate-limit-take.ts';

/** Undoes what was taken before a counter turned out to be empty. */
class Refused extends Error {}

export function createRateLimitStore({ database }: { database: Database }): RateLimitStore {
  const now = NOW[database.dialect];
  const takeOne = takeOneOf(database.dialect);

  async function aheadOf(counters: readonly LimitCounter[]): Promise<Map<string, number>> {
    const sql = `select id, arrives_at - ${now} as ahead from ${TABLE} where id in (${marks(counters.length)})`;
    const ids = counters.map(({ id }) => id);
    const rows = await database.rows<{ id: string; ahead: number }>(sql, ids);
    return new Map(rows.map(({ id, ahead }) => [id, ahead]));
  }

  /** What the counters say that were left as they are, because those of `refused` are empty. */
  async function refusal(counters: readonly LimitCounter[], refused: string): Promise<LimitState[]> {
    const ahead = await aheadOf(counters);
    return counters.map((counter) => {
      const cell = cellOf(counter);
      const own = believedAhead(cell, ahead.get(counter.id) ?? 0);
      return stateOfCounter(counter, own, counter.id !== refused && hasRoom(cell, own));
    });
  }

  async function takeAll(counters: readonly LimitCounter[]): Promise<LimitState[]> {
    let empty = '';
    try {
      return await database.transaction(async (tx) => {
        const states = new Map<LimitCounter, LimitState>();
        // Always in the same order, or two requests could wait for each other.
        for (const counter of [...counters].sort((a, b) => (a.id < b.id ? -1 : 1))) {
          const ahead = await takeOne(tx, counter);
          if (ahead === null) {
            empty = counter.id;
            throw new Refused();
          }
          states.set(counter, stateOfCounter(counter, ahead, true));
        }
        return counters.flatMap((counter) => states.get(counter) ?? []);
      });
    } catch (error) {
      if (error instanceof Refused) return refusal(counters, empty);
      throw error;
    }
  }

  return {
    async take(_owner, counters) {
      const [first, ...more] = counters;
      if (!first) return [];
      if (more.length > 0) return takeAll(counters);
      const ahead = await takeOne(database, first);
      return ahead === null ? refusal([first], first.id) : [stateOfCounter(first, ahead, true)];
    },

    async purge(limit) {
      const [row] = await database.rows<{ now: number }>(`select ${now} as now`, []);
      return deleteBatch(database, { table: TABLE, key: ['id'], column: 'arrives_at', before: row?.now ?? 0, limit });
    },
  };
}
