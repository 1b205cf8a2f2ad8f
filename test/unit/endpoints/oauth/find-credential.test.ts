import { expect } from 'chai';
import { createFindSession } from '../../../../src/endpoints/oauth/find-credential.ts';

describe('the session of a cookie', () => {
  const findAt = (nowSeconds: number, kept: { expiresAt: number } | null) =>
    createFindSession({
      tokens: { find: async () => kept as never },
      codec: { keyOf: () => 'key', open: () => ({ accountId: 'acc_ada', loginTs: 1000 }) } as never,
      clock: { nowSeconds: () => nowSeconds, nowMs: () => nowSeconds * 1000 },
      absoluteSeconds: 500,
    })('value');

  it('ends at its absolute age, for however much longer it is kept', async () => {
    const session = { accountId: 'acc_ada', signedInAt: 1000, expiresAt: 1500, tokenId: 'key' };
    expect(await findAt(1499, { expiresAt: 9000 })).to.deep.equal(session);
    expect(await findAt(1500, { expiresAt: 9000 })).to.equal(null);
  });

  it('ends when it was idle, and is none when it is gone', async () => {
    expect(await findAt(1199, { expiresAt: 1200 })).to.include({ expiresAt: 1200 });
    expect(await findAt(1200, { expiresAt: 1200 })).to.equal(null);
    expect(await findAt(1199, null)).to.equal(null);
  });
});
