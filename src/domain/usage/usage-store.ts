/** Requests of one key in one hour. */
export interface UsageBucket {
  keyId: string;
  ownerId: string;
  environment: string;
  /** The start of the hour, milliseconds since the epoch. */
  hour: number;
  allowed: number;
  /** Refused for limits, scopes, addresses: the key was good, the request was not. */
  refused: number;
}

/** What a flush says of a key besides its counts. */
export interface KeyUse {
  keyId: string;
  lastUsedAt: number;
  /** Uses of the secret before the rotation since the last flush. */
  previousUses: number;
  previousUsedAt: number | null;
}

export interface UsageStore {
  /** Adds to what is there, all in one transaction; `lastUsedAt` never goes back. At most 500 of each a call. */
  add(buckets: readonly UsageBucket[], uses: readonly KeyUse[]): Promise<void>;
  /** Buckets with `from <= hour < to` (milliseconds), ordered by hour, key, environment. */
  list(filter: {
    ownerId: string;
    keyId?: string;
    environment?: string;
    from: number;
    to: number;
  }): Promise<UsageBucket[]>;
  /** Deletes at most `limit` buckets from before `beforeMs`; returns how many. */
  purge(beforeMs: number, limit: number): Promise<number>;
}
