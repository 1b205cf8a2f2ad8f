import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  authorize,
  claimsOf,
  createClient,
  createResource,
  introspect,
  redeem,
  refresh,
  type TestClient,
  userinfo,
} from '../../support/builders.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

describe('resource servers', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  /** Given one resource server, of JWTs. */
  let one: TestClient;
  /** Given two. */
  let two: TestClient;
  let none: TestClient;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness, { accessTokenLifetimeSeconds: 300 });
    one = await createClient(harness);
    two = await createClient(harness, { resources: [API, opaque.identifier] });
    none = await createClient(harness, { resources: [] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function errorOf(client: { id: string }, changes: Fields): Promise<string | null> {
    const page = await new Browser(harness).open(authorization(harness, client, changes).url);
    expect(page.callback, page.text).to.not.equal(null);
    return page.answer.get('error');
  }
  const obtain = async (client: TestClient, changes: Fields, atToken: Fields = {}) => {
    const authorized = await authorize(harness, client, changes);
    return redeem(harness, client, authorized, atToken);
  };

  it('are the audience of the tokens for them, and decide their form and life', async () => {
    const jwt = (await obtain(two, { scope: 'openid read', resource: API })).json();
    expect(claimsOf(jwt.access_token)).to.include({ aud: API, scope: 'read', client_id: two.id, iss: harness.issuer });
    expect(jwt.expires_in).to.equal(900);
    const short = (await obtain(two, { scope: 'openid read', resource: opaque.identifier })).json();
    expect(short.access_token).to.match(/^gat_/);
    expect(short.expires_in).to.equal(300);
    expect((await introspect(harness, opaque.api, short.access_token)).json().aud).to.equal(opaque.identifier);
  });

  it('that are unknown, not given to the client or no absolute URI are refused alike', async () => {
    for (const resource of [
      'https://unknown.example',
      opaque.identifier,
      `${API}/`,
      'HTTPS://api.example.com',
      'api',
      '/v1',
      '',
      ' ',
      `${API}#frag`,
      `${API}#`,
    ])
      expect([resource, await errorOf(one, { scope: 'openid read', resource }).catch(() => 'page')]).to.deep.equal([
        resource,
        resource === '' ? 'page' : 'invalid_target',
      ]);
    expect(await errorOf(one, { scope: 'openid read', resource: [API, 'https://unknown.example'] })).to.equal(
      'invalid_target',
    );
    expect(await errorOf(none, { scope: 'openid read', resource: API })).to.equal('invalid_target');
  });

  it('need not be named by a client that has one', async () => {
    const tokens = (await obtain(one, { scope: 'openid read' })).json();
    expect(claimsOf(tokens.access_token).aud).to.equal(API);
    const named = await obtain(one, { scope: 'openid read' }, { resource: API });
    expect(claimsOf(named.json().access_token).aud).to.equal(API);
  });

  it('must be named by a client that has several: none is taken at random, and no token is for all', async () => {
    const authorized = await authorize(harness, two, { scope: 'openid read' });
    const tokens = (await redeem(harness, two, authorized)).json();
    expect(tokens.scope).to.equal('openid');
    expect((await userinfo(harness, tokens.access_token)).status).to.equal(200);
    expect((await introspect(harness, opaque.api, tokens.access_token)).json()).to.deep.equal({ active: false });
  });

  it('are not involved when only OpenID Connect scopes are asked for', async () => {
    const tokens = (await obtain(one, { scope: 'openid profile' })).json();
    expect(tokens.access_token).to.match(/^gat_/);
    expect(tokens.scope).to.equal('openid profile');
    expect((await userinfo(harness, tokens.access_token)).json().name).to.equal('Ada Lovelace');
  });

  it('can be asked for together, and are then given a token each', async () => {
    const resource = [API, opaque.identifier];
    const authorized = await authorize(harness, two, { scope: 'openid read offline_access', resource });
    const first = (await redeem(harness, two, authorized, { resource: API })).json();
    expect(claimsOf(first.access_token).aud).to.equal(API);
    const second = (await refresh(harness, two, first.refresh_token, { resource: opaque.identifier })).json();
    expect((await introspect(harness, opaque.api, second.access_token)).json()).to.include({
      active: true,
      aud: opaque.identifier,
    });
    expect((await introspect(harness, opaque.api, first.access_token)).json()).to.deep.equal({ active: false });
  });

  it('must be told apart at the token endpoint when several were asked for', async () => {
    const authorized = await authorize(harness, two, { scope: 'openid read', resource: [API, opaque.identifier] });
    const both = await redeem(harness, two, authorized, { resource: [API, opaque.identifier] });
    expect([both.status, both.json().error]).to.deep.equal([400, 'invalid_target']);
  });

  it('at the token endpoint can only be one of those that were asked for', async () => {
    const authorized = await authorize(harness, two, { scope: 'openid read', resource: API });
    for (const resource of [opaque.identifier, 'https://unknown.example', '/x']) {
      const reply = await redeem(harness, two, authorized, { resource });
      expect([resource, reply.status, reply.json().error]).to.deep.equal([resource, 400, 'invalid_target']);
    }
    expect((await redeem(harness, two, authorized)).status).to.equal(200);
  });

  it('never give a scope that the client was not given', async () => {
    const tokens = (await obtain(one, { scope: 'openid read admin' })).json();
    expect(claimsOf(tokens.access_token).scope).to.equal('read');
  });

  it('that are taken from a client are refused from then on', async () => {
    const client = await createClient(harness, { resources: [opaque.identifier] });
    const tokens = (await obtain(client, { scope: 'openid read offline_access', resource: opaque.identifier })).json();
    await harness.services.manageClients.update(client.id, { resources: [] });
    const reply = await refresh(harness, client, tokens.refresh_token, { resource: opaque.identifier });
    expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_target']);
  });

  it('that are removed take the introspection of their tokens with them', async () => {
    const gone = await createResource(harness);
    const client = await createClient(harness, { resources: [gone.identifier] });
    const tokens = (await obtain(client, { scope: 'openid read', resource: gone.identifier })).json();
    await harness.services.manageResources.remove(gone.identifier);
    expect((await introspect(harness, gone.api, tokens.access_token)).status).to.equal(401);
    expect(await errorOf(client, { scope: 'openid read', resource: gone.identifier })).to.equal('invalid_target');
  });
});
