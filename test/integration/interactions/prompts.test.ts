import { expect } from 'chai';
import { ADA, Browser, type Page } from '../../support/browser.ts';
import {
  authorization,
  authorize,
  claimsOf,
  createAccount,
  createClient,
  DEMO,
  obtainTokens,
  redeem,
  type TestClient,
} from '../../support/builders.ts';
import { type Fields, type Harness, startHarness, travel } from '../../support/harness.ts';

describe('what the client wishes to be asked', () => {
  let harness: Harness;
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    web = await createClient(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const open = (browser: Browser, changes: Fields = {}): Promise<Page> =>
    browser.open(authorization(harness, web, changes).url);
  const signedIn = async (): Promise<Browser> => (await authorize(harness, web)).browser;

  describe('prompt=none', () => {
    it('never shows a page: no session, no consent and an old session are errors for the client', async () => {
      const nobody = await open(new Browser(harness), { prompt: 'none', state: 's' });
      expect(Object.fromEntries(nobody.answer)).to.include({
        error: 'login_required',
        state: 's',
        iss: harness.issuer,
      });
      const browser = await signedIn();
      const other = await createClient(harness);
      const unconsented = await browser.open(authorization(harness, other, { prompt: 'none' }).url);
      expect(unconsented.answer.get('error')).to.be.oneOf(['consent_required', 'interaction_required']);
      using _ = travel(120);
      const stale = await open(browser, { prompt: 'none', max_age: '60' });
      expect(stale.answer.get('error')).to.equal('login_required');
    });

    it('gives a code when nothing has to be asked', async () => {
      const browser = await signedIn();
      const page = await open(browser, { prompt: 'none' });
      expect(page.answer.get('code')).to.match(/^gac_/);
      expect(browser.trail.map(({ status }) => status)).to.deep.equal([303]);
    });

    it('refuses to be combined', async () => {
      for (const prompt of ['none login', 'none consent', 'login none']) {
        expect((await open(await signedIn(), { prompt })).answer.get('error')).to.equal('invalid_request');
      }
    });
  });

  describe('prompt=login', () => {
    it('asks for the password again, and the sign-in counts from then', async () => {
      const browser = await signedIn();
      const request = authorization(harness, web, { prompt: 'login', max_age: '3600' });
      {
        using _ = travel(300);
        const page = await browser.open(request.url);
        expect(page.heading).to.equal('Sign in');
        expect(page.text).to.contain('Please sign in again');
        const done = await browser.signIn();
        const { id_token } = (
          await redeem(harness, web, { request, page: done, code: done.answer.get('code') ?? '', browser })
        ).json();
        const { auth_time, iat } = claimsOf(id_token);
        expect(Math.abs(iat - auth_time)).to.be.lessThan(5);
      }
    });

    it('refuses a wrong password as ever', async () => {
      const browser = await signedIn();
      await open(browser, { prompt: 'login' });
      const page = await browser.signIn({ email: ADA.email, password: 'wrong' });
      expect([page.reply.status, page.callback]).to.deep.equal([422, null]);
    });
  });

  describe('max_age', () => {
    it('is satisfied by a younger sign-in, asks again for an older one, and auth_time says when it was', async () => {
      const browser = await signedIn();
      const request = authorization(harness, web, { max_age: '100' });
      const page = await browser.open(request.url);
      expect(page.callback).to.not.equal(null);
      const { id_token } = (
        await redeem(harness, web, { request, page, code: page.answer.get('code') ?? '', browser })
      ).json();
      expect(Math.abs(claimsOf(id_token).auth_time - Date.now() / 1000)).to.be.lessThan(10);
      using _ = travel(130);
      expect((await open(browser, { max_age: '100' })).heading).to.equal('Sign in');
      expect((await open(browser, { max_age: '1000' })).callback).to.not.equal(null);
    });

    it('of zero asks always', async () => {
      const browser = await signedIn();
      using _ = travel(2);
      expect((await open(browser, { max_age: '0' })).heading).to.equal('Sign in');
      expect((await browser.signIn()).callback).to.not.equal(null);
    });
  });

  describe('id_token_hint', () => {
    it('goes on silently for the person it names', async () => {
      const tokens = await obtainTokens(harness, web);
      const page = await open(tokens.browser, { prompt: 'none', id_token_hint: tokens.id_token });
      expect(page.answer.get('error')).to.equal(null);
    });

    it('of somebody else asks to sign in, and is an error when nobody may be asked', async () => {
      const who = await createAccount(harness);
      const theirs = await obtainTokens(harness, web, { who });
      const browser = await signedIn();
      const silent = await open(browser, { prompt: 'none', id_token_hint: theirs.id_token });
      expect(silent.answer.get('error')).to.equal('login_required');
      const page = await open(browser, { id_token_hint: theirs.id_token });
      expect(page.heading).to.equal('Sign in');
    });

    it('lets the person it names sign in over another session', async () => {
      const who = await createAccount(harness);
      const theirs = await obtainTokens(harness, web, { who });
      const request = authorization(harness, web, { id_token_hint: theirs.id_token });
      const browser = await signedIn();
      const page = await browser.complete(request.url, who);
      const { id_token } = (
        await redeem(harness, web, { request, page, code: page.answer.get('code') ?? '', browser })
      ).json();
      expect(claimsOf(id_token).sub).to.equal(who.account.id);
    });

    it('of another client, or that cannot be checked, counts as none and is never an error', async () => {
      const tokens = await obtainTokens(harness, DEMO.web);
      const [head, payload] = tokens.id_token.split('.');
      for (const id_token_hint of [
        tokens.id_token,
        'x',
        '..',
        'a.b.c',
        `${head}.${payload}.AAAA`,
        tokens.access_token,
      ]) {
        const page = await open(tokens.browser, { prompt: 'none', id_token_hint });
        expect([id_token_hint, page.answer.get('error')]).to.deep.equal([id_token_hint, null]);
      }
    });

    it('that cannot be checked and names somebody else gives no other person away silently', async () => {
      const theirs = await obtainTokens(harness, web, { who: await createAccount(harness) });
      const [head, payload] = theirs.id_token.split('.');
      const browser = await signedIn();
      const id_token_hint = `${head}.${payload}.AAAA`;
      expect((await open(browser, { prompt: 'none', id_token_hint })).answer.get('error')).to.equal('login_required');
      expect((await open(browser, { id_token_hint })).heading).to.equal('Sign in');
    });

    it('may be long expired', async () => {
      const tokens = await obtainTokens(harness, web);
      using _ = travel(86_400);
      const page = await open(tokens.browser, { prompt: 'none', id_token_hint: tokens.id_token });
      expect(page.answer.get('error')).to.equal(null);
    });
  });

  describe('login_hint', () => {
    it('fills in the email address and nothing else', async () => {
      const browser = new Browser(harness);
      const page = await open(browser, { login_hint: 'grace@example.com' });
      expect(page.forms[0]?.fields.email).to.equal('grace@example.com');
      expect(page.forms[0]?.fields.password).to.equal('');
    });

    it('is shown as text', async () => {
      const hint = '"><script>alert(1)</script>\u202e';
      const page = await open(new Browser(harness), { login_hint: hint });
      expect(page.reply.text).to.not.contain('<script');
      expect(page.forms[0]?.fields.email).to.equal(hint);
    });
  });

  describe('claims', () => {
    it('for a certain subject accept only that person', async () => {
      const who = await createAccount(harness);
      const claims = JSON.stringify({ id_token: { sub: { value: who.account.id } } });
      const browser = await signedIn();
      expect((await open(browser, { claims, prompt: 'none' })).answer.get('error')).to.equal('login_required');
      const own = await authorize(harness, web, { who });
      expect((await open(own.browser, { claims, prompt: 'none' })).answer.get('error')).to.equal(null);
    });
  });
});
