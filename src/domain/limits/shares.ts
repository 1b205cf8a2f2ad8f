import { createBoundedMap } from '../../kit/cache.ts';
import type { CounterGroup } from './limit-counters.ts';
import type { LimitCounter, LimitState } from './limit-rule.ts';
import type { LocalRateLimitStore } from './rate-limit-store.ts';
import { takeAll } from './take-all.ts';

/** More counters than this are not given from at once; beyond it the oldest is taken for one that gave nothing. */
const MAX_GIVEN = 100_000;

/** What this process allows by itself while the store does not answer. */
export interface Shares {
  /** The store's own word: no more than this process's part of what it says is left may be given without it. */
  told(groups: readonly CounterGroup[], states: readonly LimitState[]): void;
  /** Takes one from this process's part, without the store. The states speak of the published quota. */
  give(groups: readonly CounterGroup[]): Promise<LimitState[]>;
  /** Takes one from it beside what the store gave. */
  agree(groups: readonly CounterGroup[]): Promise<LimitState[]>;
  /** Whether any of it was given within the window, and so may have been given twice. */
  hasGiven(groups: readonly CounterGroup[]): boolean;
}

export function createShares({
  fallback,
  processes,
  monotonicMs,
}: {
  fallback: LocalRateLimitStore;
  processes: number;
  monotonicMs: () => number;
}): Shares {
  const given = createBoundedMap<{ untilMs: number }>({ max: MAX_GIVEN });
  /** Nothing was ever given until then: what nearly every process finds, at no cost. */
  let givenUntilMs = Number.NEGATIVE_INFINITY;
  const shareOf = (counter: LimitCounter): LimitCounter => ({
    ...counter,
    quota: Math.max(1, Math.floor(counter.quota / processes)),
  });

  async function take(groups: readonly CounterGroup[]): Promise<LimitState[]> {
    const published = groups.flatMap(({ counters }) => counters);
    const parts = groups.map(({ owner, counters }) => ({ owner, counters: counters.map(shareOf) }));
    const states = await takeAll(fallback, parts);
    return states.map((state, index) => ({ ...state, quota: published[index]?.quota ?? state.quota }));
  }

  return {
    told(groups, states) {
      let index = 0;
      for (const { owner, counters } of groups) {
        for (const counter of counters) {
          const state = states[index];
          index += 1;
          if (state) fallback.fill(owner, shareOf(counter), Math.floor(state.remaining / processes));
        }
      }
    },

    async give(groups) {
      const states = await take(groups);
      if (states.some(({ allowed }) => !allowed)) return states;
      for (const { id, windowSeconds } of groups.flatMap(({ counters }) => counters)) {
        const untilMs = monotonicMs() + windowSeconds * 1000;
        given.set(id, { untilMs });
        givenUntilMs = Math.max(givenUntilMs, untilMs);
      }
      return states;
    },
    agree: take,

    hasGiven(groups) {
      const nowMs = monotonicMs();
      if (givenUntilMs <= nowMs) return false;
      return groups.some(({ counters }) => counters.some(({ id }) => (given.get(id)?.untilMs ?? 0) > nowMs));
    },
  };
}
