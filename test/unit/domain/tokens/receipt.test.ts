import { expect } from 'chai';
import { createReceipts } from '../../../../src/domain/tokens/receipt.ts';
import { createDigester } from '../../../../src/kit/digest.ts';

const digester = createDigester(Buffer.alloc(32, 1));
const receipts = createReceipts<{ token: string }>({ receiptKey: (token) => digester.digest('receipt', token) });
const RECEIPT = { response: { token: 'the-successor' }, addressGroup: '192.0.2.1' };

describe('a receipt', () => {
  it('gives the answer back to whoever holds the used token', () => {
    const sealed = receipts.seal('used', 'context', RECEIPT);
    expect(receipts.open('used', 'context', sealed)).to.deep.equal(RECEIPT);
    expect(sealed).not.to.include('successor');
  });

  it('opens for no other token, request or process key, and not when it was changed', () => {
    const sealed = receipts.seal('used', 'context', RECEIPT);
    const other = createDigester(Buffer.alloc(32, 2));
    const elsewhere = createReceipts({ receiptKey: (token) => other.digest('receipt', token) });
    expect(receipts.open('another', 'context', sealed)).to.equal(null);
    expect(receipts.open('used', 'another', sealed)).to.equal(null);
    expect(elsewhere.open('used', 'context', sealed)).to.equal(null);
    expect(receipts.open('used', 'context', `${sealed.slice(0, -2)}AA`)).to.equal(null);
    expect(receipts.open('used', 'context', 'v1.nonsense')).to.equal(null);
  });
});
