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
