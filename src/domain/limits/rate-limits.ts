import { monotonicMs as systemMonotonicMs } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { type CounterGroup, createLimitCounters } from './limit-counters.ts';
import { type LimitRule, type LimitState, type LimitSubject, problemsOfRules } from './limit-rule.ts';
import type { LocalRateLimitStore, RateLimitStore } from './rate-limit-store.ts';
import { createShares } from './shares.ts';
import { createStoreBreaker } from './store-breaker.ts';
import { takeAll } from './take-all.ts';

export type { LimitSubject } from './limit-rule.ts';

export interface LimitDecision {
  allowed: boolean;
  /**
   * The counters that applied; the strictest first. Empty when no rule applied. Of counters shared with others nothing is known
   * when the caller's own refused.
   */
  states: readonly LimitState[];
  /** Seconds to wait; 0 when allowed. */
  retryAfterSeconds: number;
}

export interface RateLimits {
  /** Whether any rule would apply: then an answer must not be cached by others. */
  applies(subject: LimitSubject): boolean;
  /**
   * Takes one from every counter that applies. Never throws for the store's sake: when it is away or too slow, this process
   * decides by itself, with its share of what the store last said is left; of a counter that the store has said nothing of, with
   * its share of the quota.
   */
  take(subject: LimitSubject): Promise<LimitDecision>;
  /** One counter of its own, for an endpoint: `sign-up` by address, say. Who is counted is `subject`, whatever `rule.per`. */
  takeFrom(rule: LimitRule, subject: string): Promise<LimitDecision>;
}

/** Where no rule applies. */
export const UNLIMITED: LimitDecision = Object.freeze({
  allowed: true,
  states: Object.freeze([]),
  retryAfterSeconds: 0,
});

/** Throws RangeError for rules that `problemsOfRules` objects to, and for no processes. */
export function createRateLimits({
  rules,
  store,
  fallback,
  processes,
  digester,
  budgetMs = 50,
  onFallback = () => undefined,
  monotonicMs = systemMonotonicMs,
}: {
  rules: readonly LimitRule[];
  store: RateLimitStore;
  fallback: LocalRateLimitStore;
  /** How many processes share a quota when the store is away: each allows its part, at least 1. */
  processes: number;
  digester: Digester;
  /** How long a decision may wait for the store. */
  budgetMs?: number;
  /** The fallback decides from now on, for this reason, or no longer. Once per outage, not per request. */
  onFallback?: (active: boolean, cause?: unknown) => void;
  monotonicMs?: () => number;
}): RateLimits {
  // A share of nothing would be a quota without end.
  if (!Number.isSafeInteger(processes) || processes < 1) throw new RangeError('at least one process shares the quota');
  const [wrong] = problemsOfRules(rules);
  if (wrong) throw new RangeError(`limit "${wrong.name}": ${wrong.problem}`);
  const counters = createLimitCounters({ rules, digester });
  const breaker = createStoreBreaker({ budgetMs, monotonicMs, onChange: onFallback });

  const shares = createShares({ fallback, processes, monotonicMs });

  async function decide(groups: readonly CounterGroup[]): Promise<LimitDecision> {
    const answered = await breaker.ask(async () => {
      const states = await takeAll(store, groups);
      // Told also when the answer comes too late for this request.
      shares.told(groups, states);
      return states;
    });
    if (!answered) return decision(await shares.give(groups));
    const fromStore = decision(answered.answer);
    // What this process gave by itself the store does not know of: until it has come back, both must agree.
    if (!fromStore.allowed || !shares.hasGiven(groups)) return fromStore;
    const own = decision(await shares.agree(groups));
    return own.allowed ? fromStore : own;
  }

  return {
    applies: (subject) => counters.applies(subject),
    async take(subject) {
      const groups = counters.of(subject);
      return groups.length === 0 ? UNLIMITED : decide(groups);
    },
    takeFrom: (rule, subject) => decide([counters.ofEndpoint(rule, subject)]),
  };
}

function decision(states: readonly LimitState[]): LimitDecision {
  const refused = states.filter((state) => !state.allowed);
  return {
    allowed: refused.length === 0,
    states: states.length < 2 ? states : states.toSorted(byStrictness),
    retryAfterSeconds: refused.length === 0 ? 0 : Math.max(1, ...refused.map((state) => state.resetSeconds)),
  };
}

/** Refused ones first, then whoever has the least of its quota left, then whoever takes longest to recover. */
const byStrictness = (a: LimitState, b: LimitState): number =>
  Number(a.allowed) - Number(b.allowed) ||
  a.remaining / a.quota - b.remaining / b.quota ||
  b.resetSeconds - a.resetSeconds;
