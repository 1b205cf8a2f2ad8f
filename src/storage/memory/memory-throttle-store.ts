import {
  aheadOf,
  type Counter,
  type CounterState,
  type Counters,
  counts,
  isWorn,
  type ThrottleStore,
  waitOf,
} from '../../domain/limits/throttle-store.ts';
import { createBoundedMap } from '../../kit/cache.ts';
import { purgeEntries } from './purge-entries.ts';

/** `previousAt`: what `lastAt` goes back to when the last attempt is given back. */
type Kept = CounterState & { previousAt: number };

/** In this process alone. Of more than `max` counters those go that were used least recently. */
export function createMemoryThrottleStore({ max }: { max: number }): ThrottleStore {
  const kept = createBoundedMap<Kept>({ max });

  function count(counter: Counter, nowMs: number): void {
    const before = kept.get(counter.id);
    if (counter.kind === 'even') {
      const endsAt = nowMs + (before ? aheadOf(counter, before.endsAt, nowMs) : 0) + counter.intervalMs;
      kept.set(counter.id, { attempts: 0, lastAt: nowMs, previousAt: 0, endsAt });
      return;
    }
    const live = before && counts(before, nowMs) ? before : null;
    const [attempts, previousAt] = live ? [live.attempts + 1, live.lastAt] : [1, 0];
    kept.set(counter.id, { attempts, lastAt: nowMs, previousAt, endsAt: nowMs + counter.windowMs });
  }

  function giveBack(counter: Counter, takenAtMs: number): void {
    const state = kept.get(counter.id);
    if (!state) return;
    if (counter.kind === 'even') state.endsAt -= counter.intervalMs;
    else if (state.attempts > 0) {
      state.attempts -= 1;
      if (state.lastAt === takenAtMs) state.lastAt = state.previousAt;
    }
  }

  return {
    async take(taken, nowMs) {
      const counters = flat(taken);
      const states = counters.map(({ id }) => kept.get(id) ?? null);
      const worn = isWorn(counters, states, nowMs);
      const waits = counters.map((counter, index) => waitOf(counter, states[index] ?? null, worn, nowMs));
      if (waits.every((wait) => wait === 0)) for (const counter of counters) count(counter, nowMs);
      return waits;
    },

    async settle(taken, how, takenAtMs) {
      for (const counter of flat(taken)) {
        if (how === 'forget' && counter.kind === 'growing') kept.delete(counter.id);
        else giveBack(counter, takenAtMs);
      }
    },

    purge: async (nowMs, limit) => purgeEntries(kept, ({ endsAt }) => endsAt <= nowMs, limit),
  };
}

const flat = (taken: readonly Counters[]): Counter[] => taken.flatMap(({ counters }) => counters);
