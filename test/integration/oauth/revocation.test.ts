import { expect } from 'chai';
import {
  API,
  createClient,
  createResource,
  DEMO,
  introspect,
  obtainTokens,
  postAs,
  refresh,
  revoke,
  type TestClient,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

describe('revocation', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness);
    web = await createClient(harness, { resources: [API, opaque.identifier] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const obtain = (resource: string) => obtainTokens(harness, web, { scope: 'openid read offline_access', resource });
  const isActive = async (api: TestClient, value: string): Promise<boolean> =>
    (await introspect(harness, api, value)).json().active;

  it('ends an access token at once, opaque or JWT, and leaves the refresh token alone', async () => {
    for (const [resource, api] of [
      [opaque.identifier, opaque.api],
      [API, DEMO.api],
    ] as const) {
      const tokens = await obtain(resource);
      const reply = await revoke(harness, web, tokens.access_token);
      expect([reply.status, reply.text, reply.headers['cache-control']]).to.deep.equal([200, '', 'no-store']);
      expect(await isActive(api, tokens.access_token)).to.equal(false);
      const next = await refresh(harness, web, tokens.refresh_token);
      expect(next.status).to.equal(200);
      expect(await isActive(api, next.json().access_token)).to.equal(true);
    }
  });

  it('keeps a revoked JWT revoked until it would have ended anyway', async () => {
    const tokens = await obtain(API);
    await revoke(harness, web, tokens.access_token);
    using _ = travel(890);
    await harness.services.stores.tokens.purge(Math.floor(Date.now() / 1000), 10_000);
    expect(await isActive(DEMO.api, tokens.access_token)).to.equal(false);
  });

  it("ends a refresh token with everything of its grant, the person's other grants aside", async () => {
    for (const [resource, api] of [
      [opaque.identifier, opaque.api],
      [API, DEMO.api],
    ] as const) {
      const [tokens, other] = [await obtain(resource), await obtain(resource)];
      const second = (await refresh(harness, web, tokens.refresh_token)).json();
      const plain = (await refresh(harness, web, second.refresh_token, { scope: 'openid' })).json();
      await revoke(harness, web, plain.refresh_token);
      for (const value of [tokens.access_token, second.access_token])
        expect(await isActive(api, value)).to.equal(false);
      for (const value of [second.refresh_token, plain.refresh_token]) {
        const reply = await refresh(harness, web, value);
        expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
      }
      expect((await userinfo(harness, plain.access_token)).status).to.equal(401);
      expect(await isActive(api, other.access_token)).to.equal(true);
    }
  });

  it("ends a client's own tokens", async () => {
    for (const [resource, api] of [
      [opaque.identifier, opaque.api],
      [API, DEMO.api],
    ] as const) {
      const machine = await createClient(harness, { grantTypes: ['client_credentials'], resources: [resource] });
      const { access_token } = (await token(harness, machine, { grant_type: 'client_credentials' })).json();
      expect(await isActive(api, access_token)).to.equal(true);
      expect((await revoke(harness, machine, access_token)).status).to.equal(200);
      expect(await isActive(api, access_token)).to.equal(false);
    }
  });

  it('ends the token of a public client that knows it', async () => {
    const tokens = await obtainTokens(harness, DEMO.spa, { scope: 'openid read offline_access' });
    expect((await revoke(harness, DEMO.spa, tokens.refresh_token)).status).to.equal(200);
    expect((await refresh(harness, DEMO.spa, tokens.refresh_token)).json().error).to.equal('invalid_grant');
    expect(await isActive(DEMO.api, tokens.access_token)).to.equal(false);
  });

  it('answers 200 for what does not exist or is over, and changes nothing', async () => {
    const tokens = await obtain(API);
    await revoke(harness, web, tokens.access_token);
    for (const value of [
      tokens.access_token,
      tokens.id_token,
      `gat_${'A'.repeat(43)}`,
      'x',
      'a.b.c',
      '\u0000',
      'x'.repeat(10_000),
    ]) {
      const reply = await revoke(harness, web, value);
      expect([reply.status, reply.text]).to.deep.equal([200, '']);
    }
    expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
  });

  it('answers a stranger alike and leaves the token alone', async () => {
    const tokens = await obtain(API);
    const hidden = await obtain(opaque.identifier);
    for (const client of [DEMO.web, DEMO.spa, DEMO.api, opaque.api]) {
      for (const value of [tokens.access_token, tokens.refresh_token, hidden.access_token]) {
        const reply = await revoke(harness, client, value);
        expect([reply.status, reply.text]).to.deep.equal([200, '']);
      }
    }
    expect(await isActive(DEMO.api, tokens.access_token)).to.equal(true);
    expect(await isActive(opaque.api, hidden.access_token)).to.equal(true);
    expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
  });

  it('takes no notice of a wrong hint', async () => {
    const tokens = await obtain(opaque.identifier);
    await revoke(harness, web, tokens.access_token, { token_type_hint: 'refresh_token' });
    expect(await isActive(opaque.api, tokens.access_token)).to.equal(false);
    await revoke(harness, web, tokens.refresh_token, { token_type_hint: 'nonsense' });
    expect((await refresh(harness, web, tokens.refresh_token)).json().error).to.equal('invalid_grant');
  });

  it('of an already used refresh token ends the family it came from', async () => {
    const tokens = await obtain(opaque.identifier);
    const second = (await refresh(harness, web, tokens.refresh_token)).json();
    expect((await revoke(harness, web, tokens.refresh_token)).status).to.equal(200);
    expect((await refresh(harness, web, second.refresh_token)).json().error).to.equal('invalid_grant');
  });

  it('is written to the audit trail, without the token', async () => {
    const tokens = await obtain(opaque.identifier);
    await revoke(harness, web, tokens.refresh_token);
    const [event] = await harness.services.stores.audit.list({ type: 'token.revoked', limit: 1 });
    expect(event).to.deep.include({ clientId: web.id, details: { use: 'refresh_token' } });
  });

  it('needs the token in a form body, once', async () => {
    for (const fields of [{}, { token: ['a', 'b'] }]) {
      const reply = await postAs(harness, web, '/oauth2/revoke', fields);
      expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_request']);
    }
  });
});
