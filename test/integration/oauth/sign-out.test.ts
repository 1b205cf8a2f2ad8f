import { expect } from 'chai';
import { generateKeyPair, SignJWT } from 'jose';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  authorize,
  CALLBACK,
  claimsOf,
  createAccount,
  createClient,
  DEMO,
  introspect,
  obtainTokens,
  redeem,
  refresh,
  type TestClient,
  userinfo,
} from '../../support/builders.ts';
import { type Fields, formBody, type Harness, startHarness, travel } from '../../support/harness.ts';

const AFTER = 'http://127.0.0.1:8080/';

describe('sign-out', () => {
  let harness: Harness;
  let other: TestClient;
  before(async () => {
    harness = await startHarness();
    other = await createClient(harness, { postLogoutRedirectUris: ['https://other.example/bye'] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const signOutUrl = (fields: Fields = {}): string => `${harness.url('/oauth2/logout')}?${formBody(fields)}`;
  const signedIn = (scope = 'openid read') => obtainTokens(harness, DEMO.web, { scope });

  async function isSignedIn(browser: Browser): Promise<boolean> {
    const page = await browser.open(authorization(harness, DEMO.web, { prompt: 'none' }).url);
    const error = page.answer.get('error');
    expect(error).to.be.oneOf([null, 'login_required']);
    return error === null;
  }

  it('asks first, ends the session when the person says so, and says it is done', async () => {
    const { browser } = await signedIn();
    const page = await browser.open(signOutUrl());
    expect(page.heading).to.equal('Sign out?');
    expect(page.text).to.contain('Ada Lovelace');
    expect(await isSignedIn(browser)).to.equal(true);
    await browser.open(signOutUrl());
    const done = await browser.submit('Sign out');
    expect(done.heading).to.equal('You are signed out');
    expect(await isSignedIn(browser)).to.equal(false);
  });

  it('ends all that this browser was given in the session, however often it asked, but what is to outlive it', async () => {
    const browser = new Browser(harness);
    const obtain = (scope: string) => obtainTokens(harness, DEMO.web, { scope, browser });
    const online = [await obtain('openid read'), await obtain('openid read'), await obtain('openid read')];
    const offline = await obtain('openid read offline_access');
    online.push(await obtain('openid read'));
    const pending = await authorize(harness, DEMO.web, { scope: 'openid read', browser });
    await browser.open(signOutUrl());
    await browser.submit('Sign out');
    for (const tokens of online) {
      expect((await introspect(harness, DEMO.api, tokens.access_token)).json().active).to.equal(false);
      expect((await refresh(harness, DEMO.web, tokens.refresh_token)).status).to.equal(400);
    }
    expect((await redeem(harness, DEMO.web, pending)).status).to.equal(400);
    expect((await introspect(harness, DEMO.api, offline.access_token)).json().active).to.equal(true);
    expect((await refresh(harness, DEMO.web, offline.refresh_token)).status).to.equal(200);
  });

  it('of one application ends all that it was given in the session, when the person stays signed in', async () => {
    const browser = new Browser(harness);
    const ended = [];
    for (let i = 0; i < 3; i += 1) ended.push(await obtainTokens(harness, DEMO.web, { scope: 'openid read', browser }));
    await browser.open(signOutUrl({ client_id: 'demo-web' }));
    await browser.submit('Stay signed in');
    expect(await isSignedIn(browser)).to.equal(true);
    for (const { access_token } of ended) {
      expect((await introspect(harness, DEMO.api, access_token)).json().active).to.equal(false);
    }
  });

  it('does nothing when the person decides to stay', async () => {
    const { browser, access_token } = await signedIn();
    await browser.open(signOutUrl());
    await browser.submit('Stay signed in');
    expect(await isSignedIn(browser)).to.equal(true);
    expect((await introspect(harness, DEMO.api, access_token)).json().active).to.equal(true);
  });

  it('goes back to the client, with its state, for a registered address', async () => {
    const { browser, id_token } = await signedIn();
    await browser.open(signOutUrl({ id_token_hint: id_token, post_logout_redirect_uri: AFTER, state: 'späß & more' }));
    const page = await browser.submit('Sign out');
    expect(page.callback?.href.split('?')[0]).to.equal(AFTER);
    expect(page.answer.get('state')).to.equal('späß & more');
    expect(await isSignedIn(browser)).to.equal(false);
  });

  it('goes nowhere for an address that is not registered, byte for byte', async () => {
    const { browser, id_token } = await signedIn();
    for (const post_logout_redirect_uri of [
      `${AFTER}x`,
      'http://127.0.0.1:8080',
      'http://127.0.0.1:8081/',
      `${AFTER}?a`,
      `${AFTER}#a`,
      'https://evil.example/',
      'https://other.example/bye',
      'javascript:alert(1)',
    ]) {
      for (const who of [{ id_token_hint: id_token }, { client_id: 'demo-web' }]) {
        const page = await browser.open(signOutUrl({ ...who, post_logout_redirect_uri }));
        expect([post_logout_redirect_uri, page.reply.status, page.callback]).to.deep.equal([
          post_logout_redirect_uri,
          400,
          null,
        ]);
      }
    }
    expect(await isSignedIn(browser)).to.equal(true);
  });

  it('goes nowhere for an address alone, without a word on which client asks', async () => {
    const { browser } = await signedIn();
    await browser.open(signOutUrl({ post_logout_redirect_uri: AFTER }));
    const page = await browser.submit('Sign out');
    expect([page.callback, page.heading]).to.deep.equal([null, 'You are signed out']);
  });

  it('takes a hint that cannot be checked for none, and asks: nothing is believed from it', async () => {
    const { browser, id_token, access_token, refresh_token } = await signedIn('openid read offline_access');
    const { privateKey } = await generateKeyPair('RS256');
    const claims = claimsOf(id_token);
    const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(privateKey);
    const [, payload] = id_token.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    const hs = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from('demo-web-secret-demo-web-secret-'));
    for (const id_token_hint of [
      forged,
      none,
      hs,
      access_token,
      refresh_token,
      'x',
      'a.b.c',
      `${id_token}x`,
      '{}',
      '..',
    ]) {
      const page = await browser.open(signOutUrl({ id_token_hint, post_logout_redirect_uri: AFTER, state: 's' }));
      expect([page.reply.status, page.heading], id_token_hint).to.deep.equal([200, 'Sign out?']);
      expect(page.text).to.not.contain('Demo web application');
    }
    expect(await isSignedIn(browser), 'nobody was signed out by it').to.equal(true);
    await browser.open(signOutUrl({ id_token_hint: forged, post_logout_redirect_uri: AFTER }));
    const done = await browser.submit('Sign out');
    expect([done.callback, done.heading]).to.deep.equal([null, 'You are signed out']);
  });

  it('goes back with a hint that cannot be checked when the client is named beside it', async () => {
    const { browser } = await signedIn();
    const asked = { id_token_hint: 'x', client_id: 'demo-web', post_logout_redirect_uri: AFTER, state: 's' };
    expect((await browser.open(signOutUrl(asked))).text).to.contain('Demo web application');
    expect((await browser.submit('Sign out')).callback?.href).to.equal(`${AFTER}?state=s`);
    const elsewhere = await browser.open(signOutUrl({ ...asked, post_logout_redirect_uri: 'https://evil.example/' }));
    expect(elsewhere.reply.status).to.equal(400);
  });

  it('accepts a hint that expired, and none beside another client id', async () => {
    const { browser, id_token } = await signedIn();
    const foreign = await browser.open(signOutUrl({ id_token_hint: id_token, client_id: other.id }));
    expect(foreign.reply.status).to.equal(400);
    using _ = travel(7200);
    const page = await browser.open(signOutUrl({ id_token_hint: id_token, post_logout_redirect_uri: AFTER }));
    expect(page.heading).to.equal('Sign out?');
    expect((await browser.submit('Sign out')).callback?.href).to.equal(AFTER);
  });

  it('works when the client is gone, and does not take the word of a new client with its id', async () => {
    const given = { id: 'short-lived', redirectUris: [CALLBACK], postLogoutRedirectUris: ['https://gone.example/bye'] };
    const client = await createClient(harness, given);
    const { browser, id_token } = await obtainTokens(harness, client);
    const asked = {
      id_token_hint: id_token,
      client_id: client.id,
      post_logout_redirect_uri: 'https://gone.example/bye',
    };
    await harness.services.manageClients.remove(client.id);
    for (const { id_token_hint, client_id, ...rest } of [asked]) {
      for (const query of [asked, { ...rest, id_token_hint }, { ...rest, client_id }]) {
        const page = await browser.open(signOutUrl(query));
        expect([page.reply.status, page.heading]).to.deep.equal([200, 'Sign out?']);
      }
    }
    using _ = travel(60);
    await createClient(harness, given);
    await browser.open(signOutUrl({ id_token_hint: id_token, post_logout_redirect_uri: 'https://gone.example/bye' }));
    const done = await browser.submit('Sign out');
    expect([done.callback, done.heading]).to.deep.equal([null, 'You are signed out']);
    expect(await isSignedIn(browser)).to.equal(false);
  });

  it('ends what was bound to the session, and spares offline access', async () => {
    const who = await createAccount(harness);
    const browser = new Browser(harness);
    const web = await createClient(harness);
    const online = await obtainTokens(harness, DEMO.web, { scope: 'openid read', browser, who });
    const userinfoToken = (await refresh(harness, DEMO.web, online.refresh_token, { scope: 'openid' })).json();
    const offline = await obtainTokens(harness, web, {
      scope: 'openid read offline_access',
      resource: API,
      browser,
      who,
    });
    await browser.open(signOutUrl());
    await browser.submit('Sign out');
    expect((await introspect(harness, DEMO.api, online.access_token)).json()).to.deep.equal({ active: false });
    expect((await refresh(harness, DEMO.web, userinfoToken.refresh_token)).json().error).to.equal('invalid_grant');
    expect((await userinfo(harness, userinfoToken.access_token)).status).to.equal(401);
    expect((await introspect(harness, DEMO.api, offline.access_token)).json().active).to.equal(true);
    expect((await refresh(harness, web, offline.refresh_token)).status).to.equal(200);
  });

  it('ends one browser and not the others of the same person', async () => {
    const who = await createAccount(harness);
    const one = await obtainTokens(harness, DEMO.web, { scope: 'openid read', who });
    const two = await obtainTokens(harness, DEMO.web, { scope: 'openid read', who });
    await one.browser.open(signOutUrl());
    await one.browser.submit('Sign out');
    expect((await introspect(harness, DEMO.api, one.access_token)).json().active).to.equal(false);
    expect((await introspect(harness, DEMO.api, two.access_token)).json().active).to.equal(true);
    expect(await isSignedIn(two.browser)).to.equal(true);
  });

  it('cannot be confirmed from another browser or without its token', async () => {
    const { browser } = await signedIn();
    const page = await browser.open(signOutUrl());
    const xsrf = page.forms.find((form) => form.fields.xsrf)?.fields.xsrf ?? '';
    expect(xsrf.length).to.be.greaterThan(20);
    const confirm = (fields: Fields, cookie: string) =>
      harness.post('/oauth2/logout/confirm', fields, { accept: 'text/html', ...(cookie === '' ? {} : { cookie }) });
    const cookie = browser.jar.header(new URL(harness.url('/oauth2/logout')));
    for (const [fields, jar] of [
      [{ xsrf, logout: 'yes' }, ''],
      [{ logout: 'yes' }, cookie],
      [{ xsrf: 'wrong', logout: 'yes' }, cookie],
    ] as const) {
      const reply = await confirm(fields, jar);
      expect([reply.status, reply.headers.location]).to.deep.equal([400, undefined]);
    }
    expect(await isSignedIn(browser)).to.equal(true);
  });

  it('is done for somebody who is not signed in, without a question', async () => {
    const browser = new Browser(harness);
    let page = await browser.open(signOutUrl());
    if (page.forms.length > 0) page = await browser.submit('Continue');
    expect(page.heading).to.equal('You are signed out');
    const again = new Browser(harness);
    page = await again.open(signOutUrl({ client_id: 'demo-web', post_logout_redirect_uri: AFTER, state: 's' }));
    if (page.forms.length > 0) page = await again.submit('Continue');
    expect([page.callback?.href, page.answer.get('state')]).to.deep.equal([`${AFTER}?state=s`, 's']);
  });

  it('makes the old session cookie worthless', async () => {
    const { browser } = await signedIn();
    const stolen = browser.jar.clone();
    await browser.open(signOutUrl());
    await browser.submit('Sign out');
    expect(await isSignedIn(new Browser(harness, stolen))).to.equal(false);
  });
});
