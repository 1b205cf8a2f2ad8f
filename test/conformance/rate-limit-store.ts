import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { LimitCounter } from '../../src/domain/limits/limit-rule.ts';
import type { RateLimitStore } from '../../src/domain/limits/rate-limit-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { parallel } from './parallel.ts';

export const counterOf = (quota: number, windowSeconds: number, changes: Partial<LimitCounter> = {}): LimitCounter => ({
  name: 'requests',
  id: newId('limit'),
  quota,
  windowSeconds,
  ...changes,
});

export function rateLimitStoreSuite(open: () => Promise<RateLimitStore>): void {
  describe('rate limit store', () => {
    let limits: RateLimitStore;
    let owner: string;
    before(async () => {
      limits = await open();
    });
    beforeEach(() => {
      owner = newId('owner');
    });

    const take = async (counter: LimitCounter) => {
      const [state] = await limits.take(owner, [counter]);
      if (!state) throw new Error('no state');
      return state;
    };
    const allowedOf = async (count: number, counter: LimitCounter): Promise<number> =>
      (await parallel(count, () => take(counter))).filter(({ allowed }) => allowed).length;

    it('counts down from the quota, and says when all of it is back', async () => {
      const counter = counterOf(3, 3600);
      const common = { name: 'requests', quota: 3, windowSeconds: 3600, allowed: true };
      expect(await take(counter)).to.deep.equal({ ...common, remaining: 2, resetSeconds: 1200 });
      expect(await take(counter)).to.deep.include({ ...common, remaining: 1 });
      const last = await take(counter);
      expect(last).to.deep.include({ ...common, remaining: 0 });
      expect(last.resetSeconds).to.be.within(3595, 3600);
    });

    it('refuses beyond the quota, says when one more is allowed, and takes nothing then', async () => {
      const counter = counterOf(3, 3600);
      for (let times = 0; times < 3; times += 1) await take(counter);
      for (let times = 0; times < 20; times += 1) {
        const state = await take(counter);
        expect(state).to.deep.include({ allowed: false, remaining: 0 });
        expect(state.resetSeconds).to.be.within(1195, 1200);
      }
    });

    it('lets exactly 100 of 200 at once through on a fresh quota of 100', async () => {
      expect(await allowedOf(200, counterOf(100, 3600))).to.equal(100);
    });

    it('refuses none of those that meet at a counter nobody has used yet', async () => {
      for (let round = 0; round < 20; round += 1) expect(await allowedOf(12, counterOf(10, 3600))).to.equal(10);
    });

    for (const [quota, windowSeconds] of [
      [1000, 3600],
      [7, 3600],
      [30, 86_400],
      [1, 60],
    ] as const) {
      it(`lets exactly ${quota} through at once for ${quota} in ${windowSeconds} seconds`, async () => {
        const [counter, start] = [counterOf(quota, windowSeconds), performance.now()];
        const allowed = await allowedOf(quota + 20, counter);
        const refused = await take(counter);
        // A slow machine earns some more meanwhile.
        const earned = Math.floor(((performance.now() - start) / 1000) * (quota / windowSeconds));
        expect(allowed).to.be.within(quota, quota + earned);
        if (earned === 0) {
          expect(refused.allowed).to.equal(false);
          expect(refused.resetSeconds).to.be.within(1, Math.ceil(windowSeconds / quota));
        }
      });
    }

    it('lets one through per interval afterwards, not the quota anew', async () => {
      const counter = counterOf(2, 2);
      expect(await allowedOf(8, counter)).to.equal(2);
      await sleep(1100);
      expect(await allowedOf(8, counter)).to.equal(1);
    });

    it('gives all of the quota back after the window, and no more', async () => {
      const counter = counterOf(4, 2);
      expect(await allowedOf(10, counter)).to.equal(4);
      await sleep(2100);
      const again = await take(counter);
      expect(again).to.deep.include({ allowed: true, remaining: 3, resetSeconds: 1 });
      expect(await allowedOf(10, counter)).to.equal(3);
    });

    it('starts afresh when it is further ahead than it can be, as a clock that was wrong leaves it, for exactly its quota', async () => {
      const wrong = counterOf(1, 3600);
      await take(wrong);
      // The same row, read as one of a second: an hour ahead is more than it can be.
      const counter = { ...wrong, quota: 5, windowSeconds: 5 };
      expect((await take(counter)).allowed).to.equal(true);
      expect(await allowedOf(50, counter)).to.be.within(4, 6);
      const [beside] = await limits.take(owner, [counterOf(9, 3600), { ...wrong, quota: 1, windowSeconds: 7200 }]);
      expect(beside?.allowed).to.equal(true);
    });

    it('takes from all counters or from none, and says what each of them says', async () => {
      const [wide, narrow] = [counterOf(100, 3600, { name: 'wide' }), counterOf(2, 3600, { name: 'narrow' })];
      await limits.take(owner, [wide, narrow]);
      await limits.take(owner, [narrow, wide]);
      for (let times = 0; times < 5; times += 1) {
        const [first, second] = await limits.take(owner, [wide, narrow]);
        expect(first).to.deep.include({ name: 'wide', allowed: true, remaining: 98 });
        expect(second).to.deep.include({ name: 'narrow', allowed: false, remaining: 0 });
        expect(second?.resetSeconds).to.be.within(1795, 1800);
      }
      expect(await take(wide)).to.deep.include({ allowed: true, remaining: 97 });
    });

    it('takes from all counters or from none, 50 at once', async () => {
      const counters = [counterOf(30, 3600), counterOf(20, 3600), counterOf(100, 3600)];
      const orders = [counters, [...counters].reverse()];
      const outcomes = await parallel(50, (index) => limits.take(owner, orders[index % 2] ?? counters));
      const passed = outcomes.filter((states) => states.every(({ allowed }) => allowed));
      expect(passed).to.have.lengthOf(20);
      for (const [index, remaining] of [9, 0, 79].entries()) {
        const [state] = await limits.take(owner, counters.slice(index, index + 1));
        expect(state?.allowed).to.equal(index !== 1);
        expect(state?.remaining).to.equal(remaining);
      }
    });

    it('keeps counters apart, and takes nothing for no counter', async () => {
      const [one, other] = [counterOf(1, 3600), counterOf(1, 3600)];
      expect((await take(one)).allowed).to.equal(true);
      expect((await take(other)).allowed).to.equal(true);
      expect((await take(one)).allowed).to.equal(false);
      expect(await limits.take(owner, [])).to.deep.equal([]);
    });

    it('keeps its counters when it purges those that are full again', async () => {
      const [kept, gone] = [counterOf(1, 3600), counterOf(10, 1)];
      await limits.take(owner, [kept, gone]);
      await sleep(150);
      await limits.purge(100_000);
      expect((await take(kept)).allowed).to.equal(false);
      expect((await take(gone)).remaining).to.equal(9);
    });
  });
}

/** For a store that does not forget by itself. */
export function rateLimitPurgeSuite(open: () => Promise<RateLimitStore>): void {
  it('purges at most `limit` counters that are full again', async () => {
    const limits = await open();
    await sleep(1100);
    await limits.purge(100_000);
    await parallel(5, () => limits.take('owner', [counterOf(10, 1)]));
    await limits.take('owner', [counterOf(10, 3600)]);
    await sleep(150);
    expect(await limits.purge(3)).to.equal(3);
    expect(await limits.purge(100)).to.equal(2);
    expect(await limits.purge(100)).to.equal(0);
  });
}
