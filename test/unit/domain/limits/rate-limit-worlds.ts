import type { LimitCounter, LimitRule, LimitState, LimitSubject } from '../../../../src/domain/limits/limit-rule.ts';
import type { LocalRateLimitStore, RateLimitStore } from '../../../../src/domain/limits/rate-limit-store.ts';
import { createRateLimits } from '../../../../src/domain/limits/rate-limits.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

/** Counters that never refill: a test sees exactly what was taken. */
export function countdown() {
  const left = new Map<string, number>();
  const calls: { owner: string; counters: readonly LimitCounter[] }[] = [];
  const store: LocalRateLimitStore = {
    async take(owner, counters) {
      calls.push({ owner, counters });
      const open = counters.every(({ id, quota }) => (left.get(id) ?? quota) > 0);
      return counters.map(({ id, name, quota, windowSeconds }): LimitState => {
        const before = left.get(id) ?? quota;
        const remaining = open ? before - 1 : before;
        left.set(id, remaining);
        return { name, quota, windowSeconds, allowed: before > 0, remaining, resetSeconds: windowSeconds };
      });
    },
    fill: (_owner, { id, quota }, remaining) => void left.set(id, Math.min(left.get(id) ?? quota, remaining)),
    purge: async () => 0,
  };
  return { store, calls };
}

/** A store whose behaviour the test changes as it goes. */
export function unsteady(steady: RateLimitStore) {
  const world = { calls: 0, answer: (): Promise<void> => Promise.resolve() };
  const store: RateLimitStore = {
    async take(owner, counters) {
      world.calls += 1;
      await world.answer();
      return steady.take(owner, counters);
    },
    purge: async () => 0,
  };
  return { store, world };
}

export const STRANGER: LimitSubject = {
  method: null,
  subject: null,
  keyId: null,
  clientId: null,
  environment: null,
  limit: null,
  addressGroup: '192.0.2.7',
};
export const KEY: LimitSubject = {
  ...STRANGER,
  method: 'api_key',
  subject: 'acc_ada',
  keyId: 'key_one',
  environment: 'live',
};
export const TOKEN: LimitSubject = { ...STRANGER, method: 'access_token', subject: 'acc_ada', clientId: 'cli_app' };

export const digester = createDigester(Buffer.alloc(32, 1));

/** Rate limits over the countdown store, with a clock that the test moves. */
export function limitsOf(
  rules: readonly LimitRule[],
  options: { store?: RateLimitStore; processes?: number; budgetMs?: number } = {},
) {
  const main = countdown();
  const fallback = countdown();
  const changes: boolean[] = [];
  let nowMs = 5_000_000.5;
  const limits = createRateLimits({
    rules,
    store: options.store ?? main.store,
    fallback: fallback.store,
    processes: options.processes ?? 1,
    digester,
    budgetMs: options.budgetMs ?? 50,
    onFallback: (active) => void changes.push(active),
    monotonicMs: () => nowMs,
  });
  return {
    limits,
    calls: main.calls,
    fallbackCalls: fallback.calls,
    changes,
    pass: (milliseconds: number) => {
      nowMs += milliseconds;
    },
  };
}
