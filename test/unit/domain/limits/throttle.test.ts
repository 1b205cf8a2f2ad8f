import { expect } from 'chai';
import fc from 'fast-check';
import { createThrottle, type EvenPolicy, type ThrottlePolicy } from '../../../../src/domain/limits/throttle.ts';
import { delayOf, type ThrottleStore } from '../../../../src/domain/limits/throttle-store.ts';
import { createDigester } from '../../../../src/kit/digest.ts';
import { StoreUnavailableError } from '../../../../src/kit/errors.ts';
import { createMemoryThrottleStore } from '../../../../src/storage/memory/memory-throttle-store.ts';

const POLICY: ThrottlePolicy = {
  name: 'test',
  freeAttempts: 3,
  firstDelaySeconds: 2,
  maxDelaySeconds: 60,
  windowSeconds: 600,
};

const PACE: EvenPolicy = { name: 'pace', capacity: 2, intervalSeconds: 10 };

function throttleAt(startMs = 1_800_000_000_000) {
  let nowMs = startMs;
  const store = createMemoryThrottleStore({ max: 1000 });
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

const seconds = (policy: ThrottlePolicy, attempt: number): number =>
  delayOf(
    {
      kind: 'growing',
      id: '',
      freeAttempts: policy.freeAttempts,
      firstDelayMs: policy.firstDelaySeconds * 1000,
      maxDelayMs: policy.maxDelaySeconds * 1000,
      windowMs: policy.windowSeconds * 1000,
    },
    attempt,
  ) / 1000;

describe('the delay before an attempt', () => {
  it('is nothing for the free ones, then doubles up to its limit', () => {
    const delays = Array.from({ length: 11 }, (_, i) => seconds(POLICY, i));
    expect(delays).to.deep.equal([0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60]);
  });

  it('never shrinks, never passes the limit and stays a number, however many attempts', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (a, b) => {
        const [fewer, more] = [Math.min(a, b), Math.max(a, b)];
        const delay = seconds(POLICY, more);
        expect(delay).to.be.at.least(seconds(POLICY, fewer));
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

  it('names the counter that makes an attempt wait longest', async () => {
    const { throttle } = throttleAt();
    const claims = [
      { policy: POLICY, owner: 'ada', subject: 'ada' },
      { policy: PACE, owner: 'house', subject: 'house' },
    ];
    for (let i = 0; i < 2; i += 1) expect((await throttle.begin(claims)).kind).to.equal('begun');
    expect(await throttle.begin(claims)).to.deep.equal({ kind: 'refused', by: 'pace', retryAfterSeconds: 10 });
    await throttle.attempt(POLICY, 'ada');
    expect(await throttle.begin([claims[0] as (typeof claims)[0]])).to.include({ by: 'test', retryAfterSeconds: 2 });
  });

  it('takes a success back and no more, and forgives only where waits grow', async () => {
    const { throttle } = throttleAt();
    const mine = { policy: POLICY, owner: 'ada', subject: 'ada' };
    const house = { policy: PACE, owner: 'house', subject: 'house' };
    await throttle.begin([mine, house]);
    for (let i = 0; i < 20; i += 1) {
      const begun = await throttle.begin([mine, house]);
      if (begun.kind === 'refused') throw new Error(`refused by ${begun.by}`);
      await begun.end('succeeded');
    }
    // The failure at the address is still there, that of the account is forgiven.
    expect((await throttle.begin([house])).kind).to.equal('begun');
    expect((await throttle.begin([house])).kind).to.equal('refused');
    for (let i = 0; i < 3; i += 1) expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(2);
  });

  it('does not count what was abandoned, and forgives nothing for it', async () => {
    const { throttle } = throttleAt();
    const claims = [
      { policy: POLICY, owner: 'ada', subject: 'ada' },
      { policy: PACE, owner: 'house', subject: 'house' },
    ];
    await throttle.attempt(POLICY, 'ada');
    for (let i = 0; i < 20; i += 1) {
      const begun = await throttle.begin(claims);
      if (begun.kind === 'refused') throw new Error(`refused by ${begun.by}`);
      await begun.end('abandoned');
    }
    for (let i = 0; i < 2; i += 1) expect(await throttle.attempt(POLICY, 'ada')).to.equal(null);
    expect(await throttle.attempt(POLICY, 'ada')).to.equal(2);
  });

  it('keeps neither names nor addresses', async () => {
    const seen: unknown[] = [];
    const store: ThrottleStore = {
      take: async (taken) => {
        seen.push(taken);
        return taken.flatMap(({ counters }) => counters.map(() => 0));
      },
      settle: async (taken) => void seen.push(taken),
      purge: async () => 0,
    };
    const clock = { nowMs: () => 1, nowSeconds: () => 0 };
    const throttle = createThrottle({ store, digester: createDigester(Buffer.alloc(32, 1)), clock });
    const begun = await throttle.begin([{ policy: POLICY, owner: 'ada@example.com', subject: 'ada@example.com' }]);
    if (begun.kind === 'begun') await begun.end('succeeded');
    expect(seen).to.have.length(2);
    expect(JSON.stringify(seen)).to.not.contain('ada');
  });
});

/** A throttle whose store can be taken away, with the counters of this process behind it. */
function throttleInOutage({ answerWithinMs = 20 } = {}) {
  let nowMs = 1_800_000_000_000;
  const store = createMemoryThrottleStore({ max: 1000 });
  let state: 'up' | 'down' | 'silent' | 'broken' = 'up';
  let asked = 0;
  const gone = async <T>(answer: () => Promise<T>): Promise<T> => {
    asked += 1;
    if (state === 'down') throw new StoreUnavailableError('redis', new Error('connection refused'));
    if (state === 'broken') throw new TypeError('a mistake');
    if (state === 'silent') return new Promise<T>(() => {});
    return answer();
  };
  const failing: ThrottleStore = {
    take: (...given) => gone(() => store.take(...given)),
    settle: (...given) => gone(() => store.settle(...given)),
    purge: async () => 0,
  };
  const clock = { nowMs: () => nowMs, nowSeconds: () => Math.floor(nowMs / 1000) };
  const digester = createDigester(Buffer.alloc(32, 1));
  return {
    throttle: createThrottle({
      store: failing,
      fallback: createMemoryThrottleStore({ max: 1000 }),
      answerWithinMs,
      digester,
      clock,
    }),
    withoutFallback: createThrottle({ store: failing, digester, clock }),
    asked: () => asked,
    become: (next: typeof state) => {
      state = next;
    },
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
  };
}

const EVEN: ThrottlePolicy = { ...POLICY, name: 'even', freeAttempts: 6 };

describe('the throttle without its store', () => {
  for (const state of ['down', 'silent'] as const) {
    it(`that is ${state} lets half of the free attempts pass, of 50 at once too, and no more`, async () => {
      const { throttle, become } = throttleInOutage();
      become(state);
      const answers = await Promise.all(Array.from({ length: 50 }, () => throttle.attempt(EVEN, 'ada')));
      expect(answers.filter((wait) => wait === null)).to.have.length(3);
      expect(await throttle.attempt(EVEN, 'ada')).to.be.above(0);
      expect(await throttle.attempt(EVEN, 'grace')).to.equal(null);
    });
  }

  it('goes on with the count when the store is asked again in vain', async () => {
    const { throttle, become, asked, pass } = throttleInOutage();
    become('down');
    for (let i = 0; i < 3; i += 1) expect(await throttle.attempt(EVEN, 'ada')).to.equal(null);
    pass(1);
    expect(await throttle.attempt(EVEN, 'ada')).to.equal(1);
    expect(asked()).to.equal(2);
    pass(1);
    expect(await throttle.attempt(EVEN, 'ada')).to.equal(null);
    expect(await throttle.attempt(EVEN, 'ada')).to.equal(4);
  });

  it('makes those wait who have a single free attempt or none, after the first', async () => {
    const { throttle, become } = throttleInOutage();
    become('down');
    const strict = { ...POLICY, freeAttempts: 1 };
    expect(await throttle.attempt(strict, 'ada')).to.equal(null);
    expect(await throttle.attempt(strict, 'ada')).to.be.above(0);
  });

  it('leaves the store alone for a second after it failed, then asks again', async () => {
    const { throttle, become, asked, pass } = throttleInOutage();
    become('down');
    for (const subject of ['ada', 'grace', 'joan', 'mary']) await throttle.attempt(EVEN, subject);
    expect(asked()).to.equal(1);
    pass(1);
    become('up');
    // What the store never counted is free again; what it counted before still counts.
    for (let i = 0; i < 6; i += 1) expect(await throttle.attempt(EVEN, 'ada')).to.equal(null);
    expect(await throttle.attempt(EVEN, 'ada')).to.equal(2);
    expect(asked()).to.be.above(6);
  });

  it('does not stay away from the store when the clock is set back', async () => {
    const { throttle, become, asked, pass } = throttleInOutage();
    become('down');
    await throttle.attempt(EVEN, 'ada');
    pass(-3600);
    become('up');
    await throttle.attempt(EVEN, 'ada');
    expect(asked()).to.be.above(1);
  });

  it('still forgives, without failing', async () => {
    for (const state of ['down', 'silent'] as const) {
      const { throttle, become } = throttleInOutage();
      become(state);
      for (let i = 0; i < 3; i += 1) await throttle.attempt(EVEN, 'ada');
      await throttle.forgive(EVEN, 'ada');
      for (let i = 0; i < 3; i += 1) expect(await throttle.attempt(EVEN, 'ada')).to.equal(null);
      expect(await throttle.attempt(EVEN, 'ada')).to.be.above(0);
    }
  });

  it('hides no mistake: only an outage is bridged', async () => {
    const { throttle, become } = throttleInOutage();
    become('broken');
    let thrown: unknown;
    await throttle.attempt(EVEN, 'ada').catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(TypeError);
  });

  it('fails like the store when nothing stands in for it', async () => {
    const { withoutFallback, become } = throttleInOutage();
    become('down');
    let thrown: unknown;
    await withoutFallback.attempt(EVEN, 'ada').catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(StoreUnavailableError);
  });
});
