import { expect } from 'chai';
import fc from 'fast-check';
import { createThrottle, requiredDelaySeconds, type ThrottlePolicy } from '../../../../src/domain/limits/throttle.ts';
import type { ThrottleStore } from '../../../../src/domain/limits/throttle-store.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

const POLICY: ThrottlePolicy = {
  name: 'test',
  freeAttempts: 3,
  firstDelaySeconds: 2,
  maxDelaySeconds: 60,
  windowSeconds: 600,
};

/** What throttle-store.ts promises, in a Map. */
function inMemory(): ThrottleStore & { keys: () => string[] } {
  const rows = new Map<string, { attempts: number; lastAtMs: number; endsMs: number }>();
  const live = (key: string, nowMs: number) => {
    const row = rows.get(key);
    return row && row.endsMs > nowMs ? row : undefined;
  };
  return {
    keys: () => [...rows.keys()],
    async hit(key, windowSeconds, nowMs) {
      const row = live(key, nowMs);
      rows.set(key, { attempts: (row?.attempts ?? 0) + 1, lastAtMs: nowMs, endsMs: nowMs + windowSeconds * 1000 });
      return { attempts: (row?.attempts ?? 0) + 1, previousAtMs: row?.lastAtMs ?? null };
    },
    async peek(key, nowMs) {
      const row = live(key, nowMs);
      return row ? { attempts: row.attempts, previousAtMs: row.lastAtMs } : null;
    },
    async reset(key) {
      rows.delete(key);
    },
    purge: async () => 0,
  };
}

function throttleAt(startMs = 1_800_000_000_000) {
  let nowMs = startMs;
  const store = inMemory();
  const clock = { nowMs: () => nowMs, nowSeconds: () => Math.floor(nowMs / 1000) };
  const throttle = createThrottle({ store, digester: createDigester(Buffer.alloc(32, 1)), clock });
  return {
    store,
    throttle,
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
  };
}

describe('the delay before an attempt', () => {
  it('is nothing for the free ones, then doubles up to its limit', () => {
    const delays = Array.from({ length: 11 }, (_, i) => requiredDelaySeconds(POLICY, i));
    expect(delays).to.deep.equal([0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('never shrinks, never passes the limit and stays a number, however many attempts', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (a, b) => {
        const [fewer, more] = [Math.min(a, b), Math.max(a, b)];
        const delay = requiredDelaySeconds(POLICY, more);
        expect(delay).to.be.at.least(requiredDelaySeconds(POLICY, fewer));
        expect(delay).to.be.within(0, POLICY.maxDelaySeconds);
      }),
    );
  });
});

describe('the throttle', () => {
  it('lets the free attempts pass at once and makes the next ones wait', async () => {
    const { throttle, pass } = throttleAt();
    for (let i = 0; i < 3; i += 1) expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(2);
    pass(1);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(1);
    pass(1);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(4);
  });

  it('does not count a refused attempt, so that nobody can keep somebody waiting for ever', async () => {
    const { throttle, pass } = throttleAt();
    for (let i = 0; i < 3; i += 1) await throttle.attempt(POLICY, 'ada');
    for (let i = 0; i < 50; i += 1) expect(await throttle.attempt(POLICY, 'ada')).to.equal(2);
    pass(2);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
  });

  it('counts attempts that come together: no more pass than are free', async () => {
    const { throttle } = throttleAt();
    const answers = await Promise.all(Array.from({ length: 50 }, () => throttle.attempt(POLICY, 'ada')));
    expect(answers.filter((wait) => wait === null)).to.have.length(3);
  });

  it('counts every subject and every policy apart', async () => {
    const { throttle } = throttleAt();
    for (let i = 0; i < 4; i += 1) await throttle.attempt(POLICY, 'ada');
    expect(await throttle.attempt(POLICY, 'grace')).to.equal(null);
    expect(await throttle.attempt({ ...POLICY, name: 'other' }, 'ada')).to.equal(null);
  });

  it('forgives after a success, and forgets after the window', async () => {
    const { throttle, pass } = throttleAt();
    for (let i = 0; i < 4; i += 1) await throttle.attempt(POLICY, 'ada');
    await throttle.forgive(POLICY, 'ada');
    for (let i = 0; i < 3; i += 1) expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
    pass(601);
    for (let i = 0; i < 3; i += 1) expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
  });

  it('waits no longer than the limit, however often it was tried', async () => {
    const { throttle, pass } = throttleAt();
    for (let i = 0; i < 100; i += 1) {
      const wait = await throttle.attempt(POLICY, 'ada');
      expect(wait ?? 0).to.be.at.most(60);
      pass(wait ?? 0);
    }
  });

  it('keeps neither names nor addresses', async () => {
    const { throttle, store } = throttleAt();
    await throttle.attempt(POLICY, 'ada@example.com');
    expect(store.keys().join()).to.not.contain('ada');
  });
});
