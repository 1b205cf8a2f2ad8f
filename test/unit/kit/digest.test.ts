import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { constantTimeEqual, createDigester, sha256 } from '../../../src/kit/digest.ts';

const KEY = Buffer.alloc(32, 7);

describe('a digest', () => {
  const digester = createDigester(KEY);

  it('is HMAC-SHA-256 of purpose and value, so that other tools can check it', () => {
    const expected = createHmac('sha256', KEY).update('AccessToken\0gat_x').digest('base64url');
    expect(digester.digest('AccessToken', 'gat_x')).to.equal(expected);
  });

  it('is 43 characters of base64url, whatever the value', () => {
    fc.assert(fc.property(fc.string(), (value) => /^[A-Za-z0-9_-]{43}$/.test(digester.digest('p', value))));
  });

  it('differs by purpose, value and key', () => {
    const one = digester.digest('AccessToken', 'x');
    expect(digester.digest('RefreshToken', 'x')).to.not.equal(one);
    expect(digester.digest('AccessToken', 'X')).to.not.equal(one);
    expect(createDigester(Buffer.alloc(32, 8)).digest('AccessToken', 'x')).to.not.equal(one);
  });

  it('does not let a value reach into the purpose, for the purposes we use', () => {
    // Purposes hold no NUL: they are constants of the code.
    expect(digester.digest('a', 'b\0c')).to.not.equal(digester.digest('ab', '\0c'));
    expect(digester.digest('a', 'bc')).to.not.equal(digester.digest('ab', 'c'));
  });

  it('matches its own value only', () => {
    const stored = digester.digest('p', 'value');
    expect(digester.matches('p', 'value', stored)).to.equal(true);
    for (const [purpose, value, digest] of [
      ['p', 'Value', stored],
      ['q', 'value', stored],
      ['p', 'value', stored.slice(0, -1)],
      ['p', 'value', `${stored}A`],
      ['p', 'value', ''],
    ] as const)
      expect(digester.matches(purpose, value, digest)).to.equal(false);
  });

  it('needs a key of 32 bytes', () => {
    expect(() => createDigester(Buffer.alloc(31))).to.throw(RangeError);
    expect(() => createDigester(Buffer.alloc(0))).to.throw(RangeError);
  });
});

describe('constantTimeEqual', () => {
  it('says what === says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        expect(constantTimeEqual(a, b)).to.equal(a === b);
        expect(constantTimeEqual(a, a)).to.equal(true);
      }),
    );
  });
});

describe('sha256', () => {
  it('is what RFC 7636 appendix B computes', () => {
    expect(sha256('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).to.equal(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });
});
