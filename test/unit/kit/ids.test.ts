import { expect } from 'chai';
import { newId, newSecret } from '../../../src/kit/ids.ts';

describe('an id', () => {
  it('names its kind and has 22 characters of base62', () => {
    for (let i = 0; i < 100; i += 1) expect(newId('acc')).to.match(/^acc_[0-9A-Za-z]{22}$/);
  });

  it('uses every character, none of them much more often than the others', () => {
    const counts = new Map<string, number>();
    const total = 4000 * 22;
    for (let i = 0; i < 4000; i += 1)
      for (const char of newId('x').slice(2)) counts.set(char, (counts.get(char) ?? 0) + 1);
    expect(counts.size).to.equal(62);
    // Far outside of chance (six standard deviations), well inside of a modulo bias.
    for (const count of counts.values()) expect(count).to.be.within((total / 62) * 0.84, (total / 62) * 1.16);
  });

  it('is never the same twice', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newId('x'))).size).to.equal(10_000);
  });
});

describe('a bearer value', () => {
  it('is 256 bits in characters that survive every encoding', () => {
    for (let i = 0; i < 100; i += 1) {
      const value = newSecret();
      expect(value).to.match(/^[A-Za-z0-9_-]{43}$/);
      expect(encodeURIComponent(value)).to.equal(value);
    }
    expect(new Set(Array.from({ length: 10_000 }, newSecret)).size).to.equal(10_000);
  });
});
