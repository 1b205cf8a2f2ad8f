import { expect } from 'chai';
import type { LeaseStore } from '../../src/domain/leases/lease-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { countTrue, parallel } from './parallel.ts';

const T = 1_700_000_000_000;

export function leaseStoreSuite(open: () => Promise<LeaseStore>): void {
  describe('lease store', () => {
    let leases: LeaseStore;
    let name: string;
    before(async () => {
      leases = await open();
    });
    beforeEach(() => {
      name = newId('job');
    });

    it('is held by one that asks for it many times at once', async () => {
      const name = newId('lease');
      expect(countTrue(await parallel(50, () => leases.acquire(name, 'me', T, 1000)))).to.equal(50);
      expect(await leases.acquire(name, 'another', T, 1000)).to.equal(false);
    });

    it('has one holder at a time, who may prolong', async () => {
      expect(await leases.acquire(name, 'a', T, 1000)).to.equal(true);
      expect(await leases.acquire(name, 'b', T + 500, 1000)).to.equal(false);
      expect(await leases.acquire(name, 'a', T + 500, 1000)).to.equal(true);
      expect(await leases.acquire(name, 'a', T + 500, 1000), 'with the same end').to.equal(true);
      expect(await leases.acquire(name, 'b', T + 1499, 1000)).to.equal(false);
      expect(await leases.acquire(newId('job'), 'b', T, 1000), 'another lease').to.equal(true);
    });

    it('is free when its time is over', async () => {
      await leases.acquire(name, 'a', T, 1000);
      expect(await leases.acquire(name, 'b', T + 1000, 1000)).to.equal(true);
      expect(await leases.acquire(name, 'a', T + 1001, 1000)).to.equal(false);
    });

    it("is never longer than it may be: one that a clock set far ahead has written is nobody's", async () => {
      const year = 365 * 86_400_000;
      await leases.acquire(name, 'a', T + year, 1000);
      expect(countTrue(await parallel(50, (index) => leases.acquire(name, `b${index}`, T, 1000)))).to.equal(1);
      expect(await leases.acquire(name, 'a', T + 500, 1000)).to.equal(false);
    });

    it('holds between processes whose clocks are a few seconds apart', async () => {
      await leases.acquire(name, 'a', T + 4000, 1000);
      expect(await leases.acquire(name, 'b', T, 1000)).to.equal(false);
    });

    it('is freed by its holder only', async () => {
      await leases.acquire(name, 'a', T, 1000);
      await leases.release(name, 'b');
      expect(await leases.acquire(name, 'b', T, 1000)).to.equal(false);
      await leases.release(name, 'a');
      await leases.release(name, 'a');
      expect(await leases.acquire(name, 'b', T, 1000)).to.equal(true);
    });

    it('goes to exactly one of 50 that ask at once, when it is new and when it is over', async () => {
      const ask = (nowMs: number) => parallel(50, (index) => leases.acquire(name, `${nowMs} ${index}`, nowMs, 1000));
      expect(countTrue(await ask(T))).to.equal(1);
      expect(countTrue(await ask(T + 999))).to.equal(0);
      expect(countTrue(await ask(T + 1000))).to.equal(1);
    });
  });
}
