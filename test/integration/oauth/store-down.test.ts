import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  authorization,
  authorize,
  DEMO,
  introspect,
  obtainTokens,
  redeem,
  refresh,
  revoke,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';

/** Everything a client or person can ask for, with a warm cache of clients and keys. */
describe('while the database does not answer', () => {
  let proxy: TcpProxy;
  let harness: Harness;
  let tokens: Awaited<ReturnType<typeof obtainTokens>>;
  let pending: Awaited<ReturnType<typeof authorize>>;
  let browser: Browser;
  before(async function () {
    const postgres = await requirePart('postgres', this);
    const databaseUrl = await postgres.createDatabase();
    proxy = await startTcpProxy(Number(new URL(databaseUrl).port));
    harness = await startHarness({ env: { DATABASE_URL: proxy.through(databaseUrl), GATEHOUSE_DATABASE_POOL: '4' } });
  });
  beforeEach(async () => {
    tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid read offline_access' });
    pending = await authorize(harness, DEMO.web, { scope: 'openid read', browser: tokens.browser });
    browser = new Browser(harness);
    await browser.open(authorization(harness, DEMO.web).url);
  });
  afterEach(() => proxy?.restore());
  after(async () => {
    await harness?.[Symbol.asyncDispose]();
    await proxy?.close();
  });

  function expectUnavailable(reply: Reply, shape: 'json' | 'html'): void {
    expect(reply.status).to.equal(503);
    expect(Number(reply.headers['retry-after'])).to.be.within(1, 60);
    expect(reply.headers['content-type']).to.contain(shape);
    if (shape === 'json') expect(reply.json().error).to.equal('temporarily_unavailable');
    // Nothing of what happened inside.
    expect(reply.text).to.not.match(/postgres|ECONN|select |insert |knex|127\.0\.0\.1:\d+\/|stack/i);
  }

  for (const [name, fail] of [
    ['refuses connections', () => proxy.cut()],
    ['hangs', () => proxy.pause()],
  ] as const) {
    it(`because it ${name}, the machine endpoints say so in OAuth JSON`, async () => {
      await fail();
      const replies = await Promise.all([
        redeem(harness, DEMO.web, pending),
        refresh(harness, DEMO.web, tokens.refresh_token),
        introspect(harness, DEMO.api, tokens.access_token),
        revoke(harness, DEMO.web, tokens.access_token),
      ]);
      for (const reply of replies) expectUnavailable(reply, 'json');
      expectUnavailable(await userinfo(harness, `gat_${'A'.repeat(43)}`), 'json');
    });

    it(`because it ${name}, the pages say so in words`, async () => {
      await fail();
      const pages = await Promise.all([
        harness.get(authorization(harness, DEMO.web).url, { accept: 'text/html' }),
        browser.signIn().then(({ reply }) => reply),
      ]);
      for (const reply of pages) {
        expectUnavailable(reply, 'html');
        expect(reply.text).to.contain('What to do next');
      }
    });

    it(`because it ${name}, what needs no database goes on`, async () => {
      await token(harness, DEMO.machine, { grant_type: 'client_credentials' });
      await fail();
      for (const path of ['/oauth2/jwks', '/.well-known/openid-configuration', '/health', '/'])
        expect([path, (await harness.get(path)).status]).to.deep.equal([path, 200]);
      expect((await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).status).to.equal(200);
      const ready = await harness.get('/ready');
      expect([ready.status, ready.json().status]).to.deep.equal([503, 'unavailable']);
    });

    it(`because it ${name}, nothing is used up: the same requests succeed once it is back`, async () => {
      await fail();
      await Promise.all([
        redeem(harness, DEMO.web, pending),
        refresh(harness, DEMO.web, tokens.refresh_token),
        browser.signIn(),
      ]);
      await proxy.restore();
      await recovered();
      expect((await redeem(harness, DEMO.web, pending)).status).to.equal(200);
      expect((await refresh(harness, DEMO.web, tokens.refresh_token)).status).to.equal(200);
      expect((await introspect(harness, DEMO.api, tokens.access_token)).json().active).to.equal(true);
      expect((await new Browser(harness).complete(authorization(harness, DEMO.web).url)).answer.get('code')).to.match(
        /^gac_/,
      );
    });
  }

  async function recovered(): Promise<void> {
    for (const deadline = Date.now() + 10_000; (await harness.get('/ready')).status !== 200; ) {
      if (Date.now() > deadline) throw new Error('not ready 10 s after the database came back');
    }
  }
});
