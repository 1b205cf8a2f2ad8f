import { expect } from 'chai';
import fc from 'fast-check';
import { fingerprintOf, maskOf, providerKeyProblems } from '../../../../src/domain/provider-keys/provider-key-rules.ts';
import { DEFAULT_PROVIDERS } from '../../../../src/domain/provider-keys/providers.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

const RANDOM = 'Zx81Qk7LmT0pYw3Rb5Nc9Vh2Jd4Gf6Sa';

describe('the mask of a provider key', () => {
  for (const [value, mask] of [
    [`sk-proj-${RANDOM}`, 'sk-proj-…f6Sa'],
    [`sk-ant-api03-${RANDOM}`, 'sk-ant-…f6Sa'],
    [`sk-or-v1-${RANDOM}`, 'sk-or-…f6Sa'],
    [`gsk_${RANDOM}`, 'gsk_…f6Sa'],
    [`AIzaSy${RANDOM}`, '…f6Sa'],
    [`sk-${RANDOM.slice(0, 17)}`, 'sk-…Rb5N'.replace('Rb5N', RANDOM.slice(13, 17))],
    [`sk-${RANDOM.slice(0, 16)}`, '…'],
    ['12345678', '…'],
    [`Ab-cd-${RANDOM}`, '…f6Sa'],
  ] as const) {
    it(`of a value like ${value.slice(0, 9)} with ${value.length} characters is ${mask}`, () => {
      expect(maskOf(value)).to.equal(mask);
    });
  }

  it('never shows more than a quarter and the last four, and of a short value nothing', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, maxLength: 80, unit: fc.constantFrom(...'ab1-_XY') }), (value) => {
        const [prefix = '', last = ''] = maskOf(value).split('…');
        expect(prefix.length).to.be.at.most(Math.min(8, value.length / 4));
        expect(last).to.equal(value.length < 20 ? '' : value.slice(-4));
        expect(prefix === '' || (value.startsWith(prefix) && /[-_]$/.test(prefix))).to.equal(true);
      }),
    );
  });
});

describe('the fingerprint of a provider key', () => {
  const digester = createDigester(Buffer.alloc(32, 1));
  const of = (ownerId: string, provider: string, value: string, by = digester) =>
    fingerprintOf(by, { ownerId, provider }, value);

  it('is the same for the same value of one owner for a provider, and 16 characters', () => {
    expect(of('acc_a', 'openai', RANDOM))
      .to.equal(of('acc_a', 'openai', RANDOM))
      .and.match(/^[\w-]{16}$/);
  });

  it('differs by owner, provider, value and installation, and by where one ends and the next begins', () => {
    const all = [
      of('acc_a', 'openai', RANDOM),
      of('acc_b', 'openai', RANDOM),
      of('acc_a', 'xai', RANDOM),
      of('acc_a', 'openai', `${RANDOM}x`),
      of('acc_ao', 'penai', RANDOM),
      of('acc_a', 'openai', RANDOM, createDigester(Buffer.alloc(32, 2))),
    ];
    expect(new Set(all).size).to.equal(all.length);
  });
});

describe('the members of a provider key', () => {
  const fields = (input: { provider?: string; value?: string; label?: string }) =>
    providerKeyProblems(input, DEFAULT_PROVIDERS).map(({ field }) => field);

  it('are refused by name when they are wrong, all at once', () => {
    expect(fields({ provider: 'nobody', value: 'short', label: '' })).to.deep.equal(['provider', 'value', 'label']);
    expect(fields({ provider: 'OpenAI' })).to.deep.equal(['provider']);
    for (const value of [
      '',
      '1234567',
      'with a space',
      'line\nbreak',
      'trailing-line\n',
      'käse-schlüssel',
      '12345678\0',
      'x'.repeat(4097),
    ])
      expect(fields({ value }), JSON.stringify(value)).to.deep.equal(['value']);
    for (const label of ['', '   ', 'a\nb', 'a\0', '\u202eevil', 'x'.repeat(121)])
      expect(fields({ label }), JSON.stringify(label)).to.deep.equal(['label']);
  });

  it('are accepted up to their limits', () => {
    for (const value of ['12345678', '!~"#$%&/', 'x'.repeat(4096)]) expect(fields({ value })).to.deep.equal([]);
    for (const label of ['x', 'Für das Büro 🚪', 'x'.repeat(120)]) expect(fields({ label })).to.deep.equal([]);
    expect(fields({})).to.deep.equal([]);
  });

  it('never say the value back', () => {
    const problems = providerKeyProblems({ provider: 'openai', value: 'a secret with spaces' }, DEFAULT_PROVIDERS);
    expect(JSON.stringify(problems)).not.to.include('secret');
  });
});

describe('the providers known without configuration', () => {
  it('have a name and a header each, and are asked over https only', () => {
    expect(new Set(DEFAULT_PROVIDERS.map(({ name }) => name)).size).to.equal(DEFAULT_PROVIDERS.length);
    for (const { name, title, header, checkUrl } of DEFAULT_PROVIDERS) {
      expect(name).to.match(/^[a-z0-9-]{1,32}$/);
      expect(title).to.match(/\S/);
      expect(() => new Headers({ [header]: 'x' })).not.to.throw();
      if (checkUrl !== undefined) expect(new URL(checkUrl).protocol, name).to.equal('https:');
    }
  });
});
