import { setTimeout as sleep } from 'node:timers/promises';
import { type Budget, createBudget } from '../../kit/budget.ts';
import { createBoundedMap, createExpiringSet } from '../../kit/cache.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';

/** Lookups of texts that anyone can make up: those that find something are free, of the others so many a second are made. */
export interface UnknownLookups {
  /**
   * @param id of what is looked up, a digest; what was found under it lately is looked up again in any case.
   * @param caller an address group: a flood from one address is refused there, before it spends everybody's share.
   * Throws temporarily_unavailable when the share is spent on what does not exist, after waiting for a moment.
   */
  run<T>(id: string, caller: string, lookup: () => Promise<T | null>): Promise<T | null>;
}

const MAX_CALLERS = 10_000;
const MAX_FOUND = 100_000;
const FOUND_MS = 3_600_000;
/** After a start everybody's credential is looked up at once; a lookup that finds something gives its share back. */
const PATIENCE_MS = 500;
const MAX_WAITING = 1000;
const STEP_MS = 10;

export function createUnknownLookups({
  perSecond,
  perCaller,
  clock,
}: {
  perSecond: number;
  /** A second, for one address. */
  perCaller: number;
  clock: Clock;
}): UnknownLookups {
  const everybody = createBudget({ perSecond, clock });
  const callers = createBoundedMap<Budget>({ max: MAX_CALLERS });
  const found = createExpiringSet({ max: MAX_FOUND, ttlMs: FOUND_MS });
  let waiting = 0;

  function budgetOf(caller: string): Budget {
    const known = callers.get(caller);
    if (known) return known;
    const budget = createBudget({ perSecond: perCaller, clock });
    callers.set(caller, budget);
    return budget;
  }

  /** From the caller's own share first. */
  function takeNow(own: Budget): boolean {
    if (!own.take()) return false;
    if (everybody.take()) return true;
    own.giveBack();
    return false;
  }

  async function take(own: Budget): Promise<boolean> {
    if (takeNow(own)) return true;
    if (waiting >= MAX_WAITING) return false;
    waiting += 1;
    try {
      for (let waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
        await sleep(STEP_MS);
        if (takeNow(own)) return true;
      }
      return false;
    } finally {
      waiting -= 1;
    }
  }

  return {
    async run(id, caller, lookup) {
      if (found.has(id)) return lookup();
      const own = budgetOf(caller);
      if (!(await take(own))) {
        throw new AppError('temporarily_unavailable', {
          public: 'Too many unknown keys are being tried just now.',
          retryAfterSeconds: 1,
        });
      }
      const answer = await lookup();
      if (answer !== null) {
        found.add(id);
        own.giveBack();
        everybody.giveBack();
      }
      return answer;
    },
  };
}
