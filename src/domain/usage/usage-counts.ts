import type { KeyUse, UsageBucket } from './usage-store.ts';

/** What was counted since the last flush. */
export interface UsageCounts {
  /** By key, hour and environment. */
  buckets: Map<string, UsageBucket>;
  /** By key; fewer than buckets. */
  uses: Map<string, KeyUse>;
}

/** What one transaction writes. */
export interface UsageSlice {
  buckets: UsageBucket[];
  uses: KeyUse[];
}

export const noCounts = (): UsageCounts => ({ buckets: new Map(), uses: new Map() });

/** Ids of keys have no space in them, so no two buckets share a name. */
export const bucketName = (keyId: string, hour: number, environment: string): string =>
  `${keyId} ${hour} ${environment}`;

/** In pieces of at most `size` buckets and uses. */
export function slicesOf(counts: UsageCounts, size: number): UsageSlice[] {
  const [buckets, uses] = [[...counts.buckets.values()], [...counts.uses.values()]];
  const slices: UsageSlice[] = [];
  for (let start = 0; start < Math.max(buckets.length, uses.length); start += size) {
    slices.push({ buckets: buckets.slice(start, start + size), uses: uses.slice(start, start + size) });
  }
  return slices;
}

/** Puts what was not written back among what was counted meanwhile. */
export function mergeBack({ buckets, uses }: UsageSlice, counts: UsageCounts): void {
  for (const bucket of buckets) {
    const name = bucketName(bucket.keyId, bucket.hour, bucket.environment);
    const newer = counts.buckets.get(name);
    if (newer) {
      newer.allowed += bucket.allowed;
      newer.refused += bucket.refused;
    } else {
      counts.buckets.set(name, bucket);
    }
  }
  for (const use of uses) {
    const newer = counts.uses.get(use.keyId);
    if (newer) {
      newer.lastUsedAt = Math.max(newer.lastUsedAt, use.lastUsedAt);
      newer.previousUses += use.previousUses;
      newer.previousUsedAt = latest(newer.previousUsedAt, use.previousUsedAt);
    } else {
      counts.uses.set(use.keyId, use);
    }
  }
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
