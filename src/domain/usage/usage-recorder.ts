import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../kit/clock.ts';
import type { UsageRecorder } from './usage.ts';
import { bucketName, mergeBack, noCounts, slicesOf } from './usage-counts.ts';
import type { KeyUse, UsageBucket, UsageStore } from './usage-store.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** What a store takes at once. */
const SLICE = 500;
const LAST_TRIES = 3;
const RETRY_MS = 200;

/**
 * Counts uses of API keys in memory and adds them to the store every `flushMs`. A process that is killed loses what it counted
 * since the last flush. What a store wrote but could not acknowledge is written again: whoever loses the connection during a
 * commit cannot know better.
 */
export function createUsage({
  store,
  clock,
  flushMs = 5000,
  maxBuckets = 100_000,
  onError,
}: {
  store: UsageStore;
  clock: Clock;
  flushMs?: number;
  /** Buckets that memory may hold. Half of them flush early; with all of them full, uses of further keys are not counted. */
  maxBuckets?: number;
  /** A flush that nobody waits for failed, or uses were not counted. */
  onError: (err: unknown) => void;
}): UsageRecorder {
  let counts = noCounts();
  let beingWritten = 0;
  let uncounted = 0;
  let minute = 0;
  /** The first use of each key in this minute: `lastUsedAt` says no more, so that a busy key is not written all the time. */
  let firstUses = new Map<string, number>();
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;

  function bucketOf(keyId: string, ownerId: string, environment: string, hour: number): UsageBucket | null {
    const name = bucketName(keyId, hour, environment);
    const known = counts.buckets.get(name);
    if (known) return known;
    if (counts.buckets.size + beingWritten >= maxBuckets) return null;
    const bucket = { keyId, ownerId, environment, hour, allowed: 0, refused: 0 };
    counts.buckets.set(name, bucket);
    // Later, or the bucket would be written before its first use is counted.
    if (counts.buckets.size === Math.ceil(maxBuckets / 2)) queueMicrotask(() => void flush().catch(onError));
    return bucket;
  }

  /** What is to be written about the key itself; null when its last use is known well enough. */
  function useOf(keyId: string, nowMs: number, oldSecret: boolean): KeyUse | null {
    const thisMinute = Math.floor(nowMs / MINUTE_MS);
    if (thisMinute !== minute || firstUses.size >= maxBuckets) {
      minute = thisMinute;
      firstUses = new Map();
    }
    const known = firstUses.get(keyId);
    if (known === undefined) firstUses.set(keyId, nowMs);
    else if (!oldSecret) return null;
    const lastUsedAt = known ?? nowMs;
    const use = counts.uses.get(keyId) ?? { keyId, lastUsedAt, previousUses: 0, previousUsedAt: null };
    use.lastUsedAt = Math.max(use.lastUsedAt, lastUsedAt);
    counts.uses.set(keyId, use);
    return use;
  }

  async function write(): Promise<void> {
    const slices = slicesOf(counts, SLICE);
    beingWritten = counts.buckets.size;
    counts = noCounts();
    let written = 0;
    try {
      for (const { buckets, uses } of slices) {
        await store.add(buckets, uses);
        written += 1;
      }
    } finally {
      for (const slice of slices.slice(written)) mergeBack(slice, counts);
      beingWritten = 0;
      if (uncounted > 0) onError(new Error(`${uncounted} uses of API keys were not counted: memory for them is full`));
      uncounted = 0;
    }
  }

  function flush(): Promise<void> {
    if (running) {
      // Whoever asks now wants what was counted up to now; one more flush serves all who wait.
      next ??= running.then(flushWaiting, flushWaiting);
      return next;
    }
    running = write().finally(() => {
      running = null;
    });
    return running;
  }

  function flushWaiting(): Promise<void> {
    next = null;
    return flush();
  }

  return {
    record({ keyId, ownerId, environment, outcome, oldSecret }) {
      const nowMs = clock.nowMs();
      const bucket = bucketOf(keyId, ownerId, environment, nowMs - (nowMs % HOUR_MS));
      if (!bucket) {
        uncounted += 1;
        return;
      }
      bucket[outcome] += 1;
      const use = useOf(keyId, nowMs, oldSecret);
      if (use && oldSecret) {
        use.previousUses += 1;
        use.previousUsedAt = nowMs;
      }
    },
    flush,
    start() {
      timer ??= setInterval(() => void flush().catch(onError), flushMs).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      for (let tries = 1; ; tries += 1) {
        try {
          return await flush();
        } catch (err) {
          if (tries === LAST_TRIES) return onError(err);
          await sleep(RETRY_MS);
        }
      }
    },
  };
}
