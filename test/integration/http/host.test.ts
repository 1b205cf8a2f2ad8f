import { expect } from 'chai';
import { basic } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const HOSTS = [
  'evil.example',
  'localhost',
  '127.0.0.1',
  'localhost:1',
  'LOCALHOST.evil.example',
  '',
  'localhost:99999',
  '[::1]',
  'localhost@evil.example',
];

describe('the Host header', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('must be that of the issuer, or the request is refused before anything is made of it', async () => {
    for (const host of HOSTS) {
      for (const path of [
        '/.well-known/openid-configuration',
        '/oauth2/jwks',
        '/',
        '/oauth2/authorize?client_id=demo-web',
      ]) {
        const reply = await harness.sendRaw(path, { headers: { host } });
        expect([host, path, reply.status]).to.deep.equal([host, path, 421]);
        if (host.length > 5 && host !== 'localhost') expect(reply.text).to.not.contain(host);
      }
    }
  });

  it('that is wrong is answered in the shape of the endpoint', async () => {
    const body = 'grant_type=client_credentials';
    const headers = {
      host: 'evil.example',
      authorization: basic('demo-machine', 'demo-machine-secret'),
      'content-type': 'application/x-www-form-urlencoded',
    };
    const reply = await harness.sendRaw('/oauth2/token', { method: 'POST', headers, body });
    expect(reply.status).to.equal(421);
    expect(reply.headers['content-type']).to.match(/json/);
    expect(reply.json()).to.have.all.keys('error', 'error_description');
    const page = await harness.sendRaw('/oauth2/authorize', { headers: { host: 'evil.example', accept: 'text/html' } });
    expect(page.headers['content-type']).to.match(/html/);
  });

  it('is compared without regard to case', async () => {
    const { port } = new URL(harness.issuer);
    expect((await harness.sendRaw('/', { headers: { host: `LocalHost:${port}` } })).status).to.equal(200);
  });

  it('never shows in what the server says about itself', async () => {
    for (const headers of [
      { 'x-forwarded-host': 'evil.example' },
      { forwarded: 'host=evil.example' },
      { 'x-original-host': 'evil.example' },
    ] as Record<string, string>[]) {
      const reply = await harness.get('/.well-known/openid-configuration', headers);
      expect(reply.status).to.equal(200);
      expect(reply.text).to.not.contain('evil.example');
      const asked = await harness.get('/oauth2/logout', {
        ...headers,
        accept: 'text/html',
      });
      expect(asked.text).to.not.contain('evil.example');
    }
  });

  it('does not matter to probes, which come by address', async () => {
    for (const path of ['/health', '/ready']) {
      expect((await harness.sendRaw(path, { headers: { host: '10.0.0.1:3000' } })).status).to.equal(200);
    }
  });

  it('of an absolute request target must be that of the issuer too, which is then a plain path', async () => {
    const { host } = new URL(harness.issuer);
    const ask = (origin: string) =>
      harness.sendRaw(`${origin}/.well-known/openid-configuration`, { headers: { host } });
    for (const origin of ['http://evil.example', `http://${host}@evil.example`]) {
      const reply = await ask(origin);
      expect([origin, reply.status]).to.deep.equal([origin, 421]);
      expect(reply.text).to.not.contain('evil.example');
    }
    const own = await ask(`http://${host}`);
    expect([own.status, own.json().issuer]).to.deep.equal([200, harness.issuer]);
  });
});
