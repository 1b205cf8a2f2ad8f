import { expect } from 'chai';
import { ADA, Browser } from '../../support/browser.ts';
import { authorization, createAccount, createClient, DEMO, redeem, type TestClient } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

/** The browser of these tests runs no script: what it can do works for everybody. */
describe('a browser without JavaScript', () => {
  let harness: Harness;
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    web = await createClient(harness, { postLogoutRedirectUris: ['http://127.0.0.1:8080/'] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('signs in, allows, goes back to the client and signs out', async () => {
    const request = authorization(harness, web, { scope: 'openid read' });
    const browser = new Browser(harness);
    expect((await browser.open(request.url)).heading).to.equal('Sign in');
    expect((await browser.signIn()).heading).to.equal('Allow this app to use your account?');
    const page = await browser.allow();
    const reply = await redeem(harness, web, { request, page, code: page.answer.get('code') ?? '', browser });
    expect(reply.status).to.equal(200);
    await browser.open(
      `${harness.url('/oauth2/logout')}?id_token_hint=${reply.json().id_token}&post_logout_redirect_uri=http://127.0.0.1:8080/`,
    );
    expect((await browser.submit('Sign out')).callback?.href).to.equal('http://127.0.0.1:8080/');
  });

  it('gets on from every page by a button it can see', async () => {
    const browser = new Browser(harness);
    await browser.complete(authorization(harness, web, { response_mode: 'form_post', prompt: 'consent' }).url);
    const other = await createAccount(harness);
    await browser.open(authorization(harness, web, { prompt: 'login' }).url);
    await browser.signIn(other);
    if (!browser.page.callback && browser.page.heading === 'One more step') await browser.submit('Continue');
    await browser.open(harness.url('/oauth2/logout'));
    for (const page of browser.seen) {
      expect(page.reply.text, page.heading).to.not.contain('<noscript');
      for (const form of page.forms) {
        expect(form.buttons.length, page.heading).to.be.greaterThan(0);
        for (const button of form.buttons) expect(button.text).to.not.equal('');
      }
    }
  });

  it('uses another account than the one it is signed in with', async () => {
    const other = await createAccount(harness);
    const browser = new Browser(harness);
    await browser.complete(authorization(harness, web).url, ADA);
    const page = await browser.complete(authorization(harness, web, { prompt: 'login' }).url, other);
    expect(page.answer.get('code')).to.match(/^gac_/);
    const [event] = await harness.services.stores.audit.list({ type: 'account.signed_in', limit: 1 });
    expect(event?.accountId).to.equal(other.account.id);
  });

  it('uses another account from the consent page of an app it used before', async () => {
    const other = await createAccount(harness);
    const changes = { redirect_uri: 'http://127.0.0.1:3456/callback', scope: 'openid' };
    const browser = new Browser(harness);
    await browser.complete(authorization(harness, DEMO.native, changes).url, ADA);
    await browser.open(authorization(harness, DEMO.native, changes).url);
    await browser.submit('/switch-account');
    const page = await browser.complete(browser.page.url, other);
    expect(page.answer.get('code')).to.match(/^gac_/);
  });
});
