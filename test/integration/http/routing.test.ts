import { expect } from 'chai';
import { type Harness, startHarness } from '../../support/harness.ts';

describe('routing', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('matches paths exactly: no other case, no trailing slash, no encoding leads to an endpoint', async () => {
    for (const path of [
      '/OAUTH2/TOKEN',
      '/oauth2/Token',
      '/oauth2/token/',
      '/oauth2//token',
      '//oauth2/token',
      '/oauth2/./token',
      '/oauth2/x/../token',
      '/oauth2/%74oken',
      '/oauth2%2ftoken',
      '/oauth2/token%00',
      '/oauth2/token;x=1',
      '/oauth2/introspect/',
      '/oauth2/AUTHORIZE',
      '/oauth2/jwks/',
      '/.WELL-KNOWN/openid-configuration',
      '/health/',
      '/Health',
    ])
      for (const method of ['GET', 'POST']) {
        const reply = await harness.send(path.startsWith('//') ? harness.issuer + path : path, { method });
        expect([path, method, reply.status]).to.deep.equal([path, method, 404]);
      }
  });

  it('has none of the endpoints the engine would bring along', async () => {
    for (const path of [
      '/auth',
      '/token',
      '/me',
      '/jwks',
      '/reg',
      '/request',
      '/device',
      '/device_authorization',
      '/backchannel',
      '/challenge',
      '/session/end',
      '/token/introspection',
      '/token/revocation',
      '/interaction',
      '/oauth2/device',
      '/oauth2/register',
      '/oauth2/par',
    ])
      for (const method of ['GET', 'POST'])
        expect([path, (await harness.send(path, { method })).status]).to.deep.equal([path, 404]);
  });

  it('says which methods there are', async () => {
    const allowed: Record<string, string> = {
      '/oauth2/token': 'POST, OPTIONS',
      '/oauth2/introspect': 'POST',
      '/oauth2/revoke': 'POST, OPTIONS',
      '/oauth2/jwks': 'GET, HEAD, OPTIONS',
      '/oauth2/logout/confirm': 'POST',
      '/oauth2/logout/success': 'GET',
      '/health': 'GET, HEAD',
      '/': 'GET, HEAD',
    };
    for (const [path, allow] of Object.entries(allowed)) {
      for (const method of ['PATCH', 'DELETE', 'PROPFIND', 'TRACE']) {
        const reply = await harness.send(path, { method });
        expect([path, method, reply.status, reply.headers.allow]).to.deep.equal([path, method, 405, allow]);
      }
    }
  });

  it('takes authorization and sign-out requests that are posted, as if they were asked for', async () => {
    for (const path of ['/oauth2/authorize', '/oauth2/logout']) {
      const reply = await harness.post(path, { state: 'a b&c', client_id: 'demo-web' });
      expect([reply.status, reply.headers.location]).to.deep.equal([303, `${path}?state=a+b%26c&client_id=demo-web`]);
      const twice = await harness.send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'state=a&state=b',
      });
      expect(twice.status).to.equal(400);
    }
  });

  it('takes no method from a header or a parameter', async () => {
    const reply = await harness.send('/oauth2/token?_method=POST', {
      method: 'GET',
      headers: { 'x-http-method-override': 'POST' },
    });
    expect(reply.status).to.equal(405);
  });

  it('keeps 404 out of the logs of server errors, and answers it in the shape that was asked for', async () => {
    const html = await harness.get('/nothing-here', { accept: 'text/html' });
    expect([html.status, html.headers['content-type']]).to.deep.equal([404, 'text/html; charset=utf-8']);
    const json = await harness.get('/nothing-here', { accept: 'application/json' });
    expect([json.status, json.json().code]).to.deep.equal([404, 'not_found']);
    expect(harness.log.filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('tells probes that the process is alive and ready, and when it is about to stop', async () => {
    await using draining = await startHarness();
    expect((await draining.get('/ready')).json()).to.deep.equal({ status: 'ready' });
    draining.app.drain();
    const reply = await draining.get('/ready');
    expect([reply.status, reply.headers['retry-after']]).to.deep.equal([503, '2']);
    expect((await draining.get('/health')).status).to.equal(200);
    expect((await draining.get('/oauth2/jwks')).status).to.equal(200);
  });

  it('serves metrics without a word a stranger chose', async () => {
    await harness.send('/made-up-path-of-a-stranger', { method: 'PURGE' });
    const { text } = await harness.get('/metrics');
    expect(text).to.contain('gatehouse_http_request_duration_seconds');
    expect(text).to.not.contain('made-up-path').and.to.not.contain('PURGE');
  });
});
