import type { LimitCounter, LimitQuota, LimitState } from '../domain/limits/limit-rule.ts';
import { CLOCK_SKEW_MS } from '../kit/clock.ts';

/**
 * The arithmetic of a generic cell rate, in whole microseconds: sums of whole numbers are exact, where those of fractions
 * would let one request more or less through. `ahead` is how far a counter's theoretical arrival time lies in the future.
 */
export interface Cell {
  /** The time between two requests at the even rate. */
  interval: number;
  /** How far ahead the arrival time may lie: a quota of intervals. */
  capacity: number;
}

export function cellOf({ quota, windowSeconds }: LimitQuota): Cell {
  const interval = Math.max(1, Math.floor((windowSeconds * 1e6) / quota));
  return { interval, capacity: interval * quota };
}

/** How much further than its capacity a counter may lie ahead before it is not believed: clocks differ a little. */
export const SKEW_US = CLOCK_SKEW_MS * 1000;

/**
 * How far a stored counter is ahead. None can be further than its capacity. One that is was written by a clock that was wrong:
 * it starts afresh, as it would refuse everybody until that time comes.
 */
export function believedAhead({ capacity }: Cell, ahead: number): number {
  if (ahead > capacity + SKEW_US) return 0;
  return Math.min(Math.max(0, ahead), capacity);
}

export const hasRoom = ({ interval, capacity }: Cell, ahead: number): boolean => ahead + interval <= capacity;

/** What a counter says that is `ahead` now. */
export function stateOfCounter(
  { name, quota, windowSeconds }: LimitCounter,
  ahead: number,
  allowed: boolean,
): LimitState {
  const { interval, capacity } = cellOf({ quota, windowSeconds });
  return {
    name,
    quota,
    windowSeconds,
    allowed,
    // A refusal stays one, though a moment may have passed since.
    remaining: allowed ? Math.max(0, Math.floor((capacity - ahead) / interval)) : 0,
    resetSeconds: allowed ? Math.ceil(ahead / 1e6) : Math.max(1, Math.ceil((ahead + interval - capacity) / 1e6)),
  };
}
