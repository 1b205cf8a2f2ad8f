import { expect } from 'chai';
import type { Context } from 'koa';
import { createInteractions, type Step } from '../../../../src/endpoints/interactions/interaction.ts';
import { systemClock } from '../../../../src/kit/clock.ts';

describe('a step of the browser flow', () => {
  const OWN = { uid: 'uid-of-the-step', cookie: 'cookie-of-the-step', accountId: 'acc_ada' };

  /** Answers the step in a browser that has the session `kept` now; returns the session in which the step goes on. */
  async function sessionAfter(kept: { uid: string; accountId: string } | undefined): Promise<object> {
    const saved: object[] = [];
    const interaction = {
      uid: 'interaction',
      exp: systemClock.nowSeconds() + 60,
      returnTo: '/oauth2/authorize/interaction',
      session: OWN,
      async save() {
        saved.push(this.session);
      },
    };
    const { finish } = createInteractions({
      provider: () => ({ cookieName: () => 'session', Session: { find: async () => kept }, Interaction: {} }) as never,
      findClient: async () => null,
      csrf: {} as never,
      clock: systemClock,
    });
    const ctx = { cookies: { get: () => 'cookie-of-now' }, redirect: () => undefined } as unknown as Context;
    await finish(ctx, { interaction, uid: interaction.uid } as unknown as Step, {}, false);
    expect(saved).to.have.length(1);
    return saved[0] ?? {};
  }

  it('goes on in the session that another tab made, of the same person', async () => {
    const after = await sessionAfter({ uid: 'another', accountId: 'acc_ada' });
    expect(after).to.deep.equal({ uid: 'another', cookie: 'cookie-of-now', accountId: 'acc_ada' });
  });

  it('does not go on in the session of another person, nor in one that is gone', async () => {
    expect(await sessionAfter({ uid: 'another', accountId: 'acc_eve' })).to.deep.equal(OWN);
    expect(await sessionAfter(undefined)).to.deep.equal(OWN);
  });
});
