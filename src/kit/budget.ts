import type { Clock } from './clock.ts';

/** So many a second, shared by all who ask, with room for a second's worth at once. */
export interface Budget {
  /** False when nothing is left just now. */
  take(): boolean;
  /** Gives back what turned out not to count. */
  giveBack(): void;
}

export function createBudget({ perSecond, clock }: { perSecond: number; clock: Clock }): Budget {
  let left = perSecond;
  let countedAtMs = clock.nowMs();
  return {
    take() {
      const nowMs = clock.nowMs();
      // A clock that was set back must not stop the flow.
      const passedMs = Math.max(0, nowMs - countedAtMs);
      countedAtMs = nowMs;
      left = Math.min(perSecond, left + (passedMs * perSecond) / 1000);
      if (left < 1) return false;
      left -= 1;
      return true;
    },
    giveBack() {
      left = Math.min(perSecond, left + 1);
    },
  };
}
