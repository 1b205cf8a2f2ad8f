import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { ADA, Browser } from '../../support/browser.ts';
import { authorization, createClient, type TestClient } from '../../support/builders.ts';
import { type Harness, type HarnessOptions, startHarness } from '../../support/harness.ts';

describe('an authorization that nobody has signed in for', () => {
  let harness: Harness;
  let web: TestClient;
  async function start(env: Record<string, string> = {}): Promise<void> {
    harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1', ...env } } as HarnessOptions);
    web = await createClient(harness);
  }
  afterEach(() => harness?.[Symbol.asyncDispose]());

  const begin = (changes: Record<string, string> = {}, from?: string) =>
    harness.get(authorization(harness, web, changes).url, from === undefined ? {} : { 'x-forwarded-for': from });

  it('takes a signed state of 2000 characters and a long claims parameter to the end', async () => {
    await start();
    const state = `${Buffer.from(JSON.stringify({ returnTo: '/a/page', roles: Array(90).fill('member') })).toString('base64url')}.${randomBytes(300).toString('base64url')}`;
    const claims = JSON.stringify({
      id_token: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`claim_${i}`, { essential: true }])),
    });
    expect(state.length).to.be.above(1500);
    const long = randomBytes(1350).toString('base64url');
    for (const changes of [{ state }, { claims }, { state: long }]) {
      const browser = new Browser(harness);
      await browser.open(authorization(harness, web, { scope: 'openid', ...changes }).url);
      expect(browser.page.reply.status, JSON.stringify(changes).slice(0, 60)).to.equal(200);
      await browser.submit('/sign-in', { email: ADA.email, password: ADA.password });
      if (!browser.page.callback) await browser.submit('/consent');
      expect(browser.page.answer.get('code')).to.match(/^gac_/);
      if ('state' in changes) expect(browser.page.answer.get('state')).to.equal(changes.state);
    }
  });

  it('is refused to the client when it would take more than 3 KB, whatever makes it long', async () => {
    await start();
    for (const name of ['state', 'nonce', 'login_hint']) {
      const reply = await begin({ [name]: randomBytes(3000).toString('base64url') });
      expect(reply.status).to.equal(303);
      expect(new URL(reply.headers.location ?? '').searchParams.get('error')).to.equal('invalid_request');
    }
  });

  it('is one of so many from one address; the others go on, and one that ends makes room', async () => {
    await start({ GATEHOUSE_OPEN_AUTHORIZATIONS_BY_ADDRESS: '3' });
    const browser = new Browser(harness);
    await browser.open(authorization(harness, web).url);
    for (let i = 0; i < 2; i += 1) expect((await begin()).status).to.equal(303);
    const refused = await begin();
    expect(refused.status).to.equal(429);
    expect(Number(refused.headers['retry-after'])).to.be.greaterThan(0);
    expect(refused.headers.location).to.equal(undefined);
    expect(refused.text).to.contain('Too many sign-ins were begun from your network');
    expect((await begin({}, '203.0.113.10')).status).to.equal(303);
    await browser.submit('/sign-in', { email: ADA.email, password: ADA.password });
    expect(browser.page.reply.status).to.equal(200);
    expect((await begin()).status).to.equal(303);
  });

  it('is one of so many altogether, and who is signed in is asked nothing of it', async () => {
    await start({ GATEHOUSE_OPEN_AUTHORIZATIONS: '2' });
    const browser = new Browser(harness);
    await browser.open(authorization(harness, web).url);
    await browser.submit('/sign-in', { email: ADA.email, password: ADA.password });
    await browser.submit('/consent');
    for (let i = 0; i < 2; i += 1) expect((await begin({}, `203.0.113.${i}`)).status).to.equal(303);
    const refused = await begin({}, '203.0.113.77');
    expect([refused.status, Number(refused.headers['retry-after']) > 0]).to.deep.equal([503, true]);
    expect(refused.text).to.contain('Too many sign-ins are under way just now');
    await browser.open(authorization(harness, web).url);
    expect(browser.page.answer.get('code')).to.match(/^gac_/);
  });

  it('is kept from nobody by a stranger with many addresses: the network that has most gives up its oldest', async () => {
    await start({ GATEHOUSE_OPEN_AUTHORIZATIONS: '6' });
    const others = new Browser(harness);
    await others.open(authorization(harness, web).url);
    for (let i = 0; i < 5; i += 1) expect((await begin({}, `2001:db8:1:${i}::1`)).status).to.equal(303);
    for (let i = 0; i < 2; i += 1) expect((await begin({}, `198.51.100.${i}`)).status).to.equal(303);
    // Its own flood makes no more room for it.
    const refused = await begin({}, '2001:db8:1:99::1');
    expect(refused.status).to.equal(503);
    await others.submit('/sign-in', { email: ADA.email, password: ADA.password });
    expect(others.page.reply.status).to.equal(200);
  });
});
