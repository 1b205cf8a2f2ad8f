import { expect } from 'chai';
import { generateClientKey } from '../../../src/domain/signing-keys/client-key.ts';
import { call, good, newPerson, outcome, type Person, verify } from '../../support/api-client.ts';
import { type TestClient, token } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness, travel } from '../../support/harness.ts';

describe('clients that users make', () => {
  let harness: Harness;
  let ada: Person;
  let eve: Person;
  before(async () => {
    harness = await startHarness({
      // A hundred clients take longer than the limit of this endpoint allows.
      adjust: (services) => {
        services.rateLimits = {
          ...services.rateLimits,
          takeFrom: async () => ({ allowed: true, states: [], retryAfterSeconds: 0 }),
        };
      },
    });
    [ada, eve] = [await newPerson(harness), await newPerson(harness)];
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const create = (as: Person, given: object = {}) =>
    call(harness, 'POST /v1/clients', { as: as.token, body: { name: 'A machine', ...given } });
  async function made(as: Person, given: object = {}): Promise<TestClient & { secret: string }> {
    const { client_id: id, client_secret: secret } = await good(create(as, given));
    return { id, secret, method: 'client_secret_basic' };
  }
  const tokenOf = (client: TestClient, fields = {}): Promise<Reply> =>
    token(harness, client, { grant_type: 'client_credentials', ...fields });

  it('get tokens for this product, by client credentials, with the scopes they were given', async () => {
    const client = await made(ada, { scopes: ['read', 'write'] });
    const { access_token: value } = await good(tokenOf(client));
    expect((await verify(harness, value)).json()).to.include({
      method: 'access_token',
      subject: client.id,
      subject_type: 'client',
      audience: harness.issuer,
    });
    expect((await verify(harness, value)).json().scopes).to.have.members(['read', 'write']);
    const less = await good(tokenOf(client, { scope: 'read' }));
    expect((await verify(harness, less.access_token, { required_scopes: ['write'] })).status).to.equal(403);
    expect((await tokenOf(client, { scope: 'manage' })).json().error).to.equal('invalid_scope');
  });

  it('show their secret once', async () => {
    const reply = await create(ada);
    expect([reply.status, reply.headers['cache-control']]).to.deep.equal([201, 'no-store']);
    const { client_secret: secret, ...rest } = reply.json();
    const list = await call(harness, 'GET /v1/clients', { as: ada.token });
    expect(list.json().data).to.deep.include(rest);
    expect(list.text).to.not.contain(secret);
  });

  it('have no more rights than their maker, and none of a resource server', async () => {
    const poor = await newPerson(harness);
    await harness.services.manageAccounts.setScopes(poor.id, ['read']);
    expect(await outcome(create(poor, { scopes: ['write'] }))).to.equal('403 insufficient_scope');
    expect(await outcome(create(ada, { scopes: ['provider-keys:use'] }))).to.equal('403 insufficient_scope');
    expect(await outcome(create(ada, { scopes: ['openid'] }))).to.equal('403 insufficient_scope');
    expect((await good(create(poor))).scopes).to.deep.equal(['read']);
  });

  it('act for themselves: nothing of an account is theirs', async () => {
    const client = await made(ada, { scopes: ['read', 'manage'] });
    const { access_token: value } = await good(tokenOf(client));
    for (const request of ['GET /v1/auth/me', 'GET /v1/api-keys', 'GET /v1/provider-keys', 'GET /v1/clients']) {
      expect(await outcome(call(harness, request, { as: value })), request).to.equal('403 insufficient_scope');
    }
  });

  it('rotate their secret with an overlap', async () => {
    const client = await made(ada);
    const fresh = await good(
      call(harness, `POST /v1/clients/${client.id}/rotate`, { as: ada.token, body: { overlap_seconds: 60 } }),
    );
    const next = { ...client, secret: fresh.client_secret };
    for (const each of [client, next]) expect((await tokenOf(each)).status).to.equal(200);
    using _ = travel(61);
    expect((await tokenOf(client)).status).to.equal(401);
    expect((await tokenOf(next)).status).to.equal(200);
  });

  it('end when they are deleted, with their tokens', async () => {
    const client = await made(ada);
    const { access_token: value } = await good(tokenOf(client));
    expect((await verify(harness, value)).status).to.equal(200);
    expect((await call(harness, `DELETE /v1/clients/${client.id}`, { as: ada.token })).status).to.equal(204);
    expect((await tokenOf(client)).status).to.equal(401);
    expect(await outcome(verify(harness, value))).to.equal('401 unauthenticated');
  });

  it('end with their owner, with their tokens', async () => {
    const owner = await newPerson(harness);
    const client = await made(owner);
    const { access_token: value } = await good(tokenOf(client));
    expect((await verify(harness, value)).status).to.equal(200);
    await harness.services.manageAccounts.disable(owner.id);
    expect(await outcome(verify(harness, value))).to.equal('401 unauthenticated');
    expect((await tokenOf(client)).status).to.equal(401);
  });

  it('lose the scopes that their owner loses', async () => {
    const owner = await newPerson(harness);
    const client = await made(owner, { scopes: ['read', 'write'] });
    const { access_token: value } = await good(tokenOf(client));
    expect((await verify(harness, value, { required_scopes: ['write'] })).status).to.equal(200);
    await harness.services.manageAccounts.setScopes(owner.id, ['read']);
    expect((await verify(harness, value, { required_scopes: ['write'] })).status).to.equal(403);
    expect((await verify(harness, value, { required_scopes: ['read'] })).status).to.equal(200);
    expect((await good(tokenOf(client))).scope).to.equal('read');
  });

  it('are nobody else’s, and no client of the operator is anybody’s', async () => {
    const { id } = await made(ada);
    for (const target of [id, 'demo-web', 'nobody']) {
      const rotated = call(harness, `POST /v1/clients/${target}/rotate`, { as: eve.token });
      expect(await outcome(rotated), target).to.equal('404 not_found');
      expect(await outcome(call(harness, `DELETE /v1/clients/${target}`, { as: eve.token }))).to.equal('404 not_found');
    }
    expect((await good(call(harness, 'GET /v1/clients', { as: eve.token }))).data).to.deep.equal([]);
  });

  it('are in the audit trail with who made, changed and deleted them, from where and by which request', async () => {
    const person = await newPerson(harness);
    const requests: string[] = [];
    const send = async (request: string, body?: object) => {
      const reply = await call(harness, request, { as: person.token, ...(body ? { body } : {}) });
      requests.push(String(reply.headers['x-request-id']));
      return reply;
    };
    const { client_id: id } = (await send('POST /v1/clients', { name: 'A machine' })).json();
    await send(`POST /v1/clients/${id}/rotate`, {});
    await send(`DELETE /v1/clients/${id}`);
    const events = await harness.services.stores.audit.list({ clientId: id, limit: 10 });
    expect(events.map(({ type, accountId, ip }) => `${type} ${accountId} ${ip}`)).to.deep.equal(
      ['client.deleted', 'client.secret_rotated', 'client.created'].map((type) => `${type} ${person.id} 127.0.0.1`),
    );
    expect(events.map(({ requestId }) => requestId).reverse()).to.deep.equal(requests);
  });

  it('that an operator deletes are still those of their owner in the audit trail', async () => {
    const { id } = await made(eve);
    await harness.services.manageClients.remove(id);
    const [event] = await harness.services.stores.audit.list({ clientId: id, type: 'client.deleted', limit: 1 });
    expect(event).to.include({ accountId: eve.id, ip: null, requestId: null });
  });

  it('may prove themselves by a key, which has no secret to rotate', async () => {
    const { publicJwk, privateJwk } = await generateClientKey();
    const given = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk] } };
    const { client_id: id, client_secret: secret } = await good(create(ada, given));
    expect(secret).to.equal(null);
    const client: TestClient = { id, method: 'private_key_jwt', privateJwk };
    expect((await tokenOf(client)).status).to.equal(200);
    expect(await outcome(call(harness, `POST /v1/clients/${id}/rotate`, { as: ada.token }))).to.equal(
      '400 invalid_request',
    );
    for (const keys of [[], [privateJwk], [{ kty: 'oct', k: 'c2VjcmV0' }], [{}], [{ kty: 5 }]]) {
      const bad = await create(ada, { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys } });
      expect(bad.status, JSON.stringify(keys)).to.equal(400);
    }
  });

  it('are at most 100, and many at once are no way around that', async () => {
    const person = await newPerson(harness);
    await Promise.all(Array.from({ length: 95 }, () => create(person)));
    const more = await Promise.all(Array.from({ length: 15 }, () => create(person)));
    for (const reply of more) expect(await outcome(reply)).to.be.oneOf(['201', '409 conflict']);
    const count = async (): Promise<number> =>
      (await good(call(harness, 'GET /v1/clients', { as: person.token }))).data.length;
    expect(await count()).to.be.at.most(100);
    while ((await count()) < 100) await good(create(person));
    expect(await outcome(create(person))).to.equal('409 conflict');
  });
});
