import type { CounterGroup } from './limit-counters.ts';
import type { LimitState } from './limit-rule.ts';
import type { RateLimitStore } from './rate-limit-store.ts';

/** Owner by owner, up to the first refusal: nobody's quota is spent on a request that an earlier one has refused. */
export async function takeAll(store: RateLimitStore, groups: readonly CounterGroup[]): Promise<LimitState[]> {
  const states: LimitState[] = [];
  for (const { owner, counters } of groups) {
    const taken = await store.take(owner, counters);
    states.push(...taken);
    if (taken.some((state) => !state.allowed)) break;
  }
  return states;
}
