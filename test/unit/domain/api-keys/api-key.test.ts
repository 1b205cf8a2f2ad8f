import { expect } from 'chai';
import { stateOf } from '../../../../src/domain/api-keys/api-key.ts';

describe('the state of an API key', () => {
  const LIVE = { revokedAt: null, suspendedAt: null, expiresAt: null };

  it('is active until it ends, and expired from that very moment', () => {
    expect(stateOf(LIVE, 1000)).to.equal('active');
    const key = { ...LIVE, expiresAt: 1000 };
    expect([999, 1000, 1001].map((nowMs) => stateOf(key, nowMs))).to.deep.equal(['active', 'expired', 'expired']);
  });

  it('is revoked or suspended whatever its end is', () => {
    for (const expiresAt of [null, 500, 2000]) {
      expect(stateOf({ ...LIVE, expiresAt, revokedAt: 1 }, 1000)).to.equal('revoked');
      expect(stateOf({ ...LIVE, expiresAt, suspendedAt: 1 }, 1000)).to.equal('suspended');
    }
  });
});
