import { expect } from 'chai';
import { createTaggedCache } from '../../../src/kit/tagged-cache.ts';
import { createTestClock } from '../../support/harness.ts';

interface Thing {
  name: string;
  tags: string[];
}

describe('the cache', () => {
  /** A cache in front of a source whose loads can be held back. */
  function cacheOf(
    source: Record<string, Thing | null>,
    options: Partial<Parameters<typeof createTaggedCache<Thing>>[0]> = {},
  ) {
    const loads: string[] = [];
    let gate = Promise.resolve();
    const clock = createTestClock();
    const cache = createTaggedCache<Thing>({
      max: 10,
      ttlMs: 60_000,
      tagsOf: ({ tags }) => tags,
      doubtfulMs: 0,
      clock,
      ...options,
    });
    async function load(key: string): Promise<Thing | null> {
      loads.push(key);
      const value = source[key];
      await gate;
      if (value === undefined) throw new Error('the source is down');
      return value;
    }
    return {
      clock,
      loads,
      forget: cache.forget,
      find: async (key: string) => (await cache.find(key, () => load(key)))?.value ?? null,
      entry: (key: string) => cache.find(key, () => load(key)),
      renew: async (key: string) => (await cache.renew(key, () => load(key)))?.value ?? null,
      hold(): () => void {
        const { promise, resolve } = Promise.withResolvers<void>();
        gate = promise;
        return resolve;
      },
    };
  }

  const thing = (name: string, ...tags: string[]): Thing => ({ name, tags });

  it('loads once and gives the same object to everybody', async () => {
    const cache = cacheOf({ a: thing('a') });
    const first = await cache.find('a');
    expect(await cache.find('a')).to.equal(first);
    expect(cache.loads).to.deep.equal(['a']);
  });

  it('renews what it knows, and forgets it when there is nothing any more', async () => {
    const source: Record<string, Thing | null> = { a: thing('old', 'tag') };
    const cache = cacheOf(source);
    await cache.find('a');
    source.a = thing('new', 'tag');
    expect((await cache.renew('a'))?.name).to.equal('new');
    expect((await cache.find('a'))?.name).to.equal('new');
    cache.forget('tag');
    await cache.find('a');
    expect(cache.loads).to.deep.equal(['a', 'a', 'a']);
    source.a = null;
    expect(await cache.renew('a')).to.equal(null);
    expect(await cache.find('a')).to.equal(null);
  });

  it('shares one load among all who ask while it is under way', async () => {
    const cache = cacheOf({ a: thing('a'), b: thing('b') });
    const release = cache.hold();
    const asked = Array.from({ length: 100 }, () => cache.find('a'));
    const other = cache.find('b');
    release();
    expect(new Set(await Promise.all(asked)).size).to.equal(1);
    expect((await other)?.name).to.equal('b');
    expect(cache.loads).to.deep.equal(['a', 'b']);
  });

  it('keeps no failure, and tells everybody who waited', async () => {
    const source: Record<string, Thing | null> = {};
    const cache = cacheOf(source);
    const failures = await Promise.allSettled([cache.find('a'), cache.find('a')]);
    expect(failures.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    source.a = thing('back');
    expect((await cache.find('a'))?.name).to.equal('back');
  });

  it('drops everything under a tag, and nothing else', async () => {
    const source: Record<string, Thing | null> = { a: thing('a', 'x'), b: thing('b', 'x', 'y'), c: thing('c', 'y') };
    const cache = cacheOf(source);
    for (const key of ['a', 'b', 'c']) await cache.find(key);
    cache.forget('x');
    cache.forget('nothing has this tag');
    for (const key of ['a', 'b', 'c']) await cache.find(key);
    expect(cache.loads).to.deep.equal(['a', 'b', 'c', 'a', 'b']);
  });

  it('keeps nothing that was being read while something was dropped', async () => {
    const source: Record<string, Thing | null> = { a: thing('old', 'x') };
    const cache = cacheOf(source);
    const release = cache.hold();
    const early = cache.find('a');
    source.a = thing('new', 'x');
    cache.forget('x');
    // Who asks after the drop does not share the load from before it.
    const late = cache.find('a');
    release();
    expect([(await early)?.name, (await late)?.name]).to.deep.equal(['old', 'new']);
    expect((await cache.find('a'))?.name).to.equal('new');
    expect(cache.loads).to.have.length(2);

    // Nor when nobody asked before it was read.
    const hold = cache.hold();
    cache.forget('x');
    const stale = cache.find('a');
    source.a = thing('newest', 'x');
    cache.forget('x');
    hold();
    await stale;
    expect((await cache.find('a'))?.name).to.equal('newest');
  });

  it('says how old its answers are, counted from the beginning of the read', async () => {
    const cache = cacheOf({ a: thing('a') });
    const began = cache.clock.nowMs();
    const release = cache.hold();
    const reading = cache.entry('a');
    cache.clock.advance(2);
    release();
    expect((await reading)?.readAtMs).to.be.within(began, began + 500);
  });

  it('keeps no read that took longer than an answer may be old', async () => {
    const cache = cacheOf({ a: thing('a') }, { ttlMs: 1000 });
    const release = cache.hold();
    const reading = cache.find('a');
    cache.clock.advance(2);
    release();
    await reading;
    await cache.find('a');
    expect(cache.loads).to.have.length(2);
  });

  it('forgets by itself when its time is over', async () => {
    const source: Record<string, Thing | null> = { a: thing('old') };
    const cache = cacheOf(source, { ttlMs: 20 });
    await cache.find('a');
    source.a = thing('new');
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect((await cache.find('a'))?.name).to.equal('new');
  });

  it('keeps no miss where what was just created must be found at once', async () => {
    const source: Record<string, Thing | null> = { a: null };
    const cache = cacheOf(source);
    expect(await cache.find('a')).to.equal(null);
    source.a = thing('new');
    expect((await cache.find('a'))?.name).to.equal('new');
  });

  it('believes a miss for a moment where it is told to, until anything is dropped', async () => {
    const source: Record<string, Thing | null> = { a: null };
    const cache = cacheOf(source, { doubtfulMs: 60_000 });
    await cache.find('a');
    await cache.find('a');
    expect(cache.loads).to.have.length(1);
    source.a = thing('new');
    cache.forget('any');
    expect((await cache.find('a'))?.name).to.equal('new');
  });

  it('is not emptied by a flood of what does not exist or is not worth keeping', async () => {
    const source: Record<string, Thing | null> = { warm: thing('warm') };
    for (let n = 0; n < 3000; n += 1) source[`made-up-${n}`] = n % 2 ? null : thing('bad');
    const cache = cacheOf(source, { doubtfulMs: 60_000, worthKeeping: ({ name }) => name !== 'bad' });
    await cache.find('warm');
    for (let n = 0; n < 3000; n += 1) await cache.find(`made-up-${n}`);
    const before = cache.loads.length;
    await cache.find('warm');
    expect(cache.loads).to.have.length(before);
  });

  it('holds no more than it may', async () => {
    const source = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, thing(String(i))]));
    const cache = cacheOf(source, { max: 5 });
    for (const key of Object.keys(source)) await cache.find(key);
    await cache.find('k19');
    expect(cache.loads).to.have.length(20);
    await cache.find('k0');
    expect(cache.loads).to.have.length(21);
  });

  it('takes no key for a property of an object', async () => {
    const cache = cacheOf(Object.assign(Object.create(null), { constructor: thing('c') }));
    expect((await cache.find('constructor'))?.name).to.equal('c');
    expect(await cache.find('__proto__').catch(() => 'down')).to.equal('down');
  });
});
