import { expect } from 'chai';
import { type BoundRequest, createBindingCheck } from '../../../../src/domain/credentials/proof/check-binding.ts';

const MINE = 'A'.repeat(43);
const OTHER = 'B'.repeat(43);

describe('the binding of a token', () => {
  const proofs: string[] = [];
  const check = createBindingCheck({
    async verifyProof({ jkt = '' }) {
      proofs.push(jkt);
      return jkt === MINE ? { kind: 'proved', jkt } : { kind: 'refused', reason: 'other key' };
    },
  });
  const ask = (change: Partial<BoundRequest>) =>
    check({
      confirmation: null,
      scheme: 'bearer',
      accessToken: 'token',
      certificateThumbprint: null,
      proof: undefined,
      method: 'GET',
      url: 'https://id.example/',
      ...change,
    } as BoundRequest);
  beforeEach(() => proofs.splice(0));

  it('to a certificate asks for that very certificate', async () => {
    const confirmation = { x5tS256: MINE };
    expect(await ask({ confirmation, certificateThumbprint: MINE })).to.equal(null);
    expect(await ask({ confirmation, certificateThumbprint: OTHER })).to.equal('other client certificate');
    expect(await ask({ confirmation })).to.equal('no client certificate');
  });

  it('to a key asks for a proof by that key, and never lets the token pass as a bearer token', async () => {
    expect(await ask({ confirmation: { jkt: MINE }, scheme: 'dpop' })).to.equal(null);
    expect(await ask({ confirmation: { jkt: OTHER }, scheme: 'dpop' })).to.equal('other key');
    expect(proofs).to.deep.equal([MINE, OTHER]);
    expect(await ask({ confirmation: { jkt: MINE } })).to.equal('bound token sent as bearer');
    expect(proofs).to.have.length(2);
  });

  it('that is none lets nobody look as if there were one', async () => {
    expect(await ask({})).to.equal(null);
    expect(await ask({ scheme: 'dpop' })).to.equal('unbound token sent with a proof');
  });

  it('of a kind that nobody knows is met by nobody', async () => {
    expect(await ask({ confirmation: {} })).to.equal('unknown kind of binding');
  });
});
