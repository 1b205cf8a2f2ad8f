import { expect } from 'chai';
import { createRowMacs, type RowMacs } from '../../../../src/domain/row-macs/row-macs.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

describe('the MAC of a row', () => {
  let closed: boolean;
  let reported: string[];
  let macs: RowMacs;
  const FACTS = ['id', 'acc_ada', ['read'], null];
  beforeEach(() => {
    closed = true;
    reported = [];
    macs = createRowMacs({
      digester: createDigester(Buffer.alloc(32, 7)),
      isClosed: () => closed,
      onUnusable: (table, id) => void reported.push(`${table} ${id}`),
    });
  });

  it('is right for these facts in this table, and for nothing else', () => {
    const mac = macs.make('api_keys', FACTS);
    expect(macs.isRight('api_keys', FACTS, mac)).to.equal(true);
    expect(macs.isRight('clients', FACTS, mac)).to.equal(false);
    for (const [index, value] of [
      [0, 'other'],
      [1, 'acc_eve'],
      [2, ['write']],
      [3, 1],
      [3, undefined],
    ] as const) {
      expect(macs.isRight('api_keys', FACTS.with(index, value as string), mac), String(value)).to.equal(false);
    }
    for (const wrong of ['', 'x', mac.toUpperCase(), `${mac}A`, undefined]) {
      expect(macs.isRight('api_keys', FACTS, wrong), wrong).to.equal(false);
    }
  });

  it('may be missing while the window is open, and never once it is closed', () => {
    closed = false;
    expect(macs.accepts('api_keys', 'id', FACTS, undefined)).to.equal(true);
    closed = true;
    expect(macs.accepts('api_keys', 'id', FACTS, undefined)).to.equal(false);
    expect(macs.accepts('api_keys', 'id', FACTS, undefined)).to.equal(false);
    expect(reported).to.deep.equal(['api_keys id']);
    expect(macs.accepts('api_keys', 'id', FACTS, macs.make('api_keys', FACTS))).to.equal(true);
  });

  it('makes no row usable that cannot be read', () => {
    for (const open of [true, false]) {
      closed = !open;
      const facts = [...FACTS, undefined];
      expect(macs.accepts('api_keys', 'id', facts, macs.make('api_keys', facts))).to.equal(false);
    }
  });
});
