import { expect } from 'chai';
import type { KeyWithOwner } from '../../../../src/domain/api-keys/api-key-store.ts';
import { createImportedLookups } from '../../../../src/domain/credentials/imported-lookups.ts';
import { accountOf } from '../../../conformance/account-store.ts';
import { apiKeyOf } from '../../../conformance/api-keys.ts';

const known = (importedDigest: string): KeyWithOwner => ({ key: apiKeyOf({ importedDigest }), owner: accountOf() });

describe('looks for imported keys', () => {
  it('are made together: each gets its own key, by any of its digests, or none', async () => {
    const asked: (readonly string[])[] = [];
    const store = new Map(['a1', 'b2'].map((digest) => [digest, known(digest)]));
    const lookups = createImportedLookups(async (digests) => {
      asked.push(digests);
      return digests.map((digest) => store.get(digest)).filter((found) => found !== undefined);
    });
    const found = await Promise.all(
      [
        ['a1', 'a2'],
        ['b1', 'b2'],
        ['c1', 'c2'],
        ['a1', 'a2'],
      ].map(lookups.find),
    );
    expect(found.map((each) => each?.key.importedDigest ?? null)).to.deep.equal(['a1', 'b2', null, 'a1']);
    expect(asked).to.deep.equal([['a1', 'a2', 'b1', 'b2', 'c1', 'c2']]);
  });

  it('ask no statement for more than 256 digests, nor for more often than five times a second', async () => {
    const sizes: number[] = [];
    const lookups = createImportedLookups(async (digests) => {
      sizes.push(digests.length);
      return [];
    });
    const started = performance.now();
    await Promise.all(Array.from({ length: 300 }, (_, index) => lookups.find([`${index} a`, `${index} b`])));
    expect(sizes).to.deep.equal([250, 250, 100]);
    expect(performance.now() - started).to.be.greaterThan(390);
  });

  it('fail for those who asked, and for nobody after them', async () => {
    let isAway = true;
    const lookups = createImportedLookups(async () => {
      if (isAway) throw new Error('the store is away');
      return [];
    });
    const failed = await Promise.allSettled([lookups.find(['a']), lookups.find(['b'])]);
    expect(failed.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    isAway = false;
    expect(await lookups.find(['a'])).to.equal(null);
  });
});
