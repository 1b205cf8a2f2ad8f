import { expect } from 'chai';
import { createMemoryRateLimitStore } from '../../src/storage/memory/memory-rate-limit-store.ts';
import { createMemoryThrottleStore } from '../../src/storage/memory/memory-throttle-store.ts';
import { counterOf, rateLimitPurgeSuite, rateLimitStoreSuite } from '../conformance/rate-limit-store.ts';
import { apart, growing } from '../conformance/throttle-counters.ts';
import { throttlePurgeSuite, throttleStoreSuite } from '../conformance/throttle-store.ts';

describe('storage in memory', () => {
  const nowMs = () => performance.now();
  const throttle = createMemoryThrottleStore({ max: 1000 });
  const limits = createMemoryRateLimitStore({ max: 1000, nowMs });

  throttleStoreSuite(async () => throttle);
  throttlePurgeSuite(async () => throttle);
  rateLimitStoreSuite(async () => limits);
  rateLimitPurgeSuite(async () => limits);

  it('lets the next one through on the microsecond: for 1000 in an hour after 3.6 seconds', async () => {
    let now = 1000.25;
    const exact = createMemoryRateLimitStore({ max: 10, nowMs: () => now });
    const counter = counterOf(1000, 3600);
    const allowed = async () => (await exact.take('owner', [counter]))[0]?.allowed;
    for (let times = 0; times < 1000; times += 1) expect(await allowed()).to.equal(true);
    expect(await allowed()).to.equal(false);
    now += 3599.999;
    expect(await allowed()).to.equal(false);
    now += 0.002;
    expect([await allowed(), await allowed()]).to.deep.equal([true, false]);
    now += 3600_000;
    for (let times = 0; times < 1000; times += 1) expect(await allowed()).to.equal(true);
    expect(await allowed()).to.equal(false);
  });

  it('is bounded: of too many counters those go that were used least recently', async () => {
    const small = createMemoryRateLimitStore({ max: 2, nowMs });
    const [first, second, third] = [counterOf(5, 3600), counterOf(5, 3600), counterOf(5, 3600)];
    for (const counter of [first, second, first, third]) await small.take('owner', [counter]);
    expect((await small.take('owner', [first]))[0]?.remaining).to.equal(2);
    expect((await small.take('owner', [second]))[0]?.remaining).to.equal(4);

    const few = createMemoryThrottleStore({ max: 2 });
    for (const key of ['a', 'b', 'b', 'b', 'a', 'a', 'c']) await few.take(apart(growing(key)), 1);
    expect(await few.take(apart(growing('a')), 1)).to.deep.equal([2000]);
    expect(await few.take(apart(growing('b')), 1)).to.deep.equal([0]);
  });
});
