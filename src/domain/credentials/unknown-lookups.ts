import { createBudget } from '../../kit/budget.ts';
import type { Clock } from '../../kit/clock.ts';
import { AppError } from '../../kit/errors.ts';

/** Lookups of texts that anyone can make up: those that find something are free, of the others so many a second are made. */
export interface UnknownLookups {
  /** Throws temporarily_unavailable when the lookups of this second are spent on what does not exist. */
  run<T>(lookup: () => Promise<T>, exists: (found: T) => boolean): Promise<T>;
}

export function createUnknownLookups({
  perSecond,
  what,
  clock,
}: {
  perSecond: number;
  /** In the plural, for the one who is refused. */
  what: string;
  clock: Clock;
}): UnknownLookups {
  const budget = createBudget({ perSecond, clock });
  const waiting: (() => void)[] = [];
  let underWay = 0;

  /** While lookups are under way their share may come back: after a start everybody's credential is looked up at once. */
  async function take(): Promise<void> {
    while (!budget.take()) {
      if (underWay === 0) {
        throw new AppError('temporarily_unavailable', {
          public: `Too many unknown ${what} are being tried just now.`,
          retryAfterSeconds: 1,
        });
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  }

  function end(exists: boolean): void {
    underWay -= 1;
    if (exists) {
      budget.giveBack();
      waiting.shift()?.();
    }
    // Nobody is left who could give anything back.
    if (underWay === 0) for (const wake of waiting.splice(0)) wake();
  }

  return {
    async run(lookup, exists) {
      await take();
      underWay += 1;
      let found = false;
      try {
        const answer = await lookup();
        found = exists(answer);
        return answer;
      } finally {
        end(found);
      }
    },
  };
}
