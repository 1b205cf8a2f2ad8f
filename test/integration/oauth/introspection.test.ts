import { expect } from 'chai';
import {
  API,
  createAccount,
  createClient,
  createResource,
  DEMO,
  introspect,
  obtainTokens,
  postAs,
  refresh,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const INACTIVE = { active: false };

describe('introspection', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  let stranger: TestClient;
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness);
    stranger = await createClient(harness);
    web = await createClient(harness, { resources: [API, opaque.identifier] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const obtain = (resource: string) => obtainTokens(harness, web, { scope: 'openid read offline_access', resource });
  const machineToken = async (resource: string): Promise<string> => {
    const client = await createClient(harness, { grantTypes: ['client_credentials'], resources: [resource] });
    return (await token(harness, client, { grant_type: 'client_credentials' })).json().access_token;
  };

  it('tells the audience of an access token what it allows, opaque or JWT', async () => {
    for (const [resource, api] of [
      [opaque.identifier, opaque.api],
      [API, DEMO.api],
    ] as const) {
      const tokens = await obtain(resource);
      const reply = await introspect(harness, api, tokens.access_token);
      const facts = reply.json();
      expect(facts).to.include({
        active: true,
        iss: harness.issuer,
        client_id: web.id,
        scope: 'read',
        aud: resource,
        token_type: 'Bearer',
      });
      expect(facts.sub).to.match(/^acc_/);
      expect(facts.exp - facts.iat).to.equal(900);
      expect(reply.headers['cache-control']).to.equal('no-store');
    }
  });

  it("tells the owner of a token about it, and tells about a client's own token", async () => {
    const tokens = await obtain(opaque.identifier);
    expect((await introspect(harness, web, tokens.access_token)).json().active).to.equal(true);
    const facts = (await introspect(harness, web, tokens.refresh_token)).json();
    expect(facts).to.include({ active: true, client_id: web.id });
    expect(facts).to.not.have.property('token_type');
    const machine = await machineToken(opaque.identifier);
    expect((await introspect(harness, opaque.api, machine)).json()).to.include({
      active: true,
      aud: opaque.identifier,
    });
  });

  it('tells everybody else exactly what it tells about a token that does not exist', async () => {
    const tokens = await obtain(opaque.identifier);
    const jwt = await obtain(API);
    const unknown = await introspect(harness, stranger, `gat_${'A'.repeat(43)}`);
    expect(unknown.json()).to.deep.equal(INACTIVE);
    for (const caller of [stranger, DEMO.web, DEMO.api]) {
      for (const value of [tokens.access_token, tokens.refresh_token]) {
        const reply = await introspect(harness, caller, value);
        expect([reply.status, reply.text]).to.deep.equal([unknown.status, unknown.text]);
      }
    }
    for (const caller of [stranger, opaque.api, DEMO.web]) {
      const reply = await introspect(harness, caller, jwt.access_token);
      expect(reply.text).to.equal(unknown.text);
    }
    // The resource server learns nothing of refresh tokens either.
    expect((await introspect(harness, opaque.api, tokens.refresh_token)).json()).to.deep.equal(INACTIVE);
  });

  it('tells nothing about an id token, a code, a cookie or garbage', async () => {
    const tokens = await obtain(API);
    for (const value of [
      tokens.id_token,
      'x',
      'gac_x',
      'a.b.c',
      `${tokens.access_token}x`,
      tokens.access_token.slice(0, -4),
      `${'A'.repeat(20_000)}`,
      tokens.browser.jar.get('session') ?? '',
      'grt_',
      '\u0000',
      'é',
    ])
      for (const caller of [web, DEMO.api]) {
        const reply = await introspect(harness, caller, value);
        expect([reply.status, reply.json()]).to.deep.equal([200, INACTIVE]);
      }
  });

  it('takes no notice of a wrong hint', async () => {
    const tokens = await obtain(opaque.identifier);
    for (const token_type_hint of ['refresh_token', 'access_token', 'nonsense']) {
      const reply = await introspect(harness, opaque.api, tokens.access_token, { token_type_hint });
      expect(reply.json().active).to.equal(true);
    }
  });

  it('is not for public clients, nor for anybody who is not authenticated', async () => {
    const tokens = await obtainTokens(harness, DEMO.spa, { scope: 'openid read' });
    const reply = await introspect(harness, DEMO.spa, tokens.access_token);
    expect([reply.status, reply.json().error]).to.deep.equal([401, 'invalid_client']);
    const anonymous = await harness.post('/oauth2/introspect', { token: tokens.access_token });
    expect([anonymous.status, anonymous.json().error]).to.deep.equal([400, 'invalid_request']);
    const bearer = await harness.post(
      '/oauth2/introspect',
      { token: tokens.access_token },
      { authorization: `Bearer ${tokens.access_token}` },
    );
    expect(bearer.status).to.be.oneOf([400, 401]);
  });

  it('ends for a token with its life, at the second', async () => {
    for (const [resource, api] of [
      [opaque.identifier, opaque.api],
      [API, DEMO.api],
    ] as const) {
      const tokens = await obtain(resource);
      const machine = await machineToken(resource);
      using _ = travel(895);
      expect((await introspect(harness, api, tokens.access_token)).json().active).to.equal(true);
      expect((await introspect(harness, api, machine)).json().active).to.equal(true);
      using __ = travel(7);
      expect((await introspect(harness, api, tokens.access_token)).json()).to.deep.equal(INACTIVE);
      expect((await introspect(harness, api, machine)).json()).to.deep.equal(INACTIVE);
    }
  });

  it('says that a used refresh token is not active, and its successor is', async () => {
    const tokens = await obtain(opaque.identifier);
    const second = (await refresh(harness, web, tokens.refresh_token)).json();
    expect((await introspect(harness, web, tokens.refresh_token)).json()).to.deep.equal(INACTIVE);
    expect((await introspect(harness, web, second.refresh_token)).json().active).to.equal(true);
  });

  it('says that the tokens of a disabled account are not active', async () => {
    const who = await createAccount(harness);
    for (const [resource, api] of [
      [opaque.identifier, opaque.api],
      [API, DEMO.api],
    ] as const) {
      await harness.services.manageAccounts.enable(who.account.id);
      const tokens = await obtainTokens(harness, web, { scope: 'openid read offline_access', resource, who });
      expect((await introspect(harness, api, tokens.access_token)).json().active).to.equal(true);
      await harness.services.manageAccounts.disable(who.account.id);
      expect((await introspect(harness, api, tokens.access_token)).json()).to.deep.equal(INACTIVE);
      expect((await introspect(harness, web, tokens.refresh_token)).json()).to.deep.equal(INACTIVE);
    }
  });

  it('says that the tokens of a deleted client are not active', async () => {
    const gone = await createClient(harness, { resources: [opaque.identifier] });
    const tokens = await obtainTokens(harness, gone, { scope: 'openid read', resource: opaque.identifier });
    const machine = await createClient(harness, { grantTypes: ['client_credentials'], resources: [API] });
    const jwt = (await token(harness, machine, { grant_type: 'client_credentials' })).json().access_token;
    expect((await introspect(harness, DEMO.api, jwt)).json().active).to.equal(true);
    await harness.services.manageClients.remove(gone.id);
    await harness.services.manageClients.remove(machine.id);
    expect((await introspect(harness, opaque.api, tokens.access_token)).json()).to.deep.equal(INACTIVE);
    expect((await introspect(harness, DEMO.api, jwt)).json()).to.deep.equal(INACTIVE);
  });

  it('says that a token of a deleted client is not active when another client gets its id', async () => {
    const fields = { grantTypes: ['client_credentials' as const], resources: [API] };
    const first = await createClient(harness, { ...fields, id: 'once-more' });
    const jwt = (await token(harness, first, { grant_type: 'client_credentials' })).json().access_token;
    expect((await introspect(harness, DEMO.api, jwt)).json().active).to.equal(true);
    await harness.services.manageClients.remove(first.id);
    using _ = travel(5);
    const second = await createClient(harness, { ...fields, id: 'once-more' });
    expect((await introspect(harness, DEMO.api, jwt)).json()).to.deep.equal(INACTIVE);
    const own = (await token(harness, second, { grant_type: 'client_credentials' })).json().access_token;
    expect((await introspect(harness, DEMO.api, own)).json().active).to.equal(true);
  });

  it('says that a token is not active once its session or its grant is gone, whatever else is there', async () => {
    const { stores } = harness.services;
    const [one, two] = [await createAccount(harness), await createAccount(harness)];
    const { identifier: resource } = opaque;
    const bound = await obtainTokens(harness, web, { scope: 'openid read', resource, who: one });
    const offline = await obtainTokens(harness, web, { scope: 'openid read offline_access', resource, who: two });
    for (const { access_token } of [bound, offline]) {
      expect((await introspect(harness, opaque.api, access_token)).json().active).to.equal(true);
    }
    for (const [kind, { account }, { access_token }] of [
      ['Session', one, bound],
      ['Grant', two, offline],
    ] as const) {
      const found = await stores.tokens.listByAccount(kind, account.id, 10);
      expect(found).to.have.length(1);
      for (const { id } of found) await stores.tokens.remove(kind, id);
      expect([kind, (await introspect(harness, opaque.api, access_token)).json()]).to.deep.equal([kind, INACTIVE]);
    }
  });

  it('needs the token in a form body, once', async () => {
    const missing = await postAs(harness, DEMO.api, '/oauth2/introspect', {});
    expect([missing.status, missing.json().error]).to.deep.equal([400, 'invalid_request']);
    const twice = await postAs(harness, DEMO.api, '/oauth2/introspect', { token: ['a', 'b'] });
    expect([twice.status, twice.json().error]).to.deep.equal([400, 'invalid_request']);
    const json = await harness.send('/oauth2/introspect', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"token":"x"}',
    });
    expect([json.status, json.json().error]).to.deep.equal([415, 'invalid_request']);
    expect((await harness.get('/oauth2/introspect?token=x')).status).to.equal(405);
  });
});
