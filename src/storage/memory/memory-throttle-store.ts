import type { ThrottleStore } from '../../domain/limits/throttle-store.ts';
import { createBoundedMap } from '../../kit/cache.ts';
import { isFromTheFuture } from '../../kit/clock.ts';
import { purgeEntries } from './purge-entries.ts';

interface Counter {
  attempts: number;
  /** Milliseconds since the epoch. */
  lastAt: number;
  endsAt: number;
}

/** In this process alone. Of more than `max` counters those go that were used least recently. */
export function createMemoryThrottleStore({ max }: { max: number }): ThrottleStore {
  const counters = createBoundedMap<Counter>({ max });
  const live = (key: string, nowMs: number): Counter | null => {
    const counter = counters.get(key);
    return counter && counter.endsAt > nowMs && !isFromTheFuture(counter.lastAt, nowMs) ? counter : null;
  };

  return {
    async hit(key, windowSeconds, nowMs) {
      const before = live(key, nowMs);
      const attempts = (before?.attempts ?? 0) + 1;
      counters.set(key, { attempts, lastAt: nowMs, endsAt: nowMs + windowSeconds * 1000 });
      return { attempts, previousAtMs: before?.lastAt ?? null };
    },

    async peek(key, nowMs) {
      const counter = live(key, nowMs);
      return counter && { attempts: counter.attempts, previousAtMs: counter.lastAt };
    },

    async reset(key) {
      counters.delete(key);
    },

    purge: async (nowMs, limit) => purgeEntries(counters, ({ endsAt }) => endsAt <= nowMs, limit),
  };
}
