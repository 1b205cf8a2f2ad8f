import type { LimitCounter, LimitState } from './limit-rule.ts';

/** Generic cell rate counters, shared by all processes. */
export interface RateLimitStore {
  /**
   * Takes one from every counter, or from none when one of them is empty. Atomic: of 200 at once on a fresh quota of 100
   * exactly 100 pass. Time is the store's own, so that no process's clock matters. `owner` is a digest that is the same for
   * all counters of one caller, so that a Redis cluster keeps them on one node; a counter has one owner, whoever takes from it.
   */
  take(owner: string, counters: readonly LimitCounter[]): Promise<LimitState[]>;
  /** Deletes counters that are full again, at most `limit`; returns how many. */
  purge(limit: number): Promise<number>;
}

/** In this process, so that it always answers; what decides while the shared store does not. */
export interface LocalRateLimitStore extends RateLimitStore {
  /** From now on no more than `remaining` are left of a counter, and what comes back with time. Never gives any back. */
  fill(owner: string, counter: LimitCounter, remaining: number): void;
}
