import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  createAccount,
  createClient,
  createResource,
  DEMO,
  introspect,
  obtainTokens,
  refresh,
  revoke,
  type TestClient,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness, travel } from '../../support/harness.ts';

const SCOPE = 'openid offline_access read write';

describe('the refresh token grant', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness);
    web = await createClient(harness, { resources: [opaque.identifier, API] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  function expectRefused(reply: Reply, error = 'invalid_grant'): void {
    expect([reply.status, reply.json().error]).to.deep.equal([400, error]);
  }
  const isActive = async (value: string, api: TestClient = opaque.api): Promise<boolean> =>
    (await introspect(harness, api, value)).json().active;
  const obtain = (client: TestClient = web) =>
    obtainTokens(harness, client, { scope: SCOPE, resource: client === web ? opaque.identifier : API });

  for (const name of ['web', 'spa'] as const) {
    it(`rotates the refresh token of a ${name === 'web' ? 'confidential' : 'public'} client at every use`, async () => {
      const client = DEMO[name];
      const first = await obtain(client);
      const second = (await refresh(harness, client, first.refresh_token)).json();
      const third = (await refresh(harness, client, second.refresh_token)).json();
      expect(new Set([first.refresh_token, second.refresh_token, third.refresh_token]).size).to.equal(3);
      expect(third.scope).to.equal('read write');
    });
  }

  it('answers a retry within the grace window with the identical response', async () => {
    const tokens = await obtain();
    const first = await refresh(harness, web, tokens.refresh_token);
    const retry = await refresh(harness, web, tokens.refresh_token);
    expect(retry.json()).to.deep.equal(first.json());
    expect(retry.headers['cache-control']).to.equal('no-store');
    expect((await refresh(harness, web, first.json().refresh_token)).status).to.equal(200);
  });

  it('answers no retry, by a clock that was set back, of a use that has not happened yet', async () => {
    const tokens = await obtain();
    await refresh(harness, web, tokens.refresh_token);
    using _ = travel(-3600);
    expectRefused(await refresh(harness, web, tokens.refresh_token));
  });

  it('gives 50 parallel requests one and the same successor', async () => {
    for (const client of [web, DEMO.spa]) {
      const tokens = await obtain(client);
      const replies = await Promise.all(
        Array.from({ length: 50 }, () => refresh(harness, client, tokens.refresh_token)),
      );
      expect(new Set(replies.map(({ status }) => status))).to.deep.equal(new Set([200]));
      expect(new Set(replies.map((reply) => reply.text)).size).to.equal(1);
      expect((await refresh(harness, client, replies[0]?.json().refresh_token)).status).to.equal(200);
    }
  });

  it('binds the retry to the scope and resource of the first use, and a wrong retry ends nothing', async () => {
    const tokens = await obtain();
    const first = await refresh(harness, web, tokens.refresh_token, { scope: 'read' });
    expectRefused(await refresh(harness, web, tokens.refresh_token));
    expectRefused(await refresh(harness, web, tokens.refresh_token, { scope: 'read write' }));
    expectRefused(await refresh(harness, web, tokens.refresh_token, { scope: 'read', resource: opaque.identifier }));
    expectRefused(await refresh(harness, DEMO.web, tokens.refresh_token, { scope: 'read' }));
    const again = await refresh(harness, web, tokens.refresh_token, { scope: 'read' });
    expect(again.text).to.equal(first.text);
    expect((await refresh(harness, web, first.json().refresh_token)).status).to.equal(200);
  });

  it('does not tell by a failing request whether the token was used', async () => {
    const tokens = await obtain();
    const probes = [{ scope: 'made-up' }, { scope: 'read made-up else' }, { resource: 'https://made-up.example' }];
    const ask = async () => {
      const replies = [];
      for (const probe of probes) replies.push((await refresh(harness, web, tokens.refresh_token, probe)).text);
      return replies;
    };
    const unused = await ask();
    expect(unused.map((text) => JSON.parse(text).error)).to.deep.equal([
      'invalid_scope',
      'invalid_scope',
      'invalid_target',
    ]);
    expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
    expect(await ask()).to.deep.equal(unused);
  });

  it('keeps granting within the window when the successor was used already', async () => {
    const tokens = await obtain();
    const second = await refresh(harness, web, tokens.refresh_token);
    const third = (await refresh(harness, web, second.json().refresh_token)).json();
    expect((await refresh(harness, web, tokens.refresh_token)).text).to.equal(second.text);
    expect((await refresh(harness, web, third.refresh_token)).status).to.equal(200);
  });

  it('ends the whole family when a used token comes back after the window', async () => {
    for (const client of [web, DEMO.spa]) {
      const api = client === web ? opaque.api : DEMO.api;
      const tokens = await obtain(client);
      const second = (await refresh(harness, client, tokens.refresh_token)).json();
      const third = (await refresh(harness, client, second.refresh_token)).json();
      expect(await isActive(third.access_token, api)).to.equal(true);
      using _ = travel(11);
      expectRefused(await refresh(harness, client, tokens.refresh_token));
      for (const value of [tokens, second, third]) {
        expectRefused(await refresh(harness, client, value.refresh_token));
        expect(await isActive(value.access_token, api)).to.equal(false);
      }
    }
    const [event] = await harness.services.stores.audit.list({ type: 'refresh_token.reused', limit: 1 });
    expect(event?.clientId).to.equal('demo-spa');
  });

  it('leaves the family alone when another client shows the token, used or not', async () => {
    const tokens = await obtain();
    expectRefused(await refresh(harness, DEMO.web, tokens.refresh_token));
    expectRefused(await refresh(harness, DEMO.spa, tokens.refresh_token));
    const second = (await refresh(harness, web, tokens.refresh_token)).json();
    using _ = travel(60);
    expectRefused(await refresh(harness, DEMO.web, tokens.refresh_token));
    expect((await refresh(harness, web, second.refresh_token)).status).to.equal(200);
  });

  it('leaves other families of the same person and client alone', async () => {
    const [one, two] = [await obtain(), await obtain()];
    await refresh(harness, web, one.refresh_token);
    using _ = travel(60);
    expectRefused(await refresh(harness, web, one.refresh_token));
    expect((await refresh(harness, web, two.refresh_token)).status).to.equal(200);
  });

  it('narrows the scope of one access token, never of the family, and never widens it', async () => {
    const tokens = await obtain();
    const narrow = (await refresh(harness, web, tokens.refresh_token, { scope: 'read' })).json();
    expect(narrow.scope).to.equal('read');
    expect((await introspect(harness, opaque.api, narrow.access_token)).json().scope).to.equal('read');
    const full = (await refresh(harness, web, narrow.refresh_token)).json();
    expect(full.scope).to.equal('read write');
    for (const scope of ['read admin', 'admin', 'read profile', 'nonsense'])
      expectRefused(await refresh(harness, web, full.refresh_token, { scope }), 'invalid_scope');
    expect((await refresh(harness, web, full.refresh_token)).status).to.equal(200);
  });

  it('keeps to the resource servers of the consent', async () => {
    const tokens = await obtain();
    for (const resource of [API, 'https://unknown.example', [opaque.identifier, API]])
      expectRefused(await refresh(harness, web, tokens.refresh_token, { resource }), 'invalid_target');
    const same = (await refresh(harness, web, tokens.refresh_token, { resource: opaque.identifier })).json();
    expect((await introspect(harness, opaque.api, same.access_token)).json().aud).to.equal(opaque.identifier);
  });

  it('gives a token for the userinfo endpoint when asked for OpenID Connect scopes alone', async () => {
    const tokens = await obtain();
    const plain = (await refresh(harness, web, tokens.refresh_token, { scope: 'openid' })).json();
    expect((await userinfo(harness, plain.access_token)).status).to.equal(200);
    expect(await isActive(plain.access_token)).to.equal(false);
  });

  it('refuses what is not a refresh token', async () => {
    const tokens = await obtain();
    for (const value of [
      'x',
      'grt_',
      `grt_${'A'.repeat(43)}`,
      tokens.access_token,
      tokens.id_token,
      `${tokens.refresh_token} `,
      tokens.refresh_token.toUpperCase(),
    ])
      expectRefused(await refresh(harness, web, value));
    expectRefused(await token(harness, web, { grant_type: 'refresh_token' }), 'invalid_request');
    expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
  });

  it('ends at once, retries included, for an account that is disabled, and stays ended', async () => {
    const who = await createAccount(harness);
    const tokens = await obtainTokens(harness, web, { scope: SCOPE, resource: opaque.identifier, who });
    const second = (await refresh(harness, web, tokens.refresh_token)).json();
    await harness.services.manageAccounts.disable(who.account.id);
    for (const value of [tokens.refresh_token, second.refresh_token]) expectRefused(await refresh(harness, web, value));
    expect(await isActive(second.access_token)).to.equal(false);
    await harness.services.manageAccounts.enable(who.account.id);
    expectRefused(await refresh(harness, web, second.refresh_token));
  });

  it('answers no retry for a disabled account or an ended grant, also where the token itself is still there', async () => {
    const { stores } = harness.services;
    const [one, two] = [await createAccount(harness), await createAccount(harness)];
    const disable = () => stores.accounts.update(one.account.id, { disabledAt: Date.now() }, Date.now());
    const endGrant = async () => {
      const grants = await stores.tokens.listByAccount('Grant', two.account.id, 10);
      expect(grants).to.have.length(1);
      for (const { id } of grants) await stores.tokens.remove('Grant', id);
    };
    for (const [who, end] of [
      [one, disable],
      [two, endGrant],
    ] as const) {
      const tokens = await obtainTokens(harness, web, { scope: SCOPE, resource: opaque.identifier, who });
      expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
      expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
      await end();
      expectRefused(await refresh(harness, web, tokens.refresh_token));
    }
  });

  it('ends when the password is set anew', async () => {
    const who = await createAccount(harness);
    const tokens = await obtainTokens(harness, web, { scope: SCOPE, resource: opaque.identifier, who });
    await harness.services.manageAccounts.setPassword(who.account.id, 'an entirely different one');
    expectRefused(await refresh(harness, web, tokens.refresh_token));
    expect(await isActive(tokens.access_token)).to.equal(false);
    const page = await tokens.browser.open(authorization(harness, web, { prompt: 'none' }).url);
    expect(page.answer.get('error')).to.equal('login_required');
  });

  it('ends with a retry as well when the grant was revoked meanwhile', async () => {
    const tokens = await obtain();
    const second = (await refresh(harness, web, tokens.refresh_token)).json();
    await revoke(harness, web, second.refresh_token);
    expectRefused(await refresh(harness, web, tokens.refresh_token));
  });

  it('gives no more than the client may have now', async () => {
    const client = await createClient(harness, { resources: [opaque.identifier] });
    const tokens = await obtainTokens(harness, client, { scope: `${SCOPE} email`, resource: opaque.identifier });
    await harness.services.manageClients.update(client.id, { scopes: ['openid', 'offline_access', 'read'] });
    const narrowed = (await refresh(harness, client, tokens.refresh_token)).json();
    expect(narrowed.scope).to.equal('read');
    const plain = (await refresh(harness, client, narrowed.refresh_token, { scope: 'openid email' })).json();
    if (plain.access_token) expect((await userinfo(harness, plain.access_token)).json()).to.not.have.property('email');
  });

  it('ends when the client loses the grant type', async () => {
    const client = await createClient(harness, { resources: [opaque.identifier] });
    const tokens = await obtainTokens(harness, client, { scope: SCOPE, resource: opaque.identifier });
    await harness.services.manageClients.update(client.id, { grantTypes: ['authorization_code'] });
    expectRefused(await refresh(harness, client, tokens.refresh_token), 'unauthorized_client');
  });

  it('gives a session-bound token to a client without offline access, and it ends with the session', async () => {
    const browser = new Browser(harness);
    const tokens = await obtainTokens(harness, web, { scope: 'openid read', resource: opaque.identifier, browser });
    const second = (await refresh(harness, web, tokens.refresh_token)).json();
    await browser.open(harness.url('/oauth2/logout'));
    await browser.submit('Sign out');
    expectRefused(await refresh(harness, web, second.refresh_token));
    expect(await isActive(second.access_token)).to.equal(false);
  });
});

