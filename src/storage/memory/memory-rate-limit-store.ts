import type { LocalRateLimitStore } from '../../domain/limits/rate-limit-store.ts';
import { createBoundedMap } from '../../kit/cache.ts';
import { believedAhead, cellOf, hasRoom, stateOfCounter } from '../cell-rate.ts';
import { purgeEntries } from './purge-entries.ts';

/** In this process alone. Of more than `max` counters those go that were used least recently. */
export function createMemoryRateLimitStore({ max, nowMs }: { max: number; nowMs: () => number }): LocalRateLimitStore {
  /** `arrivesAt`: when the counter is full again, in microseconds of `nowMs`, which never goes back. */
  const counters = createBoundedMap<{ arrivesAt: number }>({ max });
  const nowUs = (): number => Math.floor(nowMs() * 1000);

  return {
    async take(owner, taken) {
      const now = nowUs();
      const found = taken.map((counter) => {
        const key = `${owner} ${counter.id}`;
        const cell = cellOf(counter);
        const ahead = believedAhead(cell, (counters.get(key)?.arrivesAt ?? 0) - now);
        return { counter, key, ahead, interval: cell.interval, has: hasRoom(cell, ahead) };
      });
      if (found.some(({ has }) => !has))
        return found.map(({ counter, ahead, has }) => stateOfCounter(counter, ahead, has));
      return found.map(({ counter, key, ahead, interval }) => {
        counters.set(key, { arrivesAt: now + ahead + interval });
        return stateOfCounter(counter, ahead + interval, true);
      });
    },

    fill(owner, counter, remaining) {
      const used = counter.quota - remaining;
      if (used <= 0) return;
      const [key, least] = [`${owner} ${counter.id}`, nowUs() + used * cellOf(counter).interval];
      if ((counters.get(key)?.arrivesAt ?? 0) < least) counters.set(key, { arrivesAt: least });
    },

    async purge(limit) {
      const now = nowUs();
      return purgeEntries(counters, ({ arrivesAt }) => arrivesAt < now, limit);
    },
  };
}
