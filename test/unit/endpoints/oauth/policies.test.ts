import { expect } from 'chai';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Allowed, Consent } from '../../../../src/domain/consents/consent.ts';
import { createPolicies } from '../../../../src/endpoints/oauth/policies.ts';
import { systemClock } from '../../../../src/kit/clock.ts';

class Grant {
  jti = '';
  readonly scopes: string[] = [];
  readonly of: { accountId: string; clientId: string };
  constructor(of: { accountId: string; clientId: string }) {
    this.of = of;
  }
  addOIDCScope(scope: string): void {
    this.scopes.push(scope);
  }
}

describe('the grant of an authorization', () => {
  const allowed: Allowed = { accountId: 'acc_ada', clientId: 'notes', scopes: ['openid'], claims: [], resources: {} };
  let kept: Consent[];
  beforeEach(() => {
    kept = [];
  });

  /** What the account at this client is granted after a step that was answered with `now`. */
  async function granted(accountId: string, clientId: string, now: Allowed | undefined) {
    const { loadExistingGrant } = createPolicies({
      findClient: async () => null,
      findResource: async () => null,
      consents: {
        find: async (account, client) =>
          kept.find((consent) => consent.accountId === account && consent.clientId === client) ?? null,
        save: async (consent) => void kept.push(consent),
      },
      audit: async () => {},
      clock: systemClock,
    });
    const oidc = {
      client: { clientId },
      session: {},
      account: { accountId },
      provider: { Grant },
      result: now && { consent: { allowed: now } },
    };
    const ctx = { oidc, state: { facts: { ip: '192.0.2.1', requestId: 'req_1' } } } as unknown as KoaContextWithOIDC;
    return (await loadExistingGrant(ctx)) as unknown as Grant | undefined;
  }

  it('has what its account allowed its client just now, and that is remembered', async () => {
    expect((await granted('acc_ada', 'notes', allowed))?.scopes).to.deep.equal(['openid']);
    expect(kept).to.have.length(1);
    const later = await granted('acc_ada', 'notes', undefined);
    expect([later?.of, later?.scopes]).to.deep.equal([{ accountId: 'acc_ada', clientId: 'notes' }, ['openid']]);
  });

  it('has nothing of what another account allowed, or what was allowed to another client', async () => {
    expect(await granted('acc_eve', 'notes', allowed)).to.equal(undefined);
    expect(await granted('acc_ada', 'another', allowed)).to.equal(undefined);
    expect(kept).to.deep.equal([]);
  });

  it('is another one each time', async () => {
    const [one, two] = [await granted('acc_ada', 'notes', allowed), await granted('acc_ada', 'notes', undefined)];
    expect(one?.jti).to.match(/^[\w-]{43}$/);
    expect(two?.jti).to.match(/^[\w-]{43}$/);
    expect(one?.jti).to.not.equal(two?.jti);
  });
});
