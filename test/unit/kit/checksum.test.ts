import { expect } from 'chai';
import fc from 'fast-check';
import { isBase62, toBase62 } from '../../../src/kit/base62.ts';
import { checksum } from '../../../src/kit/checksum.ts';

describe('a checksum', () => {
  it('is what GitHub computes: CRC-32 in base62, six characters, zero-padded', () => {
    // The check value of CRC-32 (ISO-HDLC) is 0xcbf43926 for these digits.
    expect(checksum('123456789')).to.equal(toBase62(0xcbf43926, 6)).and.to.equal('3jZRME');
    // The token of GitHub's own announcement of the format.
    expect(checksum('zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ')).to.equal('0mLq17');
    expect(checksum('')).to.equal('000000');
  });

  it('always has six characters of base62', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(checksum(text)).to.match(/^[0-9A-Za-z]{6}$/);
      }),
    );
  });

  it('notices every single character that is changed', () => {
    const text = fc.array(fc.constantFrom(...'0189AZaz'), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(text, fc.nat(), fc.constantFrom(...'0189AZaz'), (characters, at, other) => {
        const index = at % characters.length;
        fc.pre(characters[index] !== other);
        const changed = characters.with(index, other);
        expect(checksum(changed.join(''))).not.to.equal(checksum(characters.join('')));
      }),
    );
  });
});

describe('base62', () => {
  it('writes numbers in the order of digits, capitals and small letters', () => {
    expect([0, 9, 10, 35, 36, 61, 62].map((value) => toBase62(value, 2))).to.deep.equal([
      '00',
      '09',
      '0A',
      '0Z',
      '0a',
      '0z',
      '10',
    ]);
    expect(toBase62(0xffffffff, 6)).to.equal('4gfFC3');
  });

  it('is recognised from a given place on, and nothing else is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(5), (text, start) => {
        expect(isBase62(text, start)).to.equal(/^[0-9A-Za-z]*$/.test(text.slice(start)));
      }),
    );
    expect(isBase62('abc_')).to.equal(false);
    expect(isBase62('sk_abc', 3)).to.equal(true);
  });
});
