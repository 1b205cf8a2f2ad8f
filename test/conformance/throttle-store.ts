import { expect } from 'chai';
import type { ThrottleStore } from '../../src/domain/limits/throttle-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { parallel } from './parallel.ts';

const T = 1_700_000_000_000;

export function throttleStoreSuite(open: () => Promise<ThrottleStore>): void {
  describe('throttle store', () => {
    let throttle: ThrottleStore;
    let key: string;
    before(async () => {
      throttle = await open();
    });
    beforeEach(() => {
      key = newId('throttle');
    });

    it('counts, and tells when the attempt before was', async () => {
      expect(await throttle.hit(key, 60, T)).to.deep.equal({ attempts: 1, previousAtMs: null });
      expect(await throttle.hit(key, 60, T + 5)).to.deep.equal({ attempts: 2, previousAtMs: T });
      expect(await throttle.hit(key, 60, T + 7)).to.deep.equal({ attempts: 3, previousAtMs: T + 5 });
    });

    it('starts again once the window has passed, which every attempt prolongs', async () => {
      await throttle.hit(key, 60, T);
      expect((await throttle.hit(key, 60, T + 59_999)).attempts).to.equal(2);
      expect((await throttle.hit(key, 60, T + 119_998)).attempts).to.equal(3);
      expect(await throttle.hit(key, 60, T + 179_998)).to.deep.equal({ attempts: 1, previousAtMs: null });
    });

    it('starts again when the last attempt lies in the future, further than clocks are apart', async () => {
      await throttle.hit(key, 60, T + 3_600_000);
      expect(await throttle.peek(key, T)).to.equal(null);
      expect(await throttle.hit(key, 60, T)).to.deep.equal({ attempts: 1, previousAtMs: null });
      expect(await throttle.hit(key, 60, T + 1)).to.deep.equal({ attempts: 2, previousAtMs: T });
      await throttle.hit(key, 60, T + 4001);
      expect((await throttle.peek(key, T + 1))?.attempts, 'a clock four seconds behind').to.equal(3);
      expect((await throttle.hit(key, 60, T + 1)).attempts).to.equal(4);
    });

    it('gives 50 parallel attempts the counts 1 to 50', async () => {
      const counts = (await parallel(50, () => throttle.hit(key, 60, T))).map(({ attempts }) => attempts);
      expect(counts.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 50 }, (_, index) => index + 1));
    });

    it('shows a counter without counting', async () => {
      expect(await throttle.peek(key, T)).to.equal(null);
      await throttle.hit(key, 60, T);
      await throttle.hit(key, 60, T + 5);
      for (let times = 0; times < 2; times += 1) {
        expect(await throttle.peek(key, T + 6)).to.deep.equal({ attempts: 2, previousAtMs: T + 5 });
      }
      expect(await throttle.peek(key, T + 60_004)).to.not.equal(null);
      expect(await throttle.peek(key, T + 60_005)).to.equal(null);
    });

    it('forgets a key that is reset, and no other', async () => {
      const other = newId('throttle');
      await throttle.hit(key, 60, T);
      await throttle.hit(other, 60, T);
      await throttle.reset(key);
      await throttle.reset(newId('throttle'));
      expect(await throttle.peek(key, T)).to.equal(null);
      expect((await throttle.hit(key, 60, T)).attempts).to.equal(1);
      expect((await throttle.hit(other, 60, T)).attempts).to.equal(2);
    });

    it('keeps its counters when it purges those that are over', async () => {
      await throttle.hit(key, 60, T);
      await throttle.purge(T + 59_999, 1000);
      expect((await throttle.hit(key, 60, T + 59_999)).attempts).to.equal(2);
      await throttle.purge(T + 1e9, 1000);
      expect((await throttle.hit(key, 60, T + 1e9)).attempts).to.equal(1);
    });
  });
}

/** For a store that does not forget by itself. */
export function throttlePurgeSuite(open: () => Promise<ThrottleStore>): void {
  it('purges at most `limit` counters whose window has passed', async () => {
    const throttle = await open();
    await throttle.purge(T + 1e12, 100_000);
    await parallel(5, () => throttle.hit(newId('throttle'), 60, T));
    await throttle.hit(newId('throttle'), 61, T);
    expect(await throttle.purge(T + 59_999, 100)).to.equal(0);
    expect(await throttle.purge(T + 60_000, 3)).to.equal(3);
    expect(await throttle.purge(T + 60_000, 100)).to.equal(2);
  });
}
