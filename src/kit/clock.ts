/** The one place that reads the wall clock. Lifetimes are decided with it, so tests can move time. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Whole seconds since the Unix epoch, the unit of JWT and OAuth times. */
  nowSeconds(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowSeconds: () => Math.floor(Date.now() / 1000),
};

/**
 * Milliseconds since some moment of the past, with fractions. Only ever goes forward, whatever is done to the wall clock: for
 * measuring how long something takes, never for a time that is stored or shared with another process.
 */
export const monotonicMs = (): number => performance.now();

/**
 * How far the clocks of one deployment may be apart, in milliseconds. A stored instant that is further ahead was written by a
 * clock that was wrong, and is not believed: it would hold until that time comes.
 */
export const CLOCK_SKEW_MS = 5000;

/** An instant that no right clock has written yet. */
export const isFromTheFuture = (atMs: number, nowMs: number): boolean => atMs > nowMs + CLOCK_SKEW_MS;

/** Milliseconds since a stored instant; never negative. */
export const ageMs = (sinceMs: number, nowMs: number): number => Math.max(0, nowMs - sinceMs);

/** Less than `windowMs` ago. What lies further ahead than clocks may be apart is no part of any window. */
export const isWithin = (sinceMs: number, windowMs: number, nowMs: number): boolean =>
  nowMs - sinceMs < windowMs && !isFromTheFuture(sinceMs, nowMs);

/** Whether something that lasts `longestMs` at most is still on. An end further ahead was not set by a right clock. */
export const lastsUntil = (endsAtMs: number, longestMs: number, nowMs: number): boolean =>
  endsAtMs > nowMs && !isFromTheFuture(endsAtMs - longestMs, nowMs);
