import fc from 'fast-check';
import type { LimitCounter } from '../../../src/domain/limits/limit-rule.ts';
import type { RateLimitStore } from '../../../src/domain/limits/rate-limit-store.ts';
import type { GrowingCounter, ThrottleStore } from '../../../src/domain/limits/throttle-store.ts';
import { CLOCK_SKEW_MS } from '../../../src/kit/clock.ts';
import { apart, even, growing as usual } from '../throttle-counters.ts';
import { type Model, type Names, type Operation, slot } from './model.ts';

const T = 1_700_000_000_000;
/** By steps around an interval, a wait, and a window. */
const moment = fc.constantFrom(0, 1000, 2000, 5000, 599_999, 600_000, 602_000).map((ms) => T + ms);

/** With one free attempt, so that what is counted shows soon. */
const growing = (id: string): GrowingCounter => ({ ...usual(id), freeAttempts: 1 });

interface Counted {
  attempts: number;
  lastAt: number;
  endsAt: number;
}
type Counts = Map<string, Counted>;

function takeGrowing(known: Counts, id: string, nowMs: number): number {
  const { freeAttempts, firstDelayMs, maxDelayMs, windowMs } = growing(id);
  const state = known.get(id);
  const isOver = !state || state.endsAt <= nowMs || state.lastAt > nowMs + CLOCK_SKEW_MS;
  const attempts = isOver ? 0 : state.attempts;
  const beyond = attempts + 1 - freeAttempts;
  const delay = beyond <= 0 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** (beyond - 1));
  const wait = isOver ? 0 : Math.min(delay, Math.max(0, state.lastAt + delay - nowMs));
  if (wait === 0) known.set(id, { attempts: attempts + 1, lastAt: nowMs, endsAt: nowMs + windowMs });
  return wait;
}

function takeEven(known: Counts, id: string, nowMs: number): number {
  const { capacity, intervalMs } = even(id);
  const ahead = Math.max(0, (known.get(id)?.endsAt ?? 0) - nowMs);
  // Further ahead than it can be, by more than clocks differ: no right clock wrote that.
  const isBelieved = ahead <= (capacity + 1) * intervalMs + CLOCK_SKEW_MS;
  const start = isBelieved ? Math.min(ahead, capacity * intervalMs) : 0;
  const wait = Math.max(0, start + intervalMs - capacity * intervalMs);
  if (wait === 0) known.set(id, { attempts: 0, lastAt: nowMs, endsAt: nowMs + start + intervalMs });
  return wait;
}

/** One after the other: of attempts at once, some that must wait may be counted. The suite has those. */
export const throttleModel: Model<ThrottleStore, Counts> = {
  start: () => new Map(),
  operations: fc.oneof(
    fc.tuple(fc.constantFrom('growing', 'growing', 'even'), slot(1), moment).map(([kind, number, nowMs]) => ({
      text: `take(${kind} ${number}, T+${nowMs - T})`,
      alone: true,
      call: (throttle: ThrottleStore, names: Names) => {
        const id = names(`${kind}${number}`);
        return throttle.take(apart(kind === 'even' ? even(id) : growing(id)), nowMs);
      },
      model: (known: Counts, names: Names) => {
        const id = names(`${kind}${number}`);
        return [kind === 'even' ? takeEven(known, id, nowMs) : takeGrowing(known, id, nowMs)];
      },
    })),
    fc.tuple(slot(1), moment).map(([number, nowMs]) => ({
      text: `settle(growing ${number}, forget)`,
      alone: true,
      call: (throttle: ThrottleStore, names: Names) =>
        throttle.settle(apart(growing(names(`growing${number}`))), 'forget', nowMs),
      model(known: Counts, names: Names) {
        known.delete(names(`growing${number}`));
        return undefined;
      },
    })),
  ),
};

/** Long windows: nothing comes back while a run lasts. */
const QUOTAS = [1, 2, 5];
const counterOf = (number: number, names: Names): LimitCounter => ({
  name: 'requests',
  id: names(`counter${number}`),
  quota: QUOTAS[number] ?? 1,
  windowSeconds: 86_400,
});

const take = (counters: readonly number[], alone: boolean): Operation<RateLimitStore, number[]> => ({
  text: `take(${counters})`,
  alone,
  async call(limits, names) {
    const states = await limits.take(
      names('owner'),
      counters.map((number) => counterOf(number, names)),
    );
    if (!states.every(({ allowed }) => allowed)) return 'refused';
    // What is left is said as of when it is read: at once with others, theirs may be counted already.
    return alone ? states.map(({ remaining }) => remaining) : 'taken';
  },
  model(used) {
    const left = (number: number): number => (QUOTAS[number] ?? 0) - (used[number] ?? 0);
    if (counters.some((number) => left(number) === 0)) return 'refused';
    for (const number of counters) used[number] = (used[number] ?? 0) + 1;
    return alone ? counters.map(left) : 'taken';
  },
});

/** How often each counter was taken from. */
export const rateLimitModel: Model<RateLimitStore, number[]> = {
  start: () => QUOTAS.map(() => 0),
  operations: fc
    .tuple(fc.subarray([0, 1, 2], { minLength: 1 }), fc.boolean())
    .map(([counters, alone]) => take(counters, alone)),
};
