import { expect } from 'chai';
import { nextChange } from '../../../../src/domain/signing-keys/next-change.ts';
import { dueSteps } from '../../../../src/domain/signing-keys/rotation.ts';
import type { SigningKey, SigningKeyState } from '../../../../src/domain/signing-keys/signing-key.ts';

const SCHEDULE = { activeSeconds: 90, publishedSeconds: 14, retiredSeconds: 20 };

const key = (state: SigningKeyState, stateSince: number, algorithm: SigningKey['algorithm'] = 'ES256'): SigningKey => ({
  kid: `${algorithm}-${state}`,
  algorithm,
  state,
  publicJwk: '',
  sealedPrivateJwk: '',
  createdAt: 0,
  stateSince,
});

describe('the next change of a signing key', () => {
  it('is the swap of the active and the published key, when both are old enough', () => {
    const keys = [key('active', 1000), key('published', 5000)];
    expect(nextChange(key('active', 1000), keys, SCHEDULE)).to.deep.equal({ to: 'retired', at: 91_000 });
    expect(nextChange(key('published', 5000), keys, SCHEDULE)).to.deep.equal({ to: 'active', at: 91_000 });
    const late = [key('active', 1000), key('published', 80_000)];
    expect(nextChange(key('active', 1000), late, SCHEDULE).at).to.equal(94_000);
  });

  it('is removal for a retired key', () => {
    expect(nextChange(key('retired', 3000), [], SCHEDULE)).to.deep.equal({ to: 'removed', at: 23_000 });
  });

  it('looks at keys of the same algorithm only', () => {
    const keys = [key('active', 0), key('published', 0), key('active', 50_000, 'RS256'), key('published', 0, 'RS256')];
    expect(nextChange(key('active', 0), keys, SCHEDULE).at).to.equal(90_000);
  });

  it('is what the rotation then finds due, not a millisecond earlier', () => {
    const keys = (['ES256', 'RS256'] as const).flatMap((algorithm) => [
      key('active', 1000, algorithm),
      key('published', 82_500, algorithm),
      key('retired', 78_000, algorithm),
    ]);
    for (const each of keys) {
      const { at } = nextChange(each, keys, SCHEDULE);
      const touches = (nowMs: number): boolean =>
        dueSteps(keys, SCHEDULE, nowMs).some((step) => JSON.stringify(step).includes(each.kid));
      expect(touches(at - 1), `${each.kid} before`).to.equal(false);
      expect(touches(at), `${each.kid} then`).to.equal(true);
    }
  });
});
