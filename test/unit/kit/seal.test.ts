import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { createSealer, createWrappingRing, openUnder, SealError, sealUnder } from '../../../src/kit/seal.ts';

const OLD = 'the key-encryption secret of last year';
const NEW = 'the key-encryption secret of this year';

describe('a sealed value', () => {
  const sealer = createSealer([NEW]);

  it('opens to what was sealed, whatever it was', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string(), (bytes, context) => {
        const opened = sealer.open(sealer.seal(Buffer.from(bytes), context), context);
        expect(opened.equals(Buffer.from(bytes))).to.equal(true);
      }),
    );
    expect(sealer.open(sealer.seal('späß 🚪', 'x'), 'x').toString()).to.equal('späß 🚪');
  });

  it('does not open when any of its bits was changed', () => {
    const sealed = sealer.seal('a secret worth keeping', 'context');
    const [version, id, nonce = '', body = ''] = sealed.split('.');
    for (const [part, rebuild] of [
      [nonce, (text: string) => `${version}.${id}.${text}.${body}`],
      [body, (text: string) => `${version}.${id}.${nonce}.${text}`],
    ] as const) {
      const bytes = Buffer.from(part, 'base64url');
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const changed = Buffer.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(() => sealer.open(rebuild(changed.toString('base64url')), 'context')).to.throw(SealError);
      }
    }
  });

  it('does not open when any of its characters was exchanged', () => {
    const sealed = sealer.seal('a secret worth keeping', 'context');
    for (const [at, was] of [...sealed].entries())
      for (const character of ['A', 'B', 'w', '_', '.', '=', ' ', 'é'].filter((each) => each !== was)) {
        const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
        expect(() => sealer.open(changed, 'context'), changed).to.throw(SealError);
      }
  });

  it('does not open when it was cut, lengthened or put together anew', () => {
    const sealed = sealer.seal('a secret worth keeping', 'context');
    const other = sealer.seal('another secret of mine', 'context');
    const parts = sealed.split('.');
    const others = other.split('.');
    for (let length = 0; length < sealed.length - 1; length += 1)
      expect(() => sealer.open(sealed.slice(0, length), 'context'), String(length)).to.throw(SealError);
    for (const text of [
      '',
      '...',
      'v1...',
      `v2.${parts.slice(1).join('.')}`,
      `${sealed}AAAA`,
      [parts[0], parts[1], others[2], parts[3]].join('.'),
      [parts[0], parts[1], parts[2], others[3]].join('.'),
      [parts[0], 'AAAAAAAA', parts[2], parts[3]].join('.'),
    ])
      expect(() => sealer.open(text, 'context'), text).to.throw(SealError);
  });

  it('opens in its own context only', () => {
    const sealed = sealer.seal('x', 'Session:1');
    for (const context of ['', 'Session:2', 'session:1', 'Session:1 ', 'Interaction:1'])
      expect(() => sealer.open(sealed, context)).to.throw(SealError);
  });

  it('never looks the same twice, so that equal values cannot be told', () => {
    const texts = new Set(Array.from({ length: 1000 }, () => sealer.seal('x', 'x')));
    expect(texts.size).to.equal(1000);
  });

  it('does not show what it holds', () => {
    expect(sealer.seal('a secret worth keeping', 'x')).to.not.contain('secret');
    expect(sealer.seal('a secret worth keeping', 'x')).to.not.contain(Buffer.from('a secret').toString('base64url'));
  });
});

