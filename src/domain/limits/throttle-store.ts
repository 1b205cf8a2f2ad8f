import { CLOCK_SKEW_MS, isFromTheFuture } from '../../kit/clock.ts';

/** A counter whose waits grow: `freeAttempts` at once, then a wait that doubles from the first delay up to the longest. */
export interface GrowingCounter {
  kind: 'growing';
  /** A digest, never an address or a name in clear. */
  id: string;
  freeAttempts: number;
  firstDelayMs: number;
  maxDelayMs: number;
  /** Forgotten after so long without an attempt. */
  windowMs: number;
}

/** A counter that drains evenly: `capacity` at once, then one every `intervalMs`. */
export interface EvenCounter {
  kind: 'even';
  id: string;
  capacity: number;
  /** The capacity for an attempt that has used up the free attempts of a growing counter taken with this one. */
  wornCapacity: number;
  intervalMs: number;
}

export type Counter = GrowingCounter | EvenCounter;

/** Counters of one owner; a digest, so that a Redis cluster keeps them on one node. */
export interface Counters {
  owner: string;
  counters: readonly Counter[];
}

/** What becomes of an attempt that was taken: of a growing counter, everything or the attempt; of an even one, the attempt. */
export type Settlement = 'forget' | 'give-back';

/** Counters of attempts, shared by all processes. */
export interface ThrottleStore {
  /**
   * Counts one attempt in every counter, or in none when one of them makes it wait. Answers the waits in milliseconds, in the
   * order given; all are 0 when it was counted. Atomic: of 50 parallel calls no more pass than are free. Of calls that come
   * together, some that must wait may be counted by growing counters. A counter that is further ahead than clocks may be apart
   * is none.
   */
  take(taken: readonly Counters[], nowMs: number): Promise<number[]>;
  /**
   * Ends attempts that were taken at `takenAtMs`. `give-back` undoes one attempt and nothing else: what others took meanwhile
   * stays counted. `forget` empties a growing counter.
   */
  settle(taken: readonly Counters[], how: Settlement, takenAtMs: number): Promise<void>;
  /** Deletes counters that are empty, at most `limit`; returns how many. */
  purge(nowMs: number, limit: number): Promise<number>;
}

/** What is stored of a counter. */
export interface CounterState {
  /** Of a growing counter. */
  attempts: number;
  /** Milliseconds since the epoch, as the others. */
  lastAt: number;
  /** When it is empty: after the window, or when it has drained. */
  endsAt: number;
}

/** Whether a growing counter of these has no free attempt left. */
export function isWorn(counters: readonly Counter[], states: readonly (CounterState | null)[], nowMs: number): boolean {
  return counters.some((counter, index) => {
    const state = states[index];
    if (counter.kind === 'even' || !state || !counts(state, nowMs)) return false;
    return state.attempts > 0 && state.attempts >= counter.freeAttempts;
  });
}

/** How long the next attempt must wait, in milliseconds. */
export function waitOf(counter: Counter, state: CounterState | null, worn: boolean, nowMs: number): number {
  if (!state) return 0;
  if (counter.kind === 'even') {
    const capacity = worn ? counter.wornCapacity : counter.capacity;
    return Math.max(0, aheadOf(counter, state.endsAt, nowMs) + counter.intervalMs - capacity * counter.intervalMs);
  }
  if (!counts(state, nowMs) || state.attempts === 0) return 0;
  const delay = delayOf(counter, state.attempts + 1);
  return Math.min(delay, Math.max(0, state.lastAt + delay - nowMs));
}

/** Whether what is stored of a growing counter still counts; from a clock that was ahead it never did. */
export const counts = ({ endsAt, lastAt }: CounterState, nowMs: number): boolean =>
  endsAt > nowMs && !isFromTheFuture(lastAt, nowMs);

/** The wait before an attempt with this number. */
export function delayOf({ freeAttempts, firstDelayMs, maxDelayMs }: GrowingCounter, attempt: number): number {
  const beyond = attempt - freeAttempts;
  return beyond <= 0 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(beyond - 1, 30));
}

/** How full an even counter is, in milliseconds. What no right clock can have written is not believed. */
export function aheadOf({ capacity, intervalMs }: EvenCounter, endsAt: number, nowMs: number): number {
  const ahead = Math.max(0, endsAt - nowMs);
  const full = capacity * intervalMs;
  return ahead > full + intervalMs + CLOCK_SKEW_MS ? 0 : Math.min(ahead, full);
}
