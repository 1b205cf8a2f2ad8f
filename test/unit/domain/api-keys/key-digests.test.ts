import { expect } from 'chai';
import type { ApiKey } from '../../../../src/domain/api-keys/api-key.ts';
import { createKeyDigests, knowPeppersOf, refreshDigest } from '../../../../src/domain/api-keys/key-digests.ts';
import type { Peppers } from '../../../../src/domain/data-keys/peppers.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

/** Peppers of which only the first `known` are known yet. */
function createDigests(known: number) {
  const all = [1, 2, 3].map((number) => ({
    id: `api-key.${number}` as const,
    digester: createDigester(Buffer.alloc(32, number)),
  }));
  const state = { known, reloads: 0 };
  const mine = () => all.slice(0, state.known);
  const peppers: Peppers = {
    current: () => mine().at(-1) as (typeof all)[0],
    find: (id) => mine().find((pepper) => pepper.id === id) ?? null,
    async reload() {
      state.reloads += 1;
      state.known = all.length;
    },
  };
  return { ...createKeyDigests({ peppers }), state };
}

const TEXT = 'mem_live_one';
const keyWith = (change: Partial<ApiKey>) => ({ current: null, previous: null, version: 4, ...change }) as ApiKey;

describe('the digests of API keys', () => {
  it('match their own text only', () => {
    const digests = createDigests(1);
    const digest = digests.make(TEXT);
    expect(digest.pepperId).to.equal('api-key.1');
    expect(digest.mac).to.match(/^[\w-]{43}$/);
    expect(digests.matches(TEXT, digest)).to.equal(true);
    for (const other of ['', `${TEXT} `, TEXT.toUpperCase()]) expect(digests.matches(other, digest)).to.equal(false);
    expect(digests.matches(TEXT, { ...digest, mac: '' })).to.equal(false);
  });

  it('match nothing under another pepper, nor under one that is not known', () => {
    const digests = createDigests(2);
    const digest = digests.make(TEXT);
    for (const pepperId of ['api-key.1', 'api-key.3', 'digest', '']) {
      expect(digests.matches(TEXT, { ...digest, pepperId }), pepperId).to.equal(false);
    }
    expect(digests.knows({ ...digest, pepperId: 'api-key.3' })).to.equal(false);
  });

  it('of older peppers go on matching and are not current', () => {
    const before = createDigests(1).make(TEXT);
    const digests = createDigests(2);
    expect(digests.matches(TEXT, before)).to.equal(true);
    expect(digests.isCurrent(before)).to.equal(false);
    expect(digests.isCurrent(digests.make(TEXT))).to.equal(true);
  });

  it('of a pepper that another process added are known after a reload, which happens for those only', async () => {
    const digests = createDigests(1);
    await knowPeppersOf(digests, keyWith({ current: digests.make(TEXT) }));
    expect(digests.state.reloads).to.equal(0);
    const key = keyWith({ current: createDigests(3).make(TEXT) });
    expect(digests.matches(TEXT, key.current as never)).to.equal(false);
    await knowPeppersOf(digests, key);
    expect(digests.state.reloads).to.equal(1);
    expect(digests.matches(TEXT, key.current as never)).to.equal(true);
    const another = createDigests(1);
    await knowPeppersOf(another, keyWith({ previous: { ...digests.make(TEXT), endsAt: 1 } }));
    expect(another.state.reloads).to.equal(1);
  });

  it('are made anew under the current pepper for the secret that was shown, and for no other', () => {
    const old = createDigests(1);
    const digests = createDigests(2);
    const key = keyWith({ current: old.make(TEXT), previous: { ...old.make('before'), endsAt: 77 } });

    const current = refreshDigest(digests, key, TEXT);
    expect(current).to.deep.equal({ ...key, current: digests.make(TEXT) });
    const previous = refreshDigest(digests, key, 'before');
    expect(previous).to.deep.equal({ ...key, previous: { ...digests.make('before'), endsAt: 77 } });
    expect(refreshDigest(digests, key, 'something else')).to.equal(null);
    expect(refreshDigest(old, key, TEXT)).to.equal(null);
    expect(refreshDigest(digests, keyWith({}), TEXT)).to.equal(null);
  });
});
