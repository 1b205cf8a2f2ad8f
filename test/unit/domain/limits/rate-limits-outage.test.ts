import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import type { LimitRule } from '../../../../src/domain/limits/limit-rule.ts';
import { StoreUnavailableError } from '../../../../src/kit/errors.ts';
import { countdown, KEY, limitsOf, unsteady } from './rate-limit-worlds.ts';

const RULE: LimitRule = { name: 'api-keys', per: 'key', quota: 100, windowSeconds: 3600 };
const away = () => Promise.reject(new StoreUnavailableError('redis', undefined));
const hanging = () => new Promise<never>(() => undefined);

function brokenBy(
  answer: () => Promise<void>,
  options: { processes?: number; budgetMs?: number; rule?: LimitRule } = {},
) {
  const { store, world } = unsteady(countdown().store);
  world.answer = answer;
  return { world, ...limitsOf([options.rule ?? RULE], { store, ...options }) };
}

describe('when the limit store is away', () => {
  for (const [what, answer] of [
    ['unreachable', away],
    ['hanging', hanging],
    ['failing in an unknown way', () => Promise.reject(new TypeError('a bug'))],
  ] as const) {
    it(`as ${what}, this process decides with its share and never lets more pass`, async () => {
      const { limits } = brokenBy(answer, { processes: 4 });
      const decisions = await Promise.all(Array.from({ length: 200 }, () => limits.take(KEY)));
      expect(decisions.filter(({ allowed }) => allowed)).to.have.length(25);
    });
  }

  it('allows at least one, however small the quota and however many the processes', async () => {
    const { limits } = brokenBy(away, { processes: 8, rule: { ...RULE, quota: 3 } });
    expect((await limits.take(KEY)).allowed).to.equal(true);
    expect((await limits.take(KEY)).allowed).to.equal(false);
  });

  it('still speaks of the published quota', async () => {
    const { limits } = brokenBy(away, { processes: 4 });
    expect((await limits.take(KEY)).states).to.deep.include({
      name: 'api-keys',
      allowed: true,
      quota: 100,
      windowSeconds: 3600,
      remaining: 24,
      resetSeconds: 3600,
    });
  });

  it('limits an endpoint as well', async () => {
    const { limits } = brokenBy(away, { processes: 2 });
    const decisions = await Promise.all(Array.from({ length: 100 }, () => limits.takeFrom(RULE, '192.0.2.7')));
    expect(decisions.filter(({ allowed }) => allowed)).to.have.length(50);
  });

  it('decides within the budget, and at once after the first failure', async () => {
    const { limits, world } = brokenBy(hanging, { budgetMs: 50 });
    const started = performance.now();
    await limits.take(KEY);
    const first = performance.now() - started;
    for (let i = 0; i < 100; i += 1) await limits.take(KEY);
    const others = performance.now() - started - first;
    // Wide of the mark on purpose: other programs run on this machine.
    expect(first).to.be.within(45, 500);
    expect(others).to.be.below(500);
    expect(world.calls).to.equal(1);
  });

  it('asks it again after a second, one request at a time', async () => {
    const { limits, world, pass } = brokenBy(away);
    await limits.take(KEY);
    pass(999);
    await Promise.all(Array.from({ length: 50 }, () => limits.take(KEY)));
    expect(world.calls).to.equal(1);
    pass(1);
    await Promise.all(Array.from({ length: 50 }, () => limits.take(KEY)));
    expect(world.calls).to.equal(2);
    pass(999);
    await limits.take(KEY);
    expect(world.calls).to.equal(2);
  });

  it('is not left alone for longer because of calls that were under way when it failed', async () => {
    const release = Promise.withResolvers<void>();
    const { limits, world, pass } = brokenBy(() => release.promise, { budgetMs: 10_000 });
    const slow = limits.take(KEY);
    world.answer = away;
    await limits.take(KEY);
    pass(900);
    release.reject(new StoreUnavailableError('redis', undefined));
    await slow;
    pass(100);
    await limits.take(KEY);
    expect(world.calls).to.equal(3);
  });

  it('goes back to it with the first answer, and tells of each change once', async () => {
    const { limits, world, pass, changes, calls, fallbackCalls } = brokenBy(away);
    await Promise.all(Array.from({ length: 50 }, () => limits.take(KEY)));
    pass(1000);
    await limits.take(KEY);
    expect(changes).to.deep.equal([true]);
    world.answer = () => Promise.resolve();
    pass(1000);
    const usedByFallback = fallbackCalls.length;
    expect((await limits.take(KEY)).states[0]?.remaining).to.equal(99);
    expect((await limits.take(KEY)).states[0]?.remaining).to.equal(98);
    expect(changes).to.deep.equal([true, false]);
    // For as long as what it gave by itself may count twice, it asks both.
    expect(fallbackCalls).to.have.length(usedByFallback + 2);
    await limits.take({ ...KEY, keyId: 'key_two' });
    expect(fallbackCalls).to.have.length(usedByFallback + 2);
    expect(calls).to.deep.equal([]);
  });

  it('stays with its own counters when an abandoned call answers late', async () => {
    const release = Promise.withResolvers<void>();
    const { limits, world, changes } = brokenBy(() => release.promise, { budgetMs: 5 });
    await limits.take(KEY);
    release.resolve();
    world.answer = () => Promise.resolve();
    await sleep(5);
    await limits.take(KEY);
    expect(world.calls).to.equal(1);
    expect(changes).to.deep.equal([true]);
  });

  it('lets an abandoned call fail late without a word', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const release = Promise.withResolvers<void>();
    const { limits } = brokenBy(() => release.promise, { budgetMs: 5 });
    await limits.take(KEY);
    release.reject(new StoreUnavailableError('redis', undefined));
    await sleep(20);
    process.off('unhandledRejection', note);
    expect(unhandled).to.deep.equal([]);
  });

  it('does not blame the store for the time this process was busy', async () => {
    // Arrives with the network, which is read after the timers.
    const { limits, changes } = brokenBy(() => new Promise((resolve) => setImmediate(resolve)), { budgetMs: 10 });
    const decided = limits.take(KEY);
    const started = performance.now();
    while (performance.now() - started < 30);
    await decided;
    expect(changes).to.deep.equal([]);
  });

  it('neither keeps a process alive with timers nor lets them pile up', async () => {
    const { limits } = brokenBy(() => Promise.resolve(), { budgetMs: 60_000 });
    const open = new Set<unknown>();
    let holding = 0;
    const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
    globalThis.setTimeout = ((...given: Parameters<typeof real.setTimeout>) => {
      const timer = real.setTimeout(...given);
      open.add(timer);
      return timer;
    }) as typeof setTimeout;
    globalThis.clearTimeout = (timer) => {
      open.delete(timer);
      real.clearTimeout(timer);
    };
    try {
      const decided = Promise.all(Array.from({ length: 50 }, () => limits.take(KEY)));
      expect(open.size).to.equal(50);
      holding = [...open].filter((timer) => (timer as NodeJS.Timeout).hasRef()).length;
      await decided;
    } finally {
      Object.assign(globalThis, real);
    }
    expect([holding, open.size]).to.deep.equal([0, 0]);
  });

  it('gives its part of what the store said last is left, and nothing on top of that', async () => {
    for (const [processes, part] of [
      [1, 30],
      [2, 15],
      [4, 7],
    ] as const) {
      const { limits, world } = brokenBy(() => Promise.resolve(), { processes });
      for (let i = 0; i < 70; i += 1) await limits.take(KEY);
      world.answer = away;
      const decisions = await Promise.all(Array.from({ length: 200 }, () => limits.take(KEY)));
      expect(decisions.filter(({ allowed }) => allowed)).to.have.length(part);
    }
  });

  it('hears an answer that comes too late for its request', async () => {
    const { limits, world } = brokenBy(() => sleep(60), { budgetMs: 10 });
    const first = await Promise.all(Array.from({ length: 40 }, () => limits.take(KEY)));
    expect(first.filter(({ allowed }) => allowed)).to.have.length(40);
    await sleep(150);
    world.answer = away;
    const then = await Promise.all(Array.from({ length: 200 }, () => limits.take(KEY)));
    // One less where the last answer was in time after all.
    expect(then.filter(({ allowed }) => allowed).length).to.be.within(59, 60);
  });

  it('lets two processes together pass no more than the quota while the store is away, nor when it is back', async () => {
    const { store, world } = unsteady(countdown().store);
    const both = [limitsOf([RULE], { store, processes: 2 }), limitsOf([RULE], { store, processes: 2 })];
    const crowd = async () => {
      const taken = both.flatMap(({ limits }) => Array.from({ length: 100 }, () => limits.take(KEY)));
      return (await Promise.all(taken)).filter(({ allowed }) => allowed).length;
    };
    world.answer = away;
    expect(await crowd()).to.equal(100);
    world.answer = () => Promise.resolve();
    for (const { pass } of both) pass(1000);
    expect(await crowd()).to.equal(0);
  });

  it('follows the store alone again, once what it gave by itself has come back', async () => {
    const { limits, world, pass } = brokenBy(away, { processes: 2, rule: { ...RULE, windowSeconds: 60 } });
    for (let i = 0; i < 60; i += 1) await limits.take(KEY);
    world.answer = () => Promise.resolve();
    pass(60_000);
    const decisions = await Promise.all(Array.from({ length: 200 }, () => limits.take(KEY)));
    await limits.take(KEY);
    const more = await Promise.all(Array.from({ length: 200 }, () => limits.take(KEY)));
    const passed = [...decisions, ...more].filter(({ allowed }) => allowed);
    expect(passed.length).to.be.within(99, 100);
  });

  it('never lets more pass than the quota, however the store comes and goes and how late it answers', async () => {
    const anyStep = fc.constantFrom('take', 'take', 'burst', 'away', 'back', 'late', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 60, size: 'max' }), async (steps) => {
        const rule = { ...RULE, quota: 10 };
        const { limits, world, pass } = brokenBy(() => Promise.resolve(), { rule, processes: 1, budgetMs: 2 });
        let passed = 0;
        for (const step of steps) {
          if (step === 'away') world.answer = away;
          else if (step === 'back') world.answer = () => Promise.resolve();
          else if (step === 'late') world.answer = () => sleep(5);
          else if (step === 'wait') pass(400);
          else {
            const decisions = await Promise.all(
              Array.from({ length: step === 'burst' ? 5 : 1 }, () => limits.take(KEY)),
            );
            passed += decisions.filter(({ allowed }) => allowed).length;
          }
        }
        expect(passed).to.be.at.most(10);
      }),
      { numRuns: 60 },
    );
  });
});
