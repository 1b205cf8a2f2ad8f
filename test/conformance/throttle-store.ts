import { expect } from 'chai';
import fc from 'fast-check';
import type { Counter, Counters, ThrottleStore } from '../../src/domain/limits/throttle-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { createMemoryThrottleStore } from '../../src/storage/memory/memory-throttle-store.ts';
import { parallel } from './parallel.ts';
import { apart, even, growing } from './throttle-counters.ts';

const T = 1_700_000_000_000;

const together = (...counters: Counter[]): Counters[] => [{ owner: 'owner', counters }];

export function throttleStoreSuite(open: () => Promise<ThrottleStore>): void {
  describe('throttle store', () => {
    let throttle: ThrottleStore;
    before(async () => {
      throttle = await open();
    });
    const take = async (nowMs: number, ...counters: Counter[]) =>
      (await throttle.take(apart(...counters), nowMs)).join();

    it('lets the free attempts of a growing counter pass, then doubles the wait up to the longest', async () => {
      const counter = growing();
      for (let i = 0; i < 3; i += 1) expect(await take(T, counter)).to.equal('0');
      let nowMs = T;
      for (const wait of [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
        expect(await take(nowMs, counter)).to.equal(String(wait));
        // What must wait is not counted, so asking again prolongs nothing.
        expect(await take(nowMs + 500, counter)).to.equal(String(wait - 500));
        nowMs += wait;
        expect(await take(nowMs, counter)).to.equal('0');
      }
    });

    it('starts a growing counter again once its window has passed, which every attempt prolongs', async () => {
      const counter = growing();
      for (let i = 0; i < 3; i += 1) await take(T + i * 599_999, counter);
      expect(await take(T + 2 * 599_999, counter)).to.equal('2000');
      expect(await take(T + 2 * 599_999 + 600_000, counter)).to.equal('0');
      expect(await take(T + 2 * 599_999 + 600_000, counter)).to.equal('0');
    });

    it('lets the capacity of an even counter pass, then one an interval', async () => {
      const counter = even();
      for (let i = 0; i < 4; i += 1) expect(await take(T, counter)).to.equal('0');
      expect(await take(T, counter)).to.equal('1000');
      expect(await take(T + 999, counter)).to.equal('1');
      expect(await take(T + 1000, counter)).to.equal('0');
      expect(await take(T + 1000, counter)).to.equal('1000');
      // Empty again: all of the capacity and no more.
      for (let i = 0; i < 4; i += 1) expect(await take(T + 60_000, counter)).to.equal('0');
      expect(await take(T + 60_000, counter)).to.equal('1000');
    });

    it('holds those that have used up their free attempts to the smaller capacity', async () => {
      const [shared, tired, fresh] = [even(), growing(), growing()];
      for (let i = 0; i < 3; i += 1) await throttle.take(together(tired), T);
      for (let i = 0; i < 2; i += 1) await throttle.take(together(shared), T);
      const nowMs = T + 2000;
      for (let i = 0; i < 2; i += 1) await throttle.take(together(shared), nowMs);
      expect((await throttle.take(together(tired, shared), nowMs)).join()).to.equal('0,1000');
      expect((await throttle.take(together(fresh, shared), nowMs)).join()).to.equal('0,0');
    });

    it('counts in all counters or in none, whoever owns them', async () => {
      for (const group of [apart, together]) {
        const [full, other] = [even(), growing()];
        for (let i = 0; i < 4; i += 1) await throttle.take(group(full), T);
        for (let i = 0; i < 5; i += 1) expect((await throttle.take(group(other, full), T)).join()).to.equal('0,1000');
        for (let i = 0; i < 3; i += 1) expect((await throttle.take(group(other), T)).join()).to.equal('0');
      }
    });

    it('gives back one attempt, and leaves what others took', async () => {
      const [slow, steady] = [growing(), even()];
      for (let i = 0; i < 2; i += 1) await throttle.take(together(slow, steady), T);
      await throttle.take(together(slow, steady), T + 5);
      await throttle.settle(together(slow, steady), 'give-back', T + 5);
      expect((await throttle.take(together(slow, steady), T + 5)).join()).to.equal('0,0');
      expect((await throttle.take(together(slow), T + 5)).join()).to.equal('2000');
      expect((await throttle.take(together(steady), T + 5)).join()).to.equal('0');
      expect((await throttle.take(together(steady), T + 5)).join()).to.equal('995');
    });

    it('makes nobody wait longer for an attempt that was given back', async () => {
      const counter = growing();
      for (let i = 0; i < 4; i += 1) await take(T + i * 2000, counter);
      expect(await take(T + 6000, counter)).to.equal('4000');
      expect(await take(T + 10_000, counter)).to.equal('0');
      await throttle.settle(apart(counter), 'give-back', T + 10_000);
      expect(await take(T + 10_000, counter)).to.equal('0');
    });

    it('gives nothing back to a counter that is gone, and does not make one of it', async () => {
      const [slow, steady] = [growing(), even()];
      await throttle.settle(together(slow, steady), 'give-back', T);
      await throttle.settle(together(slow, steady), 'forget', T);
      for (let i = 0; i < 4; i += 1) expect(await take(T, steady)).to.equal('0');
      expect(await take(T, steady)).to.equal('1000');
    });

    it('forgets a growing counter, and no other', async () => {
      const [mine, theirs, steady] = [growing(), growing(), even()];
      for (let i = 0; i < 3; i += 1) for (const one of [mine, theirs, steady]) await take(T, one);
      await throttle.settle(apart(mine, steady), 'forget', T);
      for (let i = 0; i < 3; i += 1) expect(await take(T, mine)).to.equal('0');
      expect(await take(T, theirs)).to.equal('2000');
      for (let i = 0; i < 2; i += 1) expect(await take(T, steady)).to.equal('0');
      expect(await take(T, steady)).to.equal('1000');
    });

    it('lets no more of 50 parallel attempts pass than are free', async () => {
      const [slow, steady] = [growing(), even()];
      const waits = await parallel(50, () => throttle.take(together(slow, steady), T));
      expect(waits.filter((wait) => wait.every((one) => one === 0))).to.have.length(3);
      const alone = even();
      const passed = await parallel(50, () => take(T, alone));
      expect(passed.filter((wait) => wait === '0')).to.have.length(4);
    });

    it('gives back of 50 parallel attempts exactly those that are given back', async () => {
      const wide = { ...even(), capacity: 50, wornCapacity: 50 };
      await parallel(50, () => take(T, wide));
      expect(await take(T, wide)).to.equal('1000');
      await parallel(20, () => throttle.settle(apart(wide), 'give-back', T));
      const passed = await parallel(50, () => take(T, wide));
      expect(passed.filter((wait) => wait === '0')).to.have.length(20);
    });

    it('does not believe what a clock that was far ahead has left', async () => {
      const [slow, steady] = [growing(), even()];
      const year = T + 365 * 86_400_000;
      for (let i = 0; i < 3; i += 1) await throttle.take(apart(slow, steady), year);
      await throttle.take(apart(steady), year);
      expect((await throttle.take(apart(slow, steady), T)).join()).to.equal('0,0');
      // And from here it counts as ever.
      for (let i = 0; i < 2; i += 1) expect(await take(T, slow)).to.equal('0');
      expect(await take(T, slow)).to.equal('2000');
      for (let i = 0; i < 3; i += 1) expect(await take(T, steady)).to.equal('0');
      expect(await take(T, steady)).to.equal('1000');
    });

    it('makes nobody wait longer for a clock that was a little ahead', async () => {
      const [slow, steady] = [growing(), even()];
      for (let i = 0; i < 3; i += 1) await throttle.take(apart(slow), T + 4000);
      for (let i = 0; i < 4; i += 1) await throttle.take(apart(steady), T + 3000);
      expect(await take(T, slow)).to.equal('2000');
      expect(Number(await take(T, steady))).to.be.within(1, 4000);
    });

    it('does, whatever is asked in whatever order, what the memory of one process does', async () => {
      const counters = [growing(), growing(), even(), even()];
      const operation = fc.record({
        which: fc.subarray([0, 1, 2, 3], { minLength: 1 }),
        how: fc.constantFrom('take', 'take', 'take', 'give-back', 'forget'),
        laterMs: fc.constantFrom(0, 1, 700, 2500, 70_000),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 15 }), async (operations) => {
          const model = createMemoryThrottleStore({ max: 100 });
          const fresh = counters.map((one) => ({ ...one, id: newId('throttle') }));
          let nowMs = T;
          for (const { which, how, laterMs } of operations) {
            nowMs += laterMs;
            const chosen = together(...which.map((index) => fresh[index] as Counter));
            if (how === 'take') {
              expect(await throttle.take(chosen, nowMs)).to.deep.equal(await model.take(chosen, nowMs));
            } else {
              await throttle.settle(chosen, how as 'forget', nowMs);
              await model.settle(chosen, how as 'forget', nowMs);
            }
          }
        }),
        { numRuns: 30 },
      );
    });

    it('keeps its counters when it purges those that are over', async () => {
      const [slow, steady] = [growing(), even()];
      for (let i = 0; i < 3; i += 1) await take(T, slow);
      for (let i = 0; i < 4; i += 1) await take(T, steady);
      await throttle.purge(T + 999, 1000);
      expect(await take(T, steady)).to.equal('1000');
      expect(await take(T, slow)).to.equal('2000');
    });
  });
}

/** For a store that does not forget by itself. */
export function throttlePurgeSuite(open: () => Promise<ThrottleStore>): void {
  it('purges at most `limit` counters that are over', async () => {
    const throttle = await open();
    await throttle.purge(T + 1e12, 100_000);
    await parallel(4, () => throttle.take(apart({ ...growing(), windowMs: 4000 }), T));
    await throttle.take(apart({ ...even(), intervalMs: 4000 }), T);
    await throttle.take(apart({ ...growing(), windowMs: 4001 }), T);
    expect(await throttle.purge(T + 3999, 100)).to.equal(0);
    expect(await throttle.purge(T + 4000, 3)).to.equal(3);
    expect(await throttle.purge(T + 4000, 100)).to.equal(2);
  });
}
