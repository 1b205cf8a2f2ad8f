import { expect } from 'chai';
import fc from 'fast-check';
import {
  isReadable,
  openValue,
  PROVIDER_KEY_PURPOSE,
  rewrapped,
  sealValue,
} from '../../../../src/domain/provider-keys/envelope.ts';
import { createWrappingRing, SealError } from '../../../../src/kit/seal.ts';

const OLD = createWrappingRing(['o'.repeat(32)], PROVIDER_KEY_PURPOSE);
const NEW = createWrappingRing(['n'.repeat(32)], PROVIDER_KEY_PURPOSE);
const BOTH = createWrappingRing(['n'.repeat(32), 'o'.repeat(32)], PROVIDER_KEY_PURPOSE);

const PLACE = { ownerId: 'acc_ada', id: 'pvk_1', provider: 'openai', version: 1 };
const sealed = (value: string, place = PLACE, ring = BOTH) => ({ ...place, ...sealValue(value, place, ring) });
type Sealed = ReturnType<typeof sealed>;
const FIELDS = ['sealedValue', 'wrappedKey', 'wrappedBy'] as const;

function expectClosed(key: Sealed, what: string): void {
  expect(() => openValue(key, BOTH), what).to.throw(SealError);
  expect(isReadable(key, BOTH), what).to.equal(false);
}

describe('the envelope of a provider key', () => {
  it('opens to what was sealed, whatever it was', () => {
    const values = fc.string({ minLength: 8, maxLength: 4096, unit: 'grapheme-ascii' });
    fc.assert(
      fc.property(values, (value) => {
        expect(openValue(sealed(value), BOTH)).to.equal(value);
      }),
    );
  });

  it('does not open when any byte of a stored field was changed', () => {
    const key = sealed('sk-a-key-of-a-user');
    for (const field of FIELDS)
      for (let at = 0; at < key[field].length; at += 1)
        for (const bit of [0, 1, 2, 3, 4, 5, 6, 7]) {
          const bytes = Buffer.from(key[field]);
          bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
          expectClosed({ ...key, [field]: bytes.toString('latin1') }, `${field}, byte ${at}, bit ${bit}`);
        }
  });

  it('does not open when any byte under the encoding was changed', () => {
    const key = sealed('sk-a-key-of-a-user');
    fc.assert(
      fc.property(
        fc.constantFrom('sealedValue' as const, 'wrappedKey' as const),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (field, position, change) => {
          const [version, ...parts] = key[field].split('.').map((part) => Buffer.from(part, 'base64url'));
          const bytes = parts[position % parts.length] as Buffer;
          const at = position % bytes.length;
          bytes[at] = (bytes[at] ?? 0) ^ change;
          const text = ['v1', ...parts.map((part) => part.toString('base64url'))].join('.');
          expect(version).to.have.length(1);
          expectClosed({ ...key, [field]: text }, text);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('does not open in the row of another owner, provider, version or record', () => {
    const places = fc.record({
      ownerId: fc.constantFrom('acc_ada', 'acc_bob', 'acc_ada|pvk_1'),
      id: fc.constantFrom('pvk_1', 'pvk_2', ''),
      provider: fc.constantFrom('openai', 'anthropic', '1|openai'),
      version: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(places, places, (here, there) => {
        const key = sealed('sk-a-key-of-a-user', here);
        const moved = { ...key, ...there };
        if (JSON.stringify(here) === JSON.stringify(there)) expect(isReadable(moved, BOTH)).to.equal(true);
        else expectClosed(moved, JSON.stringify([here, there]));
      }),
      { numRuns: 1000 },
    );
  });

  it('does not open when fields of two rows, or two fields of one, were exchanged', () => {
    const rows = [
      sealed('sk-a-key-of-a-user'),
      sealed('sk-a-key-of-a-user', { ...PLACE, version: 2 }),
      sealed('sk-a-key-of-a-user', { ...PLACE, ownerId: 'acc_bob' }),
      sealed('sk-a-key-of-a-user', { ...PLACE, id: 'pvk_2' }, OLD),
    ] as const;
    const index = fc.nat(rows.length - 1);
    fc.assert(
      fc.property(index, index, fc.subarray([...FIELDS], { minLength: 1 }), (to, from, fields) => {
        const source = rows[from] as Sealed;
        const target = rows[to] as Sealed;
        const mixed = { ...target, ...Object.fromEntries(fields.map((field) => [field, source[field]])) };
        if (to === from || (fields.length === 1 && mixed.wrappedBy === target.wrappedBy && fields[0] === 'wrappedBy'))
          expect(isReadable(mixed, BOTH)).to.equal(true);
        else expectClosed(mixed, JSON.stringify([to, from, fields]));
      }),
      { numRuns: 1000 },
    );
    const [key] = rows;
    const again = sealed('sk-a-key-of-a-user');
    expectClosed({ ...key, sealedValue: again.sealedValue }, 'the value of another sealing');
    expectClosed({ ...key, wrappedKey: again.wrappedKey }, 'the key of another sealing');
    expectClosed({ ...key, sealedValue: key.wrappedKey, wrappedKey: key.sealedValue }, 'exchanged');
    expectClosed({ ...key, sealedValue: key.wrappedKey }, 'the key as the value');
    expectClosed({ ...key, sealedValue: '' }, 'no value');
    expectClosed({ ...key, wrappedKey: '' }, 'no key');
  });

  it('has a data key of its own for each version, so that equal values cannot be told', () => {
    const many = Array.from({ length: 500 }, () => sealed('sk-a-key-of-a-user'));
    expect(new Set(many.map(({ sealedValue }) => sealedValue)).size).to.equal(500);
    expect(new Set(many.map(({ wrappedKey }) => wrappedKey)).size).to.equal(500);
  });

  it('opens under a new wrapping without its ciphertext being touched', () => {
    const before = sealed('sk-a-key-of-a-user', PLACE, OLD);
    const after = { ...before, ...rewrapped(before, BOTH) };
    expect(after.sealedValue).to.equal(before.sealedValue);
    expect([before.wrappedBy, after.wrappedBy]).to.deep.equal([OLD.currentId, NEW.currentId]);
    expect(openValue(after, NEW)).to.equal('sk-a-key-of-a-user');
    expect(() => openValue(after, OLD)).to.throw(SealError);
    expect(() => rewrapped(before, NEW)).to.throw(SealError);
  });
});
