import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
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

export function createThrottle({
  store,
  digester,
  clock,
}: {
  store: ThrottleStore;
  digester: Digester;
  clock: Clock;
}): Throttle {
  const keyOf = (policy: ThrottlePolicy, subject: string): string =>
    digester.digest(`throttle:${policy.name}`, subject);
  return {
    async attempt(policy, subject) {
      const nowMs = clock.nowMs();
      const key = keyOf(policy, subject);
      const seen = await store.peek(key, nowMs);
      // A refused attempt is not counted again, or an attacker could keep the owner waiting for ever.
      const wait = seen ? remainingWait(policy, seen.attempts + 1, seen.previousAtMs, nowMs) : 0;
      if (wait > 0) return wait;
      const counted = await store.hit(key, policy.windowSeconds, nowMs);
      const late = remainingWait(policy, counted.attempts, counted.previousAtMs, nowMs);
      return late > 0 ? late : null;
    },
    forgive: (policy, subject) => store.reset(keyOf(policy, subject)),
  };
}

function remainingWait(policy: ThrottlePolicy, attempts: number, previousAtMs: number | null, nowMs: number): number {
  const delaySeconds = requiredDelaySeconds(policy, attempts);
  if (previousAtMs === null || delaySeconds === 0) return 0;
  return Math.max(0, Math.ceil((previousAtMs + delaySeconds * 1000 - nowMs) / 1000));
}
