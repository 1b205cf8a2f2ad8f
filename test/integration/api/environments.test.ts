import { expect } from 'chai';
import { call, good, type MadeKey, newKey, newPerson, outcome, type Person, verify } from '../../support/api-client.ts';
import { basic, createClient, DEMO, type TestClient } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const VALUE = 'sk-proj-the-live-value-of-ada';
const ALL = ['read', 'write', 'manage'];

describe('a key of the test environment', () => {
  let harness: Harness;
  let ada: Person;
  let live: MadeKey;
  let test: MadeKey;
  let gateway: TestClient;
  let stored: { id: string };
  before(async () => {
    harness = await startHarness();
    harness.keepSecret(VALUE);
    ada = await newPerson(harness);
    live = await newKey(harness, ada, { scopes: ALL });
    test = await newKey(harness, ada, { environment: 'test', scopes: ALL });
    gateway = await createClient(harness, { grantTypes: ['client_credentials'], scopes: ['provider-keys:use'] });
    const body = { provider: 'openai', value: VALUE };
    stored = await good(call(harness, 'POST /v1/provider-keys', { as: ada.token, body }));
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const resolve = (credential: string, more: object = {}) =>
    call(harness, 'POST /v1/provider-keys/resolve', {
      headers: { authorization: basic(gateway.id, gateway.secret ?? '') },
      body: { credential, provider: 'openai', ...more },
    });

  it('has no part in provider keys: it adds, sees, changes, chooses and removes none', async () => {
    const other = { provider: 'openai', value: 'sk-proj-the-value-of-an-attacker' };
    harness.keepSecret(other.value);
    const requests: [string, object?][] = [
      ['POST /v1/provider-keys', other],
      ['GET /v1/provider-keys'],
      [`GET /v1/provider-keys/${stored.id}`],
      [`PATCH /v1/provider-keys/${stored.id}`, { value: other.value }],
      [`PATCH /v1/provider-keys/${stored.id}`, { label: 'Mine' }],
      [`POST /v1/provider-keys/${stored.id}/default`, {}],
      [`DELETE /v1/provider-keys/${stored.id}`],
    ];
    for (const [request, body] of requests) {
      const reply = await call(harness, request, { as: test.key, ...(body ? { body } : {}) });
      expect(await outcome(reply), request).to.equal('403 insufficient_scope');
      expect(reply.text, request).to.not.contain('sk-proj').and.not.contain('…');
    }
    expect((await good(resolve(live.key))).value).to.equal(`Bearer ${VALUE}`);
    const list = await good(call(harness, 'GET /v1/provider-keys', { as: live.key }));
    expect(list.data).to.have.length(1);
  });

  it('resolves no provider key, stored or passed through, unless the resource server says so', async () => {
    for (const more of [{}, { environment: 'live' }, { provider_key: 'sk-proj-came-along-here' }]) {
      expect(await outcome(resolve(test.key, more)), JSON.stringify(more)).to.equal('401 unauthenticated');
    }
    for (const environment of ['test', '*', ['live', 'test']]) {
      expect((await good(resolve(test.key, { environment }))).value).to.equal(`Bearer ${VALUE}`);
    }
    expect(await outcome(resolve(live.key, { environment: 'test' }))).to.equal('401 unauthenticated');
    expect(await outcome(resolve(ada.token))).to.equal('200');
    expect(await outcome(resolve(ada.token, { environment: 'test' }))).to.equal('401 unauthenticated');
    const swap = (query: string, as: string) =>
      harness.get(`/forward-auth?provider=openai&${query}`, {
        authorization: `Bearer ${as}`,
        'x-gateway-authorization': basic(gateway.id, gateway.secret ?? ''),
      });
    expect((await swap('', test.key)).status).to.equal(401);
    expect((await swap('environment=test', test.key)).headers['x-upstream-key']).to.equal(VALUE);
    expect((await swap('', live.key)).headers['x-upstream-key']).to.equal(VALUE);
  });

  it('passes at verify where the resource server names its environment, and nowhere else', async () => {
    for (const asked of [{}, { environment: 'live' }, { required_scopes: ['read'] }, { environment: ['live'] }]) {
      expect(await outcome(verify(harness, test.key, asked)), JSON.stringify(asked)).to.equal('401 unauthenticated');
      expect(await outcome(verify(harness, live.key, asked)), JSON.stringify(asked)).to.equal('200');
    }
    for (const environment of ['test', '*', ['live', 'test']]) {
      expect(await outcome(verify(harness, test.key, { environment }))).to.equal('200');
    }
    for (const query of ['audience=https%3A%2F%2Fapi.example.com', 'required_scopes=read', 'ip=192.0.2.1']) {
      const reply = call(harness, `GET /v1/auth/verify?${query}`, { as: test.key });
      expect(await outcome(reply), query).to.equal('401 unauthenticated');
    }
  });

  it('may ask itself what it is', async () => {
    const who = await good(call(harness, 'GET /v1/auth/verify', { as: test.key }));
    expect(who).to.include({ key_id: test.id, environment: 'test' });
  });

  it('passes at forward-auth where the proxy names its environment, and nowhere else', async () => {
    const ask = async (query: string, { key }: MadeKey) =>
      (await harness.get(`/forward-auth${query}`, { 'x-api-key': key })).status;
    for (const query of ['', '?scope=read', '?environment=live']) {
      expect([await ask(query, test), await ask(query, live)], query).to.deep.equal([401, 200]);
    }
    for (const query of ['?environment=*', '?environment=live+test']) {
      expect([await ask(query, test), await ask(query, live)], query).to.deep.equal([200, 200]);
    }
    expect([await ask('?environment=test', test), await ask('?environment=test', live)]).to.deep.equal([200, 401]);
    expect([await ask('?environment=', test), await ask('?environment=+', live)]).to.deep.equal([400, 400]);
  });

  it('is inactive at introspection unless the resource server says `environment`', async () => {
    const ask = async (text: string, more: Record<string, string> = {}) => {
      const headers = { authorization: basic(DEMO.api.id, DEMO.api.secret ?? '') };
      return (await harness.post('/oauth2/introspect', { token: text, ...more }, headers)).json();
    };
    expect(await ask(test.key)).to.deep.equal({ active: false });
    expect(await ask(test.key, { environment: 'live' })).to.deep.equal({ active: false });
    expect(await ask(live.key, { environment: 'test' })).to.deep.equal({ active: false });
    expect((await ask(live.key)).active).to.equal(true);
    for (const environment of ['test', '*', 'live test']) {
      expect(await ask(test.key, { environment })).to.include({ active: true, environment: 'test' });
    }
    // An empty parameter is none (RFC 6749 3.2).
    expect(await ask(test.key, { environment: '' })).to.deep.equal({ active: false });
    expect(await ask(test.key, { environment: ' ' })).to.include({ error: 'invalid_request' });
  });
});
