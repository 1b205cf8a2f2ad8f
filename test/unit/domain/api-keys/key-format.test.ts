import { expect } from 'chai';
import fc from 'fast-check';
import { createKeyFormat, prefixProblem } from '../../../../src/domain/api-keys/key-format.ts';
import { BASE62 } from '../../../../src/kit/base62.ts';
import { checksum } from '../../../../src/kit/checksum.ts';
import { createDigester } from '../../../../src/kit/digest.ts';
import { randomBase62 } from '../../../../src/kit/ids.ts';

const environments = {
  live: { prefix: 'mem_live_', billable: true },
  test: { prefix: 'mem_test_', billable: false },
  preview: { prefix: 'p_', billable: false },
};
const create = (byte = 1) => createKeyFormat({ environments, tagKey: createDigester(Buffer.alloc(32, byte)) });
const format = create();
const anyEnvironment = fc.constantFrom(...Object.keys(environments));
const wholly = (pattern: string): RegExp => new RegExp(`^(?:${pattern})$`);

describe('the format of API keys', () => {
  it('reads every key it makes, and finds the same id and environment', () => {
    fc.assert(
      fc.property(anyEnvironment, (environment) => {
        const { id, text, prefix, lastFour } = format.mint(environment);
        expect(format.parse(text)).to.deep.equal({ id, environment });
        expect(id).to.match(/^key_[0-9A-Za-z]{16}$/);
        expect(text).to.match(/^[0-9A-Za-z_]+$/);
        expect(text.startsWith(prefix + id.slice(4)) && text.endsWith(lastFour)).to.equal(true);
        expect(text.length).to.equal(prefix.length + 54);
        expect(lastFour).to.have.length(4);
      }),
      { numRuns: 500 },
    );
  });

  it('does not read a key with one character changed, wherever', () => {
    for (const environment of Object.keys(environments)) {
      const { text } = format.mint(environment);
      for (let index = 0; index < text.length; index += 1) {
        for (const other of '0Zz_-é') {
          if (text[index] === other) continue;
          expect(format.parse(text.slice(0, index) + other + text.slice(index + 1)), `at ${index}`).to.equal(null);
        }
      }
    }
  });

  it('does not read a key that is cut, prolonged, or has two characters exchanged', () => {
    const { text } = format.mint('live');
    for (let length = 0; length < text.length; length += 1) expect(format.parse(text.slice(0, length))).to.equal(null);
    for (const more of ['0', ' ', '\n', '\0', text]) {
      expect(format.parse(text + more)).to.equal(null);
      expect(format.parse(more + text)).to.equal(null);
    }
    for (let index = 0; index + 1 < text.length; index += 1) {
      const swapped = [...text]
        .with(index, text.charAt(index + 1))
        .with(index + 1, text.charAt(index))
        .join('');
      if (swapped !== text) expect(format.parse(swapped)).to.equal(null);
    }
  });

  it('never reads whatever else there is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (rest) => {
        expect(format.parse(rest)).to.equal(null);
        expect(format.parse(`mem_live_${rest}`)).to.equal(null);
      }),
    );
  });

  it('knows a made-up key by its id, even when its checksum is right', () => {
    let passed = 0;
    for (let count = 0; count < 20_000; count += 1) {
      const unchecked = `mem_live_${randomBase62(48)}`;
      if (format.parse(unchecked + checksum(unchecked))) passed += 1;
    }
    // One in 14.8 million.
    expect(passed).to.be.at.most(1);
  });

  it('never takes a key of one environment for one of another, whoever computes the checksum anew', () => {
    fc.assert(
      fc.property(anyEnvironment, anyEnvironment, (from, to) => {
        fc.pre(from !== to);
        const { text, prefix } = format.mint(from);
        const unchecked = environments[to as 'live'].prefix + text.slice(prefix.length, -6);
        expect(format.parse(unchecked + checksum(unchecked))).to.equal(null);
      }),
    );
  });

  it('does not read the keys of another Gatehouse', () => {
    expect(create(2).parse(format.mint('live').text)).to.equal(null);
  });

  it('gives an id another secret', () => {
    const first = format.mint('test');
    const second = format.secretFor(first.id, 'test');
    expect(second.text).not.to.equal(first.text);
    expect(format.parse(second.text)).to.deep.equal({ id: first.id, environment: 'test' });
    expect(format.parse(format.secretFor(format.newId('live'), 'live').text)?.environment).to.equal('live');
  });

  it('draws secrets in which every character is as likely as the others, and no two are the same', () => {
    const counts = new Map<string, number>();
    const seen = new Set<string>();
    const rounds = 4000;
    for (let round = 0; round < rounds; round += 1) {
      const secret = format.mint('live').text.slice(-38, -6);
      seen.add(secret);
      for (const character of secret) counts.set(character, (counts.get(character) ?? 0) + 1);
    }
    expect(seen.size).to.equal(rounds);
    expect([...counts.keys()].sort().join('')).to.equal([...BASE62].sort().join(''));
    const usual = (rounds * 32) / 62;
    for (const count of counts.values()) expect(count).to.be.within(usual * 0.86, usual * 1.14);
  });

  it('tells scanners a pattern that matches every key as a whole, also within a text, and nothing near one', () => {
    const pattern = format.scannerPattern();
    fc.assert(
      fc.property(anyEnvironment, (environment) => {
        const { text } = format.mint(environment);
        expect(text).to.match(wholly(pattern));
        expect(new RegExp(pattern, 'g').exec(`curl -H "X-API-Key: ${text}" https://x`)?.[0]).to.equal(text);
        for (const near of [text.slice(0, -1), `${text}0`, `x${text}`, text.replace('_', '-')]) {
          expect(near).not.to.match(new RegExp(pattern));
        }
      }),
    );
  });

  it('looks like a key by its prefix alone', () => {
    expect(format.looksLikeKey('mem_live_oops')).to.equal(true);
    expect(format.looksLikeKey('mem_oops')).to.equal(false);
  });

  it('reads a hostile text of any length in next to no time', () => {
    const started = performance.now();
    for (let count = 0; count < 2000; count += 1) format.parse(`mem_live_${'a'.repeat(10_000)}`);
    expect(performance.now() - started).to.be.lessThan(500);
  });

  it('refuses prefixes that cannot be told apart, or that a double click would split', () => {
    const make = (...prefixes: string[]) =>
      createKeyFormat({
        environments: Object.fromEntries(prefixes.map((prefix, index) => [`e${index}`, { prefix, billable: true }])),
        tagKey: createDigester(Buffer.alloc(32)),
      });
    for (const prefixes of [
      ['mem_', 'mem_live_'],
      ['mem_live_', 'mem_'],
      ['a_', 'a_'],
      ['sk-live_'],
      ['mem'],
      ['_'],
      [''],
    ]) {
      expect(() => make(...prefixes), prefixes.join(' ')).to.throw(RangeError);
    }
    expect(() => make()).to.throw(RangeError);
    expect(() => make('mem_live_', 'mem_test_', 'm_')).not.to.throw();
    expect(prefixProblem(['mem_live_', 'mem_test_'])).to.equal(null);
    expect(() => format.mint('staging')).to.throw(RangeError);
  });
});
