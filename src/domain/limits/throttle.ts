import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { StoreUnavailableError } from '../../kit/errors.ts';
import type { ThrottleStore } from './throttle-store.ts';

/** Growing delays: `freeAttempts` at once, then a wait that doubles from `firstDelaySeconds` up to `maxDelaySeconds`. */
export interface ThrottlePolicy {
  name: string;
  freeAttempts: number;
  firstDelaySeconds: number;
  maxDelaySeconds: number;
  /** The counter is forgotten after so long without an attempt. */
  windowSeconds: number;
}

export interface Throttle {
  /**
   * Counts one attempt before it is made. Returns null when it may go on, or the seconds to wait. Counting first is what
   * makes 50 parallel guesses count as 50.
   */
  attempt(policy: ThrottlePolicy, subject: string): Promise<number | null>;
  /** After a success: earlier failures are forgiven. */
  forgive(policy: ThrottlePolicy, subject: string): Promise<void>;
}

/** The wait in seconds that must have passed since the attempt before this one. */
export function requiredDelaySeconds(policy: ThrottlePolicy, attempts: number): number {
  const beyond = attempts - policy.freeAttempts;
  if (beyond <= 0) return 0;
  return Math.min(policy.maxDelaySeconds, policy.firstDelaySeconds * 2 ** Math.min(beyond - 1, 30));
}

/** How long the store is left alone after it failed. */
const BREAK_MS = 1000;

/**
 * With a `fallback`, counters of this process take over when the store is away or gives no answer within `answerWithinMs`: an
 * outage must neither open the door to guessing nor close it to everybody. They allow half of the free attempts, because
 * every process counts for itself then. Without one, StoreUnavailableError is the caller's.
 */
export function createThrottle({
  store,
  fallback,
  answerWithinMs = 250,
  digester,
  clock,
}: {
  store: ThrottleStore;
  fallback?: ThrottleStore;
  answerWithinMs?: number;
  digester: Digester;
  clock: Clock;
}): Throttle {
  let failedAtMs = Number.NEGATIVE_INFINITY;

  const keyOf = (policy: ThrottlePolicy, subject: string): string =>
    digester.digest(`throttle:${policy.name}`, subject);

  async function attemptIn(counters: ThrottleStore, policy: ThrottlePolicy, key: string): Promise<number | null> {
    const nowMs = clock.nowMs();
    const seen = await counters.peek(key, nowMs);
    // A refused attempt is not counted again, or an attacker could keep the owner waiting for ever.
    const wait = seen ? remainingWait(policy, seen.attempts + 1, seen.previousAtMs, nowMs) : 0;
    if (wait > 0) return wait;
    const counted = await counters.hit(key, policy.windowSeconds, nowMs);
    const late = remainingWait(policy, counted.attempts, counted.previousAtMs, nowMs);
    return late > 0 ? late : null;
  }

  /** Asks the store unless it failed just now; `instead` when it fails. */
  async function orElse<T>(ask: () => Promise<T>, instead: () => Promise<T>): Promise<T> {
    // A clock that was set back must not prolong the break.
    if (Math.abs(clock.nowMs() - failedAtMs) < BREAK_MS) return instead();
    try {
      return await within(answerWithinMs, ask());
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      failedAtMs = clock.nowMs();
      return instead();
    }
  }

  return {
    async attempt(policy, subject) {
      const key = keyOf(policy, subject);
      if (!fallback) return attemptIn(store, policy, key);
      const halved = { ...policy, freeAttempts: Math.floor(policy.freeAttempts / 2) };
      return orElse(
        () => attemptIn(store, policy, key),
        () => attemptIn(fallback, halved, key),
      );
    },
    async forgive(policy, subject) {
      const key = keyOf(policy, subject);
      if (!fallback) return store.reset(key);
      await fallback.reset(key);
      // What the store still counts against somebody who signed in is a wait, no failure.
      await orElse(
        () => store.reset(key),
        async () => {},
      );
    },
  };
}

/** The answer, or StoreUnavailableError when there is none in time. What comes later is dropped. */
async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new StoreUnavailableError('throttle', new Error(`no answer within ${milliseconds} ms`))),
    milliseconds,
  );
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function remainingWait(policy: ThrottlePolicy, attempts: number, previousAtMs: number | null, nowMs: number): number {
  const delaySeconds = requiredDelaySeconds(policy, attempts);
  if (previousAtMs === null || delaySeconds === 0) return 0;
  return Math.max(0, Math.ceil((previousAtMs + delaySeconds * 1000 - nowMs) / 1000));
}
