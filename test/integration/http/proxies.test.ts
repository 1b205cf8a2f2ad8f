import { expect } from 'chai';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const PRODUCTION = {
  NODE_ENV: 'production',
  ISSUER: 'https://auth.example.com',
  GATEHOUSE_SECRETS: 'a secret that is long enough to be one',
};

/** The address that the server took the last request to come from. */
async function seenAddress(harness: Harness, headers: Record<string, string>): Promise<unknown> {
  await harness.sendRaw('/health', { headers });
  return harness.log.findLast(({ msg }) => msg === 'request')?.ip;
}

describe('headers of proxies', () => {
  describe('from a proxy that is trusted', () => {
    let harness: Harness;
    before(async () => {
      harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, 2001:db8:ffff::/48' } });
    });
    after(() => harness?.[Symbol.asyncDispose]());

    it('tell the address of the caller: the last one that no trusted proxy added', async () => {
      const seen = (chain: string) => seenAddress(harness, { 'x-forwarded-for': chain });
      expect(await seen('203.0.113.7')).to.equal('203.0.113.7');
      expect(await seen('203.0.113.7, 10.1.2.3')).to.equal('203.0.113.7');
      expect(await seen('198.51.100.1, 203.0.113.7, 10.1.2.3, 10.9.9.9')).to.equal('203.0.113.7');
      expect(await seen('2001:db8::1, 2001:db8:ffff::2')).to.equal('2001:db8::1');
      expect(await seen('10.1.2.3, 10.9.9.9')).to.equal('10.1.2.3');
      expect(await seen('')).to.equal('127.0.0.1');
    });

    it('pass on a request id, if it is one', async () => {
      const id = async (value: string): Promise<unknown> =>
        (await harness.sendRaw('/health', { headers: { 'x-request-id': value } })).headers['x-request-id'];
      expect(await id('abc-123.DEF_456')).to.equal('abc-123.DEF_456');
      for (const value of ['x', 'a'.repeat(65), 'with space here', '<script>alert(1)</script>', 'a;b;c;d;e;f'])
        expect(await id(value)).to.match(/^req_[0-9A-Za-z]{22}$/);
    });
  });

  describe('from anybody else', () => {
    let harness: Harness;
    before(async () => {
      harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '10.0.0.0/8' } });
    });
    after(() => harness?.[Symbol.asyncDispose]());

    it('are not believed', async () => {
      for (const headers of [
        { 'x-forwarded-for': '203.0.113.7' },
        { forwarded: 'for=203.0.113.7' },
        { 'x-real-ip': '203.0.113.7' },
        { 'x-client-ip': '203.0.113.7' },
      ] as Record<string, string>[])
        expect(await seenAddress(harness, headers)).to.equal('127.0.0.1');
      const reply = await harness.sendRaw('/health', { headers: { 'x-request-id': 'abc-123.DEF_456' } });
      expect(reply.headers['x-request-id']).to.match(/^req_/);
    });
  });

  describe('in production', () => {
    let behind: Harness;
    let exposed: Harness;
    before(async () => {
      behind = await startHarness({ env: { ...PRODUCTION, GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' } });
      exposed = await startHarness({ env: { ...PRODUCTION, GATEHOUSE_TRUSTED_PROXIES: '10.0.0.1' } });
    });
    after(async () => {
      await behind[Symbol.asyncDispose]();
      await exposed[Symbol.asyncDispose]();
    });

    const ask = (harness: Harness, path: string, headers: Record<string, string>): Promise<Reply> =>
      harness.sendRaw(path, { headers: { host: 'auth.example.com', ...headers } });

    it('decide whether TLS was spoken: plain HTTP gets no answer but that', async () => {
      for (const path of [
        '/',
        '/.well-known/openid-configuration',
        '/oauth2/jwks',
        '/oauth2/authorize',
        '/oauth2/token',
        '/nothing-here',
      ]) {
        for (const headers of [
          {},
          { 'x-forwarded-proto': 'http' },
          { 'x-forwarded-proto': 'https, http' },
          { 'x-forwarded-ssl': 'on' },
          { forwarded: 'proto=https' },
        ] as Record<string, string>[]) {
          const reply = await ask(behind, path, headers);
          expect([path, headers, reply.status, reply.headers.location]).to.deep.equal([path, headers, 403, undefined]);
        }
      }
      expect((await ask(behind, '/oauth2/jwks', { 'x-forwarded-proto': 'https' })).status).to.equal(200);
      expect((await ask(behind, '/oauth2/jwks', { 'x-forwarded-proto': 'http, https' })).status).to.equal(200);
    });

    it('cannot be forged by a caller that is no proxy', async () => {
      for (const proto of ['https', 'HTTPS', 'wss']) {
        expect((await ask(exposed, '/oauth2/jwks', { 'x-forwarded-proto': proto })).status).to.equal(403);
      }
    });

    it('do not matter to the probes', async () => {
      for (const harness of [behind, exposed]) {
        for (const path of ['/health', '/ready']) expect((await ask(harness, path, {})).status).to.equal(200);
      }
    });

    it('keep the metrics away from the public port', async () => {
      const reply = await ask(behind, '/metrics', { 'x-forwarded-proto': 'https' });
      expect(reply.status).to.equal(404);
    });
  });
});
