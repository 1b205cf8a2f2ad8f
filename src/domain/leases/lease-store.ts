/** A lock with an end: at most one holder at a time runs a job, and a holder that dies frees it by waiting. */
export interface LeaseStore {
  /**
   * True when `holder` now holds the lease until `nowMs + ttlMs`; also prolongs one it holds already. No lease is longer than
   * `ttlMs`: one that ends later, by more than clocks may be apart, is nobody's.
   */
  acquire(name: string, holder: string, nowMs: number, ttlMs: number): Promise<boolean>;
  /** Frees it if `holder` still holds it. */
  release(name: string, holder: string): Promise<void>;
}
