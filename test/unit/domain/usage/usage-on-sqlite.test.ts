import { expect } from 'chai';
import { createUsage } from '../../../../src/domain/usage/usage-recorder.ts';
import { createUsageReports } from '../../../../src/domain/usage/usage-reports.ts';
import type { UsageStore } from '../../../../src/domain/usage/usage-store.ts';
import type { Stores } from '../../../../src/storage/stores.ts';
import { openStores } from '../../../storage/open-stores.ts';
import { away, T } from './usage-ledger.ts';

const DAY_MS = 86_400_000;

describe('usage on SQLite', () => {
  let stores: Stores;
  before(async () => {
    stores = await openStores({ databaseUrl: 'sqlite::memory:' });
  });
  after(() => stores[Symbol.asyncDispose]());

  it('is reported exactly as two processes counted it, though every third write fails', async () => {
    let writes = 0;
    let shakes = true;
    const shaky: UsageStore = {
      ...stores.usage,
      async add(buckets, uses) {
        writes += 1;
        if (shakes && writes % 3 === 0) await away();
        await stores.usage.add(buckets, uses);
      },
    };
    const errors: unknown[] = [];
    let nowMs = T;
    const clock = { nowMs: () => nowMs, nowSeconds: () => Math.floor(nowMs / 1000) };
    const processes = [1, 2].map(() =>
      createUsage({ store: shaky, clock, maxBuckets: 2000, onError: (err) => void errors.push(err) }),
    );
    const flushes: Promise<void>[] = [];
    for (let i = 0; i < 30_000; i += 1) {
      processes[i % 2]?.record({
        keyId: `key_${i % 700}`,
        ownerId: 'acc_ada',
        environment: i % 5 === 0 ? 'test' : 'live',
        outcome: i % 10 === 0 ? 'refused' : 'allowed',
        oldSecret: false,
      });
      if (i % 3000 === 0) {
        nowMs += 600_000;
        flushes.push(...processes.map((usage) => usage.flush().catch(() => undefined)));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await Promise.all(flushes);
    shakes = false;
    await Promise.all(processes.map((usage) => usage.stop()));
    expect(errors).to.deep.equal([]);
    const reports = createUsageReports({
      store: stores.usage,
      environments: { live: { billable: true }, test: { billable: false } },
    });
    const filter = { ownerId: 'acc_ada', from: T - DAY_MS, to: T + DAY_MS, interval: 'hour' as const };
    const { totals, series, byKey } = await reports.report(filter);
    // Of five, one is a test; of ten, one was refused: a test one.
    expect(totals).to.deep.equal({ allowed: 27_000, refused: 3000, billable: 24_000, free: 3000 });
    expect(series.length).to.be.above(1);
    expect(series.reduce((sum, { billable }) => sum + billable, 0)).to.equal(24_000);
    expect(byKey.reduce((sum, { allowed }) => sum + allowed, 0)).to.equal(27_000);
    expect((await reports.report({ ...filter, ownerId: 'acc_eve' })).totals.allowed).to.equal(0);
  });
});
