import { expect } from 'chai';

import type { Stores } from '../../src/storage/stores.ts';
import { counterOf } from '../conformance/rate-limit-store.ts';
import { apart, even, growing } from '../conformance/throttle-counters.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { openStores } from './open-stores.ts';

describe('storage counters', () => {
  let stores: Stores;
  before(async () => {
    stores = await openStores({ databaseUrl: 'sqlite::memory:' });
  });
  after(() => stores[Symbol.asyncDispose]());

  const statements = async (work: () => Promise<unknown>): Promise<number> => {
    const before = stores.counters.sqlStatements();
    await work();
    return stores.counters.sqlStatements() - before;
  };

  it('count one statement for one', async () => {
    const record = tokenRecord('RefreshToken');
    expect(await statements(() => stores.tokens.insert(record))).to.equal(1);
    expect(await statements(() => stores.tokens.find('RefreshToken', record.id))).to.equal(1);
    expect(await statements(() => stores.tokens.findMany([record, tokenRecord('Grant')]))).to.equal(1);
    expect(await statements(() => stores.tokens.save(record))).to.equal(1);
    // What must wait is looked at first; all counters of an attempt share the two.
    expect(await statements(() => stores.throttle.take(apart(growing(), even(), even()), 1))).to.equal(2);
    expect(await statements(() => stores.throttle.settle(apart(growing(), even()), 'forget', 1))).to.equal(1);
    expect(await statements(() => stores.rateLimits.take('owner', [counterOf(1, 60)]))).to.equal(1);
    expect(await statements(() => stores.apiKeys.find('key_1'))).to.equal(1);
    expect(await statements(() => stores.apiKeys.findImported('digest'))).to.equal(1);
    expect(
      await statements(() => stores.tokens.commit({ inserts: [tokenRecord('Grant'), tokenRecord('Grant')] })),
    ).to.equal(1);
  });

  it('count BEGIN and COMMIT', async () => {
    const record = tokenRecord('RefreshToken');
    await stores.tokens.insert(record);
    const consume = { kind: record.kind, id: record.id, atMs: 1 };
    const commit = () => stores.tokens.commit({ consume, inserts: [tokenRecord('RefreshToken')] });
    expect(await statements(commit)).to.equal(4);
  });

  it('count no Redis where there is none', () => {
    expect(stores.counters.redisRoundTrips()).to.equal(0);
  });
});
