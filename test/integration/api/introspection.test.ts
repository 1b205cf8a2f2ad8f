import { expect } from 'chai';
import { call, good, newKey, newPerson, type Person } from '../../support/api-client.ts';
import { createClient, DEMO, introspect } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

describe('introspection of an API key', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('tells a client that is authenticated what it allows', async () => {
    const key = await newKey(harness, ada, { environment: 'test', scopes: ['read', 'write'] });
    const { exp, iat, ...facts } = (await introspect(harness, DEMO.api, key.key, { environment: 'test' })).json();
    expect(facts).to.deep.equal({
      active: true,
      sub: ada.id,
      scope: 'read write',
      token_type: 'api_key',
      key_id: key.id,
      namespace: key.namespace,
      environment: 'test',
    });
    expect(exp - iat).to.be.closeTo(365 * 86_400, 2);
  });

  it('tells nothing of one that is over, unknown or malformed, nor of one that is not good from there', async () => {
    const revoked = await newKey(harness, ada);
    expect((await introspect(harness, DEMO.api, revoked.key)).json().active).to.equal(true);
    await good(call(harness, `DELETE /v1/api-keys/${revoked.id}`, { as: ada.token }));
    const elsewhere = await newKey(harness, ada, { allowed_addresses: ['192.0.2.1'] });
    const unknown = harness.services.keyFormat.mint('live').text;
    for (const text of [revoked.key, elsewhere.key, unknown, `${revoked.key}x`, 'garbage', ada.password]) {
      expect((await introspect(harness, DEMO.api, text)).json()).to.deep.equal({ active: false });
    }
  });

  it('tells nothing to who is no client, and nothing of a login or a session to anybody', async () => {
    const { key } = await newKey(harness, ada);
    for (const headers of [{}, { authorization: `Bearer ${key}` }] as Record<string, string>[]) {
      const reply = await harness.post('/oauth2/introspect', { token: key }, headers);
      expect(reply.status).to.be.oneOf([400, 401]);
    }
    const web = await createClient(harness);
    for (const caller of [web, DEMO.api]) {
      for (const value of [ada.token, ada.refreshToken]) {
        expect((await introspect(harness, caller, value)).json()).to.deep.equal({ active: false });
      }
    }
  });

  it('counts as a use of the key, against its limit too', async () => {
    const { id, key } = await newKey(harness, ada, { limit: { quota: 2, window_seconds: 3600 } });
    for (let i = 0; i < 2; i += 1) expect((await introspect(harness, DEMO.api, key)).json().active).to.equal(true);
    const refused = await introspect(harness, DEMO.api, key);
    expect([refused.status, refused.json().error]).to.deep.equal([429, 'slow_down']);
    await harness.services.usage.flush();
    const { totals } = await good(call(harness, `GET /v1/usage?key_id=${id}`, { as: ada.token }));
    expect(totals).to.include({ allowed: 2, refused: 1 });
  });
});
