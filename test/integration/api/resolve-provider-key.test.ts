import { expect } from 'chai';
import {
  auditOf,
  call,
  good,
  type MadeKey,
  newKey,
  newPerson,
  outcome,
  type Person,
} from '../../support/api-client.ts';
import {
  API,
  basic,
  createClient,
  createResource,
  DEMO,
  obtainTokens,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { createProofKeys, proofFor } from '../../support/dpop.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const VALUE = 'sk-proj-the-stored-value-of-ada';
const PASSED = 'sk-proj-came-along-with-the-request';

/** What a gateway asks for: the key of the user who came to it. */
describe('the provider key of a user', () => {
  let harness: Harness;
  let gateway: TestClient;
  let api: { identifier: string; api: TestClient };
  let ada: Person;
  let key: MadeKey;
  let stored: { id: string; fingerprint: string };
  before(async () => {
    harness = await startHarness();
    harness.keepSecret(VALUE);
    harness.keepSecret(PASSED);
    gateway = await createClient(harness, {
      id: 'gateway',
      grantTypes: ['client_credentials'],
      scopes: ['read', 'provider-keys:use'],
      resources: [harness.issuer],
    });
    api = await createResource(harness);
    await harness.services.manageClients.update(api.api.id, { scopes: ['provider-keys:use'] });
    ada = await newPerson(harness);
    key = await newKey(harness, ada);
    const body = { provider: 'openai', value: VALUE };
    stored = await good(call(harness, 'POST /v1/provider-keys', { as: ada.token, body }));
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const secretOf = ({ id, secret = '' }: TestClient): { authorization: string } => ({
    authorization: basic(id, secret),
  });
  const resolve = (body: object, headers: Record<string, string> = secretOf(gateway)): Promise<Reply> =>
    call(harness, 'POST /v1/provider-keys/resolve', { body: { provider: 'openai', ...body }, headers });
  async function ownToken(scope = 'provider-keys:use'): Promise<string> {
    const reply = await token(harness, gateway, { grant_type: 'client_credentials', scope, resource: harness.issuer });
    return (await good(Promise.resolve(reply))).access_token;
  }

  it('is handed to a resource server that is trusted with it, ready to be sent', async () => {
    const reply = await resolve({ credential: key.key });
    expect(reply.headers['cache-control']).to.equal('no-store');
    expect(reply.json()).to.deep.equal({
      provider: 'openai',
      source: 'stored',
      key_id: stored.id,
      fingerprint: stored.fingerprint,
      header: 'Authorization',
      value: `Bearer ${VALUE}`,
    });
  });

  it('is handed to one that shows an access token of its own, with the scope, for this server', async () => {
    const own = { authorization: `Bearer ${await ownToken()}` };
    expect((await resolve({ credential: key.key }, own)).status).to.equal(200);
    const plain = { authorization: `Bearer ${await ownToken('read')}` };
    expect(await outcome(resolve({ credential: key.key }, plain))).to.equal('403 insufficient_scope');
    const elsewhere = await createClient(harness, {
      grantTypes: ['client_credentials'],
      scopes: ['read', 'provider-keys:use'],
      resources: [api.identifier],
    });
    const other = await token(harness, elsewhere, { grant_type: 'client_credentials' });
    const wrong = { authorization: `Bearer ${other.json().access_token}` };
    expect(await outcome(resolve({ credential: key.key }, wrong))).to.equal('401 invalid_client');
  });

  it('is not handed to whoever shows a token that was bound to a key or to a person', async () => {
    const keys = await createProofKeys();
    const fields = { grant_type: 'client_credentials', scope: 'provider-keys:use', resource: harness.issuer };
    const bound = await token(harness, gateway, fields, {
      dpop: await proofFor(harness.url('/oauth2/token'), keys),
    });
    expect(bound.json().token_type).to.equal('DPoP');
    const web = await createClient(harness, { resources: [harness.issuer] });
    const persons = await obtainTokens(harness, web, { who: ada, scope: 'openid read', resource: harness.issuer });
    for (const value of [bound.json().access_token, persons.access_token]) {
      const reply = await resolve({ credential: key.key }, { authorization: `Bearer ${value}` });
      expect(await outcome(reply)).to.equal('401 invalid_client');
      expect(reply.text).to.not.contain(VALUE);
    }
  });

  it('is handed to nobody else, whatever they show', async () => {
    const stranger = await createClient(harness);
    const refused: [string, Record<string, string>][] = [
      ['401 invalid_client', {}],
      ['401 invalid_client', { authorization: basic('gateway', 'wrong') }],
      ['401 invalid_client', { authorization: basic('nobody', 'wrong') }],
      ['401 invalid_client', { authorization: `Bearer ${ada.token}` }],
      ['401 invalid_client', { authorization: `Bearer ${key.key}` }],
      ['401 invalid_client', { 'x-api-key': key.key }],
      ['403 insufficient_scope', secretOf(stranger)],
      ['403 insufficient_scope', secretOf(DEMO.machine)],
    ];
    const before = (await auditOf(harness, 'provider_key.used')).length;
    for (const [expected, headers] of refused) {
      const reply = await resolve({ credential: key.key }, headers);
      expect(await outcome(reply), JSON.stringify(headers)).to.equal(expected);
      expect(reply.text).to.not.contain(VALUE);
    }
    expect(await auditOf(harness, 'provider_key.used')).to.have.length(before);
  });

  it('is that of whoever came: no credential, a bad one or that of a client gets none', async () => {
    const eve = await newPerson(harness);
    const eves = await newKey(harness, eve);
    expect(await outcome(resolve({ credential: eves.key }))).to.equal('400 provider_key_missing');
    // Nor by the id of somebody else's key.
    expect(await outcome(resolve({ credential: eves.key, key_id: stored.id }))).to.equal('400 provider_key_missing');
    expect(await outcome(resolve({ credential: 'garbage' }))).to.equal('401 unauthenticated');
    const machine = (await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).json().access_token;
    expect((await resolve({ credential: machine })).status).to.equal(403);
    expect((await resolve({})).status).to.equal(400);
  });

  it('is for the API that a token was given for: a token for another API is no reason to hand it out', async () => {
    const web = await createClient(harness, { resources: [API, api.identifier] });
    const who = { email: ada.email, password: ada.password };
    const forApi = await obtainTokens(harness, web, { who, scope: 'openid read', resource: api.identifier });
    const forOther = await obtainTokens(harness, web, { who, scope: 'openid read', resource: API });
    const forNone = await obtainTokens(harness, web, { who, scope: 'openid' });
    const asApi = secretOf(api.api);
    expect((await resolve({ credential: forApi.access_token }, asApi)).status).to.equal(200);
    for (const { access_token: credential } of [forOther, forNone]) {
      expect(await outcome(resolve({ credential }, asApi))).to.equal('403 insufficient_scope');
    }
    expect((await resolve({ credential: ada.token }, asApi)).status).to.equal(200);
  });

  it('is the one that was named, of that provider', async () => {
    const body = { provider: 'openai', value: `${VALUE}-second` };
    const second = await good(call(harness, 'POST /v1/provider-keys', { as: ada.token, body }));
    const named = await good(resolve({ credential: key.key, key_id: second.id }));
    expect(named).to.include({ key_id: second.id, value: `Bearer ${VALUE}-second` });
    const crossed = resolve({ credential: key.key, provider: 'anthropic', key_id: second.id });
    expect(await outcome(crossed)).to.equal('400 provider_key_missing');
    expect(await outcome(resolve({ credential: key.key, provider: 'nobody' }))).to.equal('404 not_found');
    await good(call(harness, `DELETE /v1/provider-keys/${second.id}`, { as: ada.token }));
    expect(await outcome(resolve({ credential: key.key, key_id: second.id }))).to.equal('400 provider_key_missing');
  });

  it('that came along wins over the stored one, is passed on as it is and not kept', async () => {
    const answer = await good(resolve({ credential: key.key, provider_key: PASSED }));
    expect(answer).to.include({ source: 'passed-through', key_id: null, value: `Bearer ${PASSED}` });
    const { data } = await good(call(harness, 'GET /v1/provider-keys', { as: ada.token }));
    expect(data).to.have.length(1);
    const bad = await resolve({ credential: key.key, provider_key: 'with a space in it' });
    expect(bad.status).to.equal(400);
    // The key of a provider was meant; one of ours would be told to a stranger.
    for (const ours of [key.key, ada.token]) {
      expect(await outcome(resolve({ credential: key.key, provider_key: ours }))).to.equal('400 invalid_request');
    }
    const [event] = await auditOf(harness, 'provider_key.passed_through', ada.id);
    expect(event?.details).to.deep.equal({ provider: 'openai', credentialId: key.id });
  });

  it('is in the audit trail before it is handed out, and stays inside when it cannot be', async () => {
    await good(resolve({ credential: key.key }));
    const [event] = await auditOf(harness, 'provider_key.used', ada.id);
    expect([event?.clientId, event?.details]).to.deep.equal([
      'gateway',
      { keyId: stored.id, provider: 'openai', credentialId: key.id },
    ]);
    const { audit } = harness.services.stores;
    const { insert } = audit;
    try {
      audit.insert = () => Promise.reject(new Error('the disk is full'));
      for (const body of [{}, { provider_key: PASSED }]) {
        const reply = await resolve({ credential: key.key, ...body });
        expect(reply.status).to.equal(500);
        expect(reply.text).to.not.contain('sk-proj');
      }
    } finally {
      audit.insert = insert;
    }
  });

  it('that the ring no longer opens says so, works again once entered, and is never empty', async () => {
    const bob = await newPerson(harness);
    const bobs = await newKey(harness, bob);
    const add = { provider: 'google', value: 'AIzaSy-the-value-that-is-lost' };
    const { id } = await good(call(harness, 'POST /v1/provider-keys', { as: bob.token, body: add }));
    const { providerKeys } = harness.services.stores;
    const record = await providerKeys.find(bob.id, id);
    if (!record) throw new Error('it is not stored');
    expect(await providerKeys.replace({ ...record, wrappedBy: 'a secret that is gone' }, record.version)).to.equal(
      true,
    );

    const shown = await good(call(harness, `GET /v1/provider-keys/${id}`, { as: bob.token }));
    expect(shown.state).to.equal('needs-re-entry');
    const lost = await resolve({ credential: bobs.key, provider: 'google' });
    expect(await outcome(lost)).to.equal('409 provider_key_unreadable');
    const named = await outcome(
      call(harness, `PATCH /v1/provider-keys/${id}`, { as: bob.token, body: { label: 'x' } }),
    );
    expect(named).to.equal('409 provider_key_unreadable');
    const body = { value: 'AIzaSy-the-value-entered-again' };
    expect((await good(call(harness, `PATCH /v1/provider-keys/${id}`, { as: bob.token, body }))).state).to.equal(
      'usable',
    );
    const again = await good(resolve({ credential: bobs.key, provider: 'google' }));
    expect(again).to.include({ header: 'x-goog-api-key', value: body.value });
  });

  it('is handed to the gateway by forward-auth, beside who came, and to be remembered by nobody', async () => {
    const ask = (headers: Record<string, string>, query = 'provider=openai') =>
      harness.get(`/forward-auth?${query}`, { 'x-api-key': key.key, ...headers });
    const asGateway = { 'x-gateway-authorization': basic('gateway', gateway.secret ?? '') };
    const reply = await ask(asGateway);
    expect(reply.status).to.equal(200);
    expect(reply.headers).to.include({
      'x-upstream-authorization': `Bearer ${VALUE}`,
      'x-upstream-key': VALUE,
      'x-upstream-key-source': 'stored',
      'x-auth-subject': ada.id,
      'cache-control': 'no-store',
    });
    const others: Record<string, string>[] = [{}, { 'x-gateway-authorization': basic('gateway', 'wrong') }];
    for (const headers of others) {
      const refused = await ask(headers);
      // Not 401: the caller's own credential is good.
      expect(refused.status).to.equal(403);
      expect(refused.text).to.not.contain('sk-proj');
      expect(refused.headers).to.not.have.property('x-upstream-key');
    }
    expect((await ask({}, '')).headers).to.not.have.property('x-upstream-key');
  });

  it('is handed out so often a minute and no more, for each user and resource server apart', async () => {
    await using few = await startHarness({ env: { GATEHOUSE_PROVIDER_KEY_USES: '3' } });
    few.keepSecret(VALUE);
    const asGateway = { authorization: basic(DEMO.gateway.id, DEMO.gateway.secret) };
    async function uses(credential: string): Promise<number[]> {
      const body = { credential, provider: 'openai' };
      const replies = Array.from({ length: 5 }, () =>
        call(few, 'POST /v1/provider-keys/resolve', { body, headers: asGateway }),
      );
      return (await Promise.all(replies)).map(({ status }) => status).sort();
    }
    for (const who of [await newPerson(few), await newPerson(few)]) {
      await good(call(few, 'POST /v1/provider-keys', { as: who.token, body: { provider: 'openai', value: VALUE } }));
      expect(await uses(who.token)).to.deep.equal([200, 200, 200, 429, 429]);
    }
  });
});