describe('the key-encryption ring', () => {
  it('seals under its first secret and opens with all of them', () => {
    const before = createSealer([OLD]).seal('x', 'c');
    const ring = createSealer([NEW, OLD]);
    expect(ring.open(before, 'c').toString()).to.equal('x');
    expect(ring.isCurrent(before)).to.equal(false);
    const after = ring.seal('x', 'c');
    expect(ring.isCurrent(after)).to.equal(true);
    expect(createSealer([NEW]).open(after, 'c').toString()).to.equal('x');
  });

  it('does not open what a secret outside of it sealed', () => {
    const foreign = createSealer([OLD]).seal('x', 'c');
    expect(() => createSealer([NEW]).open(foreign, 'c')).to.throw(SealError, 'no key of the ring');
  });

  it('does not take one secret for another that begins alike', () => {
    const long = `${NEW} and a little more`;
    expect(() => createSealer([long]).open(createSealer([NEW]).seal('x', 'c'), 'c')).to.throw(SealError);
  });

  it('needs a secret, and none that could be guessed', () => {
    expect(() => createSealer([])).to.throw(RangeError);
    expect(() => createSealer(['short'])).to.throw(RangeError);
    expect(() => createSealer([NEW, 'short'])).to.throw(RangeError);
  });
});

describe('a value sealed under a key of its own', () => {
  const key = randomBytes(32);

  it('opens with that key and in that context only', () => {
    const sealed = sealUnder(key, 'a secret worth keeping', 'here');
    expect(openUnder(key, sealed, 'here').toString()).to.equal('a secret worth keeping');
    expect(() => openUnder(randomBytes(32), sealed, 'here')).to.throw(SealError);
    expect(() => openUnder(key, sealed, 'there')).to.throw(SealError);
  });

  it('never looks the same twice', () => {
    expect(new Set(Array.from({ length: 1000 }, () => sealUnder(key, 'x', 'x'))).size).to.equal(1000);
  });

  it('does not open with a tag that was shortened', () => {
    const [version, nonce, body = ''] = sealUnder(key, '', 'x').split('.');
    for (const length of [4, 8, 12, 15]) {
      const cut = Buffer.from(body, 'base64url').subarray(0, length).toString('base64url');
      expect(() => openUnder(key, `${version}.${nonce}.${cut}`, 'x'), String(length)).to.throw(SealError);
    }
  });
});

describe('a wrapping ring', () => {
  const dataKey = randomBytes(32);
  const old = createWrappingRing([OLD], 'vault');
  const both = createWrappingRing([NEW, OLD], 'vault');

  it('wraps under its first secret, says so, and unwraps with all of them', () => {
    const before = old.wrap(dataKey, 'c');
    expect(before.wrappedBy).to.equal(old.currentId).and.not.equal(both.currentId);
    expect(both.unwrap(before, 'c').equals(dataKey)).to.equal(true);
    const after = both.wrap(dataKey, 'c');
    expect(after.wrappedBy).to.equal(both.currentId);
    expect(both.ids).to.deep.equal([createWrappingRing([NEW], 'vault').currentId, old.currentId]);
    expect(createWrappingRing([NEW], 'vault').unwrap(after, 'c').equals(dataKey)).to.equal(true);
    expect(() => old.unwrap(after, 'c')).to.throw(SealError, 'no key of the ring');
  });

  it('unwraps in the same context, under the same id and for the same purpose only', () => {
    const wrapped = both.wrap(dataKey, 'c');
    expect(() => both.unwrap(wrapped, 'd')).to.throw(SealError);
    expect(() => both.unwrap({ ...wrapped, wrappedBy: old.currentId }, 'c')).to.throw(SealError);
    expect(() => createWrappingRing([NEW], 'something else').unwrap(wrapped, 'c')).to.throw(SealError);
  });

  it('opens nothing that the sealer of the same secrets sealed, nor the other way round', () => {
    const sealer = createSealer([NEW]);
    const [, id = '', ...text] = sealer.seal(dataKey, `c|${both.currentId}`).split('.');
    expect(id).to.equal(both.currentId);
    expect(() => both.unwrap({ wrappedKey: `v1.${text.join('.')}`, wrappedBy: id }, 'c')).to.throw(SealError);
    const { wrappedKey } = both.wrap(dataKey, 'c');
    expect(() => sealer.open(wrappedKey.replace('v1.', `v1.${id}.`), `c|${id}`)).to.throw(SealError);
  });

  it('needs a secret, and none that could be guessed', () => {
    expect(() => createWrappingRing([], 'vault')).to.throw(RangeError);
    expect(() => createWrappingRing([NEW, 'short'], 'vault')).to.throw(RangeError);
  });
});
