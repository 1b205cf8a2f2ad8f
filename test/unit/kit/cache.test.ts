import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createBoundedMap, createExpiringSet } from '../../../src/kit/cache.ts';

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
