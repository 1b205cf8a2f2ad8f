import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createBoundedMap, createCache, createExpiringSet } from '../../../src/kit/cache.ts';

describe('the cache', () => {
  /** A cache in front of a source whose loads can be held back. */
  function cacheOf(source: Record<string, { name: string } | null>, options: { max?: number; ttlMs?: number } = {}) {
    const loads: string[] = [];
    let gate = Promise.resolve();
    const cache = createCache<{ name: string }>({
      max: 10,
      ttlMs: 60_000,
      ...options,
      async load(key) {
        loads.push(key);
        await gate;
        const value = source[key];
        if (value === undefined) throw new Error('the source is down');
        return value;
      },
    });
    return {
      cache,
      loads,
      hold(): () => void {
        const { promise, resolve } = Promise.withResolvers<void>();
        gate = promise;
        return resolve;
      },
    };
  }

  it('loads once and gives the same object to everybody', async () => {
    const { cache, loads } = cacheOf({ a: { name: 'a' } });
    const first = await cache.find('a');
    expect(await cache.find('a')).to.equal(first);
    expect(loads).to.deep.equal(['a']);
  });

  it('shares one load among all who ask while it is under way', async () => {
    const { cache, loads, hold } = cacheOf({ a: { name: 'a' }, b: { name: 'b' } });
    const release = hold();
    const asked = Array.from({ length: 100 }, () => cache.find('a'));
    const other = cache.find('b');
    release();
    const found = await Promise.all(asked);
    expect(new Set(found).size).to.equal(1);
    expect((await other)?.name).to.equal('b');
    expect(loads).to.deep.equal(['a', 'b']);
  });

  it('keeps no miss: what was just created is found at once', async () => {
    const source: Record<string, { name: string } | null> = { a: null };
    const { cache } = cacheOf(source);
    expect(await cache.find('a')).to.equal(null);
    source.a = { name: 'new' };
    expect((await cache.find('a'))?.name).to.equal('new');
  });

  it('keeps no failure, and tells everybody who waited', async () => {
    const source: Record<string, { name: string } | null> = {};
    const { cache, loads } = cacheOf(source);
    const failures = await Promise.allSettled([cache.find('a'), cache.find('a')]);
    expect(failures.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect(loads).to.have.length(1);
    source.a = { name: 'back' };
    expect((await cache.find('a'))?.name).to.equal('back');
  });

  it('forgets when told, also what is just being loaded', async () => {
    const source: Record<string, { name: string } | null> = { a: { name: 'old' } };
    const { cache, hold } = cacheOf(source);
    await cache.find('a');
    source.a = { name: 'new' };
    cache.forget('a');
    expect((await cache.find('a'))?.name).to.equal('new');

    cache.forget('a');
    const release = hold();
    const early = cache.find('a');
    cache.forget('a');
    source.a = { name: 'newer' };
    release();
    await early;
    expect((await cache.find('a'))?.name).to.equal('newer');
  });

  it('forgets by itself when its time is over', async () => {
    const source: Record<string, { name: string } | null> = { a: { name: 'old' } };
    const { cache } = cacheOf(source, { ttlMs: 20 });
    await cache.find('a');
    source.a = { name: 'new' };
    await sleep(40);
    expect((await cache.find('a'))?.name).to.equal('new');
  });

  it('holds no more than it may', async () => {
    const source = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, { name: String(i) }]));
    const { cache, loads } = cacheOf(source, { max: 5 });
    for (const key of Object.keys(source)) await cache.find(key);
    await cache.find('k19');
    expect(loads).to.have.length(20);
    await cache.find('k0');
    expect(loads).to.have.length(21);
  });

  it('takes no key for a property of an object', async () => {
    const { cache, loads } = cacheOf(Object.assign(Object.create(null), { constructor: { name: 'c' } }));
    expect((await cache.find('constructor'))?.name).to.equal('c');
    expect(await cache.find('__proto__').catch(() => 'down')).to.equal('down');
    expect(loads).to.deep.equal(['constructor', '__proto__']);
  });
});

describe('the bounded map', () => {
  it('has what was set until it is deleted, and takes no key for a property of an object', () => {
    const map = createBoundedMap<{ n: number }>({ max: 10 });
    map.set('a', { n: 1 });
    map.set('a', { n: 2 });
    expect([map.get('a')?.n, map.get('constructor'), map.get('__proto__')]).to.deep.equal([2, undefined, undefined]);
    expect([map.delete('a'), map.delete('a'), map.get('a')]).to.deep.equal([true, false, undefined]);
  });

  it('holds no more than it may, and lets go what was used least recently', () => {
    const map = createBoundedMap<{ n: number }>({ max: 3 });
    for (let n = 0; n < 3; n += 1) map.set(String(n), { n });
    map.get('0');
    map.set('3', { n: 3 });
    expect([...map.entries()].map(([key]) => key)).to.deep.equal(['2', '0', '3']);
  });
});

describe('the expiring set', () => {
  it('has what was added until it is deleted or its time is over', async () => {
    const set = createExpiringSet({ max: 10, ttlMs: 30 });
    set.add('a');
    set.add('b');
    expect([set.has('a'), set.has('b'), set.has('c')]).to.deep.equal([true, true, false]);
    expect([set.delete('a'), set.delete('a'), set.has('a')]).to.deep.equal([true, false, false]);
    await sleep(50);
    expect(set.has('b')).to.equal(false);
  });

  it('holds no more than it may', () => {
    const set = createExpiringSet({ max: 3, ttlMs: 60_000 });
    for (let i = 0; i < 10; i += 1) set.add(String(i));
    expect(Array.from({ length: 10 }, (_, i) => set.has(String(i))).filter(Boolean)).to.have.length(3);
  });
});
