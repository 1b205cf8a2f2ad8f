import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  authorization,
  authorize,
  createClient,
  createResource,
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
import { isAvailable, requirePart } from '../../support/requirements.ts';
import { startPostgres } from '../../support/servers/postgres.ts';
import { startRedis } from '../../support/servers/redis.ts';
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

    it(`because it ${name}, a token of a signing key that is not known here is not called invalid`, async () => {
      // As another process may have made it a moment ago.
      const header = { alg: 'ES256', typ: 'at+jwt', kid: `of-another-process-that-${name.replaceAll(' ', '-')}` };
      const claims = { iss: harness.issuer, exp: Math.floor(Date.now() / 1000) + 60 };
      const unknown = [JSON.stringify(header), JSON.stringify(claims), 'A'.repeat(64)].map((part) =>
        Buffer.from(part).toString('base64url'),
      );
      await fail();
      const asked = () => introspect(harness, DEMO.api, unknown.join('.'));
      for (const reply of [...(await Promise.all([asked(), asked()])), await asked()]) expectUnavailable(reply, 'json');
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

describe('when the servers behind it end', () => {
  it('a database that was killed is found again after its restart, without one of ours', async function () {
    if (!isAvailable('postgres')) this.skip();
    this.timeout(120_000);
    const postgres = await startPostgres();
    const harness = await startHarness({ env: { DATABASE_URL: postgres.url } });
    try {
      const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid read offline_access' });
      await postgres.kill('SIGKILL');
      const failed = await refresh(harness, DEMO.web, tokens.refresh_token);
      expect([failed.status, failed.json().error]).to.deep.equal([503, 'temporarily_unavailable']);
      await postgres.restart();
      for (const deadline = Date.now() + 20_000; (await harness.get('/ready')).status !== 200; ) {
        if (Date.now() > deadline) throw new Error('not ready 20 s after the restart');
      }
      expect((await refresh(harness, DEMO.web, tokens.refresh_token)).status).to.equal(200);
    } finally {
      await harness[Symbol.asyncDispose]();
      await postgres.stop();
    }
  });

  it('without Redis what lives there is refused with 503, the rest goes on, and all is well once it is back', async function () {
    if (!isAvailable('postgres') || !isAvailable('redis')) this.skip();
    const postgres = await requirePart('postgres', this);
    this.timeout(120_000);
    const redis = await startRedis();
    const harness = await startHarness({
      env: { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url },
    });
    try {
      const opaque = await createResource(harness);
      const machine = await createClient(harness, {
        grantTypes: ['client_credentials'],
        resources: [opaque.identifier],
      });
      const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid read offline_access' });
      const stored = (await token(harness, machine, { grant_type: 'client_credentials' })).json().access_token;
      const browser = new Browser(harness);
      await browser.open(authorization(harness, DEMO.web).url);
      await redis.kill('SIGKILL');

      for (const reply of [
        await introspect(harness, opaque.api, stored),
        await token(harness, machine, { grant_type: 'client_credentials' }),
      ]) {
        expect([reply.status, reply.json().error]).to.deep.equal([503, 'temporarily_unavailable']);
        expect(Number(reply.headers['retry-after'])).to.be.within(1, 60);
      }
      const page = await harness.get(authorization(harness, DEMO.web).url, { accept: 'text/html' });
      expect([page.status, page.headers['content-type']]).to.deep.equal([503, 'text/html; charset=utf-8']);
      expect((await browser.signIn()).reply.status).to.equal(503);
      // Codes, refresh tokens and JWTs are in SQL.
      const refreshed = await refresh(harness, DEMO.web, tokens.refresh_token);
      expect(refreshed.status).to.equal(200);
      expect((await introspect(harness, DEMO.api, refreshed.json().access_token)).json().active).to.equal(true);
      expect((await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).status).to.equal(200);

      await redis.restart();
      for (const deadline = Date.now() + 20_000; (await harness.get('/ready')).status !== 200; ) {
        if (Date.now() > deadline) throw new Error('not ready 20 s after the restart');
      }
      expect((await new Browser(harness).complete(authorization(harness, DEMO.web).url)).answer.get('code')).to.match(
        /^gac_/,
      );
      // It forgot everything, and that revived nothing.
      expect((await introspect(harness, opaque.api, stored)).json()).to.deep.equal({ active: false });
    } finally {
      await harness[Symbol.asyncDispose]();
      await redis.stop();
    }
  });
});
