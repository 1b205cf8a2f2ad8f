import { expect } from 'chai';
import {
  API,
  claimsOf,
  createClient,
  createResource,
  DEMO,
  introspect,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

describe('the client credentials grant', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  let machine: TestClient;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness);
    machine = await createClient(harness, {
      grantTypes: ['client_credentials'],
      resources: [opaque.identifier],
      scopes: ['read', 'write'],
    });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const ask = (client: TestClient, fields: Fields = {}) =>
    token(harness, client, { grant_type: 'client_credentials', ...fields });

  it('gives a JWT access token as RFC 9068 wants it, for the one resource server of the client', async () => {
    const reply = await ask(DEMO.machine);
    const { access_token, ...rest } = reply.json();
    expect(rest).to.deep.equal({ token_type: 'Bearer', expires_in: 900, scope: 'read write' });
    const header = JSON.parse(Buffer.from(access_token.split('.')[0], 'base64url').toString());
    expect(header).to.include({ alg: 'ES256', typ: 'at+jwt' });
    const claims = claimsOf(access_token);
    expect(claims).to.include({
      iss: harness.issuer,
      sub: 'demo-machine',
      client_id: 'demo-machine',
      aud: API,
      scope: 'read write',
    });
    expect(claims.exp - claims.iat).to.equal(900);
    expect(claims.jti).to.be.a('string');
  });

  it('gives an opaque access token that its resource server can introspect', async () => {
    const { access_token, ...rest } = (await ask(machine)).json();
    expect(access_token).to.match(/^gat_[A-Za-z0-9_-]{43}$/);
    expect(rest).to.deep.equal({ token_type: 'Bearer', expires_in: 900, scope: 'read write' });
    const facts = (await introspect(harness, opaque.api, access_token)).json();
    expect(facts).to.include({
      active: true,
      sub: machine.id,
      client_id: machine.id,
      aud: opaque.identifier,
      scope: 'read write',
    });
  });

  it('gives no refresh token and no id token', async () => {
    const tokens = (await ask(machine, { scope: 'read openid offline_access' })).json();
    expect(tokens).to.not.have.any.keys('refresh_token', 'id_token');
    expect(tokens.scope).to.equal('read');
  });

  it('gives the scopes that were asked for and given, and says which', async () => {
    expect((await ask(machine, { scope: 'write' })).json().scope).to.equal('write');
    expect((await ask(machine, { scope: 'write admin nonsense' })).json().scope).to.equal('write');
    for (const scope of ['admin', 'openid', 'nonsense', ' ']) {
      const reply = await ask(machine, { scope });
      expect([scope, reply.status, reply.json().error]).to.deep.equal([scope, 400, 'invalid_scope']);
    }
  });

  it('keeps to the resource servers the client was given', async () => {
    expect((await ask(machine, { resource: opaque.identifier })).status).to.equal(200);
    for (const resource of [
      API,
      'https://unknown.example',
      `${opaque.identifier}/`,
      '/relative',
      `${opaque.identifier}#x`,
      [opaque.identifier, API],
    ]) {
      const reply = await ask(machine, { resource });
      expect([resource, reply.status, reply.json().error]).to.deep.equal([resource, 400, 'invalid_target']);
    }
    const none = await createClient(harness, { grantTypes: ['client_credentials'], resources: [] });
    expect((await ask(none)).json().error).to.equal('invalid_target');
    const several = await createClient(harness, {
      grantTypes: ['client_credentials'],
      resources: [API, opaque.identifier],
    });
    expect((await ask(several)).json().error).to.equal('invalid_target');
    expect((await ask(several, { resource: API })).status).to.equal(200);
  });

  it('is for clients that were given it', async () => {
    for (const client of [DEMO.web, DEMO.spa, DEMO.api]) {
      const reply = await ask(client);
      expect([client.id, reply.status, reply.json().error]).to.deep.equal([client.id, 400, 'unauthorized_client']);
    }
    const refused = await createClient(harness, { authMethod: 'none', grantTypes: ['client_credentials'] }).catch(
      (e) => e,
    );
    expect(refused.code).to.equal('invalid_request');
  });

  it('never has a subject that could be taken for a person', async () => {
    const accounts = await harness.services.stores.accounts.list({ limit: 10 });
    const ids = [...accounts.map(({ id }) => id), 'acc_anything'];
    for (const id of ids) {
      const refused = await createClient(harness, { id, grantTypes: ['client_credentials'] }).catch((error) => error);
      expect(refused.code).to.equal('invalid_request');
    }
  });
});
