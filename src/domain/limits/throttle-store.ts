/** Counters of attempts, shared by all processes. Keys are digests, never an address or a name in clear. */
export interface ThrottleStore {
  /**
   * Counts one attempt and returns the count including it. Atomic: 50 parallel calls return 1..50. The counter starts
   * again from 1 once `windowSeconds` have passed without an attempt; every attempt prolongs the window. A counter whose last
   * attempt is further in the future than clocks may be apart is none, here and in `peek`.
   */
  hit(key: string, windowSeconds: number, nowMs: number): Promise<ThrottleCount>;
  /** The counter without counting; null when there is none or its window has passed. `previousAtMs` is then the last attempt. */
  peek(key: string, nowMs: number): Promise<ThrottleCount | null>;
  reset(key: string): Promise<void>;
  /** Deletes counters whose window has passed, at most `limit`; returns how many. */
  purge(nowMs: number, limit: number): Promise<number>;
}

export interface ThrottleCount {
  attempts: number;
  /** When the attempt before this one was counted; null for the first. Milliseconds since the epoch. */
  previousAtMs: number | null;
}
