import type { Clock } from '../../kit/clock.ts';
import type { Digester } from '../../kit/digest.ts';
import { StoreUnavailableError } from '../../kit/errors.ts';
import { outsideBudget } from '../../kit/request-budget.ts';
import type { Counter, Counters, Settlement, ThrottleStore } from './throttle-store.ts';

/** Growing delays: `freeAttempts` at once, then a wait that doubles from `firstDelaySeconds` up to `maxDelaySeconds`. */
export interface ThrottlePolicy {
  name: string;
  freeAttempts: number;
  firstDelaySeconds: number;
  maxDelaySeconds: number;
  /** The counter is forgotten after so long without an attempt. */
  windowSeconds: number;
}

/** An even pace: `capacity` attempts at once, then one every `intervalSeconds`. */
export interface EvenPolicy {
  name: string;
  capacity: number;
  /** For an attempt that has used up its free attempts in a growing counter; the capacity, unless it is given. */
  wornCapacity?: number;
  intervalSeconds: number;
}

/** One counter of an attempt. `owner` is whom it is about; counters of one owner are counted at once. */
export interface Claim {
  policy: ThrottlePolicy | EvenPolicy;
  owner: string;
  subject: string;
}

export type Begun =
  /** `by` is the name of the policy that makes it wait. */
  | { kind: 'refused'; by: string; retryAfterSeconds: number }
  | {
      kind: 'begun';
      /**
       * An attempt that ends without a word counts as a failure. `succeeded` takes it back everywhere, and forgives earlier
       * failures where the waits grow; `abandoned` takes it back because nobody learnt whether it would have succeeded.
       */
      end(how: 'succeeded' | 'abandoned'): Promise<void>;
    };

export interface Throttle {
  /**
   * Counts an attempt before it is made, in all of these counters or in none. Counting first is what makes 50 parallel guesses
   * count as 50.
   */
  begin(claims: readonly Claim[]): Promise<Begun>;
  /** The same with one counter. Returns null when it may go on, or the seconds to wait. */
  attempt(policy: ThrottlePolicy, subject: string): Promise<number | null>;
  /** After a success: earlier failures are forgiven. */
  forgive(policy: ThrottlePolicy, subject: string): Promise<void>;
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

  /** What is counted, in the order of the claims; claims of one owner stand together. */
  function countersOf(claims: readonly Claim[]): Counters[] {
    const groups: { owner: string; counters: Counter[] }[] = [];
    for (const [index, { policy, owner, subject }] of claims.entries()) {
      const counter = counterOf(policy, digester.digest(`throttle:${policy.name}`, subject));
      if (index > 0 && claims[index - 1]?.owner === owner) groups.at(-1)?.counters.push(counter);
      else groups.push({ owner: digester.digest('throttle-owner', owner), counters: [counter] });
    }
    return groups;
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

  /** Where it was counted. */
  async function take(counters: Counters[], nowMs: number): Promise<{ waits: number[]; at: ThrottleStore }> {
    const inStore = async () => ({ waits: await store.take(counters, nowMs), at: store });
    if (!fallback) return inStore();
    return orElse(inStore, async () => ({ waits: await fallback.take(halved(counters), nowMs), at: fallback }));
  }

  async function settle(at: ThrottleStore, counters: Counters[], how: Settlement, takenAtMs: number): Promise<void> {
    if (at === fallback || !fallback) return at.settle(counters, how, takenAtMs);
    // What the store still counts against somebody who signed in is a wait, no failure.
    await orElse(
      () => at.settle(counters, how, takenAtMs),
      async () => {},
    );
  }

  async function begin(claims: readonly Claim[]): Promise<Begun> {
    const counters = countersOf(claims);
    const nowMs = clock.nowMs();
    const { waits, at } = await take(counters, nowMs);
    const longest = Math.max(...waits);
    const by = claims[waits.indexOf(longest)]?.policy.name ?? '';
    if (longest > 0) return { kind: 'refused', by, retryAfterSeconds: Math.ceil(longest / 1000) };
    return {
      kind: 'begun',
      // However late: what the store's slowness ended is no failed attempt.
      end: (how) => outsideBudget(() => settle(at, counters, how === 'succeeded' ? 'forget' : 'give-back', nowMs)),
    };
  }

  return {
    begin,
    async attempt(policy, subject) {
      const begun = await begin([{ policy, owner: subject, subject }]);
      return begun.kind === 'refused' ? begun.retryAfterSeconds : null;
    },
    async forgive(policy, subject) {
      const counters = countersOf([{ policy, owner: subject, subject }]);
      const nowMs = clock.nowMs();
      if (fallback) await fallback.settle(counters, 'forget', nowMs);
      await settle(store, counters, 'forget', nowMs);
    },
  };
}

function counterOf(policy: ThrottlePolicy | EvenPolicy, id: string): Counter {
  if ('capacity' in policy) {
    const { capacity, wornCapacity = capacity, intervalSeconds } = policy;
    return { kind: 'even', id, capacity, wornCapacity, intervalMs: intervalSeconds * 1000 };
  }
  const { freeAttempts, firstDelaySeconds, maxDelaySeconds, windowSeconds } = policy;
  return {
    kind: 'growing',
    id,
    freeAttempts,
    firstDelayMs: firstDelaySeconds * 1000,
    maxDelayMs: maxDelaySeconds * 1000,
    windowMs: windowSeconds * 1000,
  };
}

/** Half of what is free. An even counter without any capacity would never let anybody pass. */
const halved = (groups: readonly Counters[]): Counters[] =>
  groups.map(({ owner, counters }) => ({
    owner,
    counters: counters.map((counter) =>
      counter.kind === 'growing'
        ? { ...counter, freeAttempts: Math.floor(counter.freeAttempts / 2) }
        : { ...counter, capacity: half(counter.capacity), wornCapacity: half(counter.wornCapacity) },
    ),
  }));

const half = (count: number): number => Math.max(1, Math.floor(count / 2));

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
