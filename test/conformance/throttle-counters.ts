import type { Counters, EvenCounter, GrowingCounter } from '../../src/domain/limits/throttle-store.ts';
import { newId } from '../../src/kit/ids.ts';

/** Three at once, then after 2, 4, 8 … seconds, at most a minute. */
export const growing = (id = newId('throttle')): GrowingCounter => ({
  kind: 'growing',
  id,
  freeAttempts: 3,
  firstDelayMs: 2000,
  maxDelayMs: 60_000,
  windowMs: 600_000,
});

/** Four at once, then one a second. */
export const even = (id = newId('throttle')): EvenCounter => ({
  kind: 'even',
  id,
  capacity: 4,
  wornCapacity: 2,
  intervalMs: 1000,
});

/** Each of an owner of its own. */
export const apart = (...counters: Counters['counters'][number][]): Counters[] =>
  counters.map((one) => ({ owner: one.id, counters: [one] }));
