import { expect } from 'chai';
import {
  authorization,
  basic,
  createClient,
  DEMO,
  obtainTokens,
  refresh,
  revoke,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const OWN = 'http://127.0.0.1:8080';
const FOREIGN = 'https://evil.example';

describe('scripts of other origins', () => {
  let harness: Harness;
  let spa: TestClient;
  before(async () => {
    harness = await startHarness();
    spa = await createClient(harness, { authMethod: 'none', allowedOrigins: ['https://app.example.com'] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const allowed = (reply: Reply): string | undefined => reply.headers['access-control-allow-origin'];

  it('may read the token, revocation and userinfo answers of clients that registered them, and of no others', async () => {
    const tokens = await obtainTokens(harness, DEMO.spa, { scope: 'openid offline_access' });
    const ask = async (origin: string): Promise<Reply[]> => [
      await refresh(harness, DEMO.spa, tokens.refresh_token, {}, { origin }),
      await token(harness, DEMO.spa, { grant_type: 'refresh_token', refresh_token: 'x' }, { origin }),
      await harness.post('/oauth2/revoke', { client_id: 'demo-spa', token: 'x' }, { origin }),
      await harness.get('/oauth2/userinfo', { origin, authorization: `Bearer ${tokens.access_token}` }),
    ];
    for (const reply of await ask(OWN)) {
      expect(allowed(reply)).to.equal(OWN);
      expect(reply.headers.vary?.toLowerCase()).to.contain('origin');
    }
    for (const origin of [
      FOREIGN,
      'null',
      `${OWN}/`,
      'http://127.0.0.1:8081',
      'https://127.0.0.1:8080',
      `${OWN}.evil.example`,
      'https://app.example.com',
    ]) {
      const [refreshed, failed, revoked, info] = await ask(origin);
      expect([
        origin,
        refreshed && allowed(refreshed),
        failed && allowed(failed),
        revoked && allowed(revoked),
      ]).to.deep.equal([origin, undefined, undefined, undefined]);
      expect([origin, info && allowed(info)]).to.deep.equal([origin, undefined]);
    }
    const other = await token(
      harness,
      spa,
      { grant_type: 'refresh_token', refresh_token: 'x' },
      { origin: 'https://app.example.com' },
    );
    expect(allowed(other)).to.equal('https://app.example.com');
  });

  it('never come with cookies', async () => {
    for (const path of [
      '/oauth2/token',
      '/oauth2/revoke',
      '/oauth2/userinfo',
      '/oauth2/jwks',
      '/.well-known/openid-configuration',
    ]) {
      for (const method of ['OPTIONS', 'GET', 'POST']) {
        const headers = { origin: OWN, 'access-control-request-method': 'POST' };
        const reply = await harness.send(path, { method, headers });
        expect([path, reply.headers['access-control-allow-credentials']]).to.deep.equal([path, undefined]);
      }
    }
  });

  it('get a preflight answered where machines in browsers call, with what they may send', async () => {
    for (const path of ['/oauth2/token', '/oauth2/revoke', '/oauth2/userinfo']) {
      const reply = await harness.send(path, {
        method: 'OPTIONS',
        headers: {
          origin: OWN,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
      expect([path, reply.status]).to.deep.equal([path, 204]);
      expect(reply.headers['access-control-allow-methods']).to.contain('POST');
      expect(reply.headers['access-control-allow-headers']?.toLowerCase()).to.contain('authorization');
    }
  });

  it('may never read a page, nor the introspection endpoint', async () => {
    const asked = await harness.get(authorization(harness, DEMO.spa).url, { origin: OWN });
    const interaction = asked.headers.location ?? '';
    const pages: Reply[] = [asked];
    for (const path of [
      interaction,
      '/',
      '/oauth2/logout',
      '/oauth2/logout/success',
      '/oauth2/authorize',
      '/nothing-here',
    ])
      pages.push(await harness.get(path.replace(harness.issuer, ''), { origin: OWN, accept: 'text/html' }));
    for (const path of [
      '/oauth2/introspect',
      '/oauth2/authorize',
      '/oauth2/logout',
      interaction.replace(harness.issuer, ''),
    ]) {
      const headers = { origin: OWN, 'access-control-request-method': 'POST' };
      pages.push(await harness.send(path, { method: 'OPTIONS', headers }));
    }
    pages.push(
      await harness.post(
        '/oauth2/introspect',
        { token: 'x' },
        { origin: OWN, authorization: basic('demo-api', 'demo-api-secret') },
      ),
    );
    for (const reply of pages) {
      for (const name of Object.keys(reply.headers)) expect(name).to.not.match(/^access-control-/);
    }
  });

  it('cannot read why a token request failed before the client is known', async () => {
    const reply = await harness.post(
      '/oauth2/token',
      { grant_type: 'refresh_token', client_id: 'nobody' },
      { origin: FOREIGN },
    );
    expect([reply.status, allowed(reply)]).to.deep.equal([401, undefined]);
  });

  it('of a registered origin may read why it failed', async () => {
    const reply = await revoke(harness, { ...DEMO.spa }, '', {});
    expect(reply.status).to.equal(400);
    const missing = await harness.post('/oauth2/token', { client_id: 'demo-spa' }, { origin: OWN });
    expect([missing.status, allowed(missing)]).to.deep.equal([400, OWN]);
  });
});
