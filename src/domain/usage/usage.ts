export interface UsageRecorder {
  /** Counts in memory; costs no I/O. */
  record(use: {
    keyId: string;
    ownerId: string;
    environment: string;
    outcome: 'allowed' | 'refused';
    /** The secret before the rotation was used. */
    oldSecret: boolean;
  }): void;
  /** Writes what was counted. What could not be written is kept for the next time; throws so that the caller can say so. */
  flush(): Promise<void>;
  /** Flushes every few seconds until stopped; `stop` flushes for the last time. */
  start(): void;
  stop(): Promise<void>;
}

export interface UsageReport {
  totals: { allowed: number; refused: number; billable: number; free: number };
  /** By hour or day; `start` in milliseconds. */
  series: readonly { start: number; allowed: number; refused: number; billable: number; free: number }[];
  byKey: readonly { keyId: string; environment: string; allowed: number; refused: number }[];
}

export interface UsageReports {
  report(filter: {
    ownerId: string;
    keyId?: string;
    environment?: string;
    /** Milliseconds; whole hours are counted. */
    from: number;
    to: number;
    interval: 'hour' | 'day';
  }): Promise<UsageReport>;
}