describe('the life of a refresh token family', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({
      env: { GATEHOUSE_REFRESH_IDLE_LIFETIME: '60m', GATEHOUSE_REFRESH_ABSOLUTE_LIFETIME: '90m' },
    });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const later = async (minutes: number, value: string): Promise<Reply> => {
    using _ = travel(minutes * 60);
    return await refresh(harness, DEMO.spa, value);
  };

  it('ends when it is not used for the idle time', async () => {
    const { refresh_token } = await obtainTokens(harness, DEMO.spa);
    expect((await later(59, refresh_token)).status).to.equal(200);
    const unused = await obtainTokens(harness, DEMO.spa);
    expect((await later(61, unused.refresh_token)).json().error).to.equal('invalid_grant');
  });

  it('ends at its absolute age, which rotation does not extend', async () => {
    let { refresh_token } = await obtainTokens(harness, DEMO.spa);
    for (const minutes of [40, 80, 89]) {
      const reply = await later(minutes, refresh_token);
      expect([minutes, reply.status]).to.deep.equal([minutes, 200]);
      refresh_token = reply.json().refresh_token;
    }
    expect((await later(91, refresh_token)).json().error).to.equal('invalid_grant');
  });
});

describe('a refresh token without a grace window', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_REFRESH_GRACE: '0' } });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('ends its family at the first reuse', async () => {
    const tokens = await obtainTokens(harness, DEMO.spa);
    const second = (await refresh(harness, DEMO.spa, tokens.refresh_token)).json();
    expect((await refresh(harness, DEMO.spa, tokens.refresh_token)).json().error).to.equal('invalid_grant');
    expect((await refresh(harness, DEMO.spa, second.refresh_token)).json().error).to.equal('invalid_grant');
  });

  it('never has two live successors, however many requests race', async () => {
    const tokens = await obtainTokens(harness, DEMO.spa);
    const replies = await Promise.all(
      Array.from({ length: 30 }, () => refresh(harness, DEMO.spa, tokens.refresh_token)),
    );
    const won = replies.filter(({ status }) => status === 200);
    expect(won).to.have.length(1);
    expect(replies.every(({ status }) => status === 200 || status === 400)).to.equal(true);
  });
});
