import { createUsage } from '../../../../src/domain/usage/usage-recorder.ts';
import type { KeyUse, UsageBucket, UsageStore } from '../../../../src/domain/usage/usage-store.ts';
import { StoreUnavailableError } from '../../../../src/kit/errors.ts';

export const T = 1_800_000_000_000;

/** What usage-store.ts promises, in a Map; `before` lets a call wait or fail, and nothing of a failed call is kept. */
export function usageLedger() {
  const buckets = new Map<string, UsageBucket>();
  const calls: { buckets: number; uses: readonly KeyUse[] }[] = [];
  const previousUses = new Map<string, number>();
  const ledger = {
    buckets,
    calls,
    previousUses,
    before: (): Promise<void> => Promise.resolve(),
    atOnce: 0,
    mostAtOnce: 0,
  };
  const store: UsageStore = {
    async add(given, uses) {
      ledger.atOnce += 1;
      ledger.mostAtOnce = Math.max(ledger.mostAtOnce, ledger.atOnce);
      try {
        const [news, newUses] = [structuredClone(given), structuredClone(uses)];
        await ledger.before();
        calls.push({ buckets: news.length, uses: newUses });
        for (const bucket of news) {
          const name = [bucket.keyId, bucket.environment, bucket.hour].join();
          const known = buckets.get(name) ?? { ...bucket, allowed: 0, refused: 0 };
          known.allowed += bucket.allowed;
          known.refused += bucket.refused;
          buckets.set(name, known);
        }
        for (const use of newUses) {
          previousUses.set(use.keyId, (previousUses.get(use.keyId) ?? 0) + use.previousUses);
        }
      } finally {
        ledger.atOnce -= 1;
      }
    },
    list: async ({ from, to }) => [...buckets.values()].filter(({ hour }) => hour >= from && hour < to),
    purge: async () => 0,
  };
  return { store, ledger };
}

export const away = (): Promise<never> => Promise.reject(new StoreUnavailableError('database', undefined));

export const sumOf = (buckets: Iterable<UsageBucket>): { allowed: number; refused: number } => {
  const sum = { allowed: 0, refused: 0 };
  for (const { allowed, refused } of buckets) {
    sum.allowed += allowed;
    sum.refused += refused;
  }
  return sum;
};

/** A recorder over the ledger, with a clock that the test moves. */
export function recorderAt(startMs = T, options: { maxBuckets?: number; flushMs?: number } = {}) {
  const { store, ledger } = usageLedger();
  const errors: unknown[] = [];
  let nowMs = startMs;
  const clock = { nowMs: () => nowMs, nowSeconds: () => Math.floor(nowMs / 1000) };
  const usage = createUsage({ store, clock, onError: (err) => void errors.push(err), ...options });
  const record = (keyId: string, use: Partial<Parameters<typeof usage.record>[0]> = {}): void =>
    usage.record({ keyId, ownerId: 'acc_ada', environment: 'live', outcome: 'allowed', oldSecret: false, ...use });
  return {
    usage,
    record,
    ledger,
    errors,
    uses: () => ledger.calls.flatMap(({ uses }) => uses),
    pass: (milliseconds: number) => {
      nowMs += milliseconds;
    },
  };
}
