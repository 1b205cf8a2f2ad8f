import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import {
  type ClientFlows,
  createClientFlows,
  type IssuedCode,
  newVerifier,
  type TokenAnswer,
  tokenOf,
  USER,
} from '../support/client-flows.ts';
import {
  accessibilityProblems,
  type CallbackServer,
  openSurfer,
  type Surfer,
  startCallbackServer,
} from '../support/e2e-browser.ts';
import { createClient, createParties, createUser, JWT_API, type Party } from '../support/e2e-parties.ts';
import { createWorld, describeOn, type Node, TWO_SETUPS, type World } from '../support/e2e-world.ts';
import { requirePart } from '../support/requirements.ts';

const GRACE = { email: 'grace@example.com', password: 'a password that grace chose' };
const PHONE: BrowserContextOptions = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
const NO_SCRIPT: BrowserContextOptions = { javaScriptEnabled: false };

describeOn(TWO_SETUPS, 'the pages in Chromium', (setup) => {
  // What the store cannot change is tried on one set-up.
  const everything = setup === 'SQLite';
  let chromium: Browser;
  let world: World;
  let node: Node;
  let client: Party;
  let callbacks: CallbackServer;
  let flows: ClientFlows;
  const open: Surfer[] = [];

  before(async function () {
    chromium = await requirePart('chromium', this);
    world = await createWorld(setup, this);
    node = await world.start();
    callbacks = await startCallbackServer();
    const services = await world.services();
    await createParties(services);
    await createUser(services, GRACE.email, GRACE.password);
    client = await createClient(services, {
      id: 'pages-client',
      name: 'The Reading Room',
      redirectUris: [callbacks.callback],
      postLogoutRedirectUris: [`${callbacks.origin}/bye`],
    });
    flows = createClientFlows({ issuer: world.issuer, redirectUri: callbacks.callback });
  });
  /** Nobody has allowed anything yet. */
  beforeEach(async () => {
    const { stores } = await world.services();
    for (const { email } of [USER, GRACE]) {
      const account = await stores.accounts.findByEmail(email);
      if (account) await stores.consents.remove(account.id, client.id);
    }
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((surfer) => surfer.close()));
  });
  after(async () => {
    await callbacks?.close();
    await world?.close();
  });

  async function surfer(options: BrowserContextOptions & { expectedStatuses?: number[] } = {}): Promise<Surfer> {
    const opened = await openSurfer(chromium, { sites: [world.issuer, callbacks.origin], ...options });
    open.push(opened);
    return opened;
  }

  interface Visit extends Pick<IssuedCode, 'verifier'> {
    page: Page;
    state: string;
  }

  /** Where the client sends its user. */
  async function visit(page: Page, extra: Record<string, string> = {}): Promise<Visit> {
    const [verifier, state] = [newVerifier(), newVerifier()];
    await page.goto(flows.authorizationUrl(client.id, verifier, { state, ...extra }).href);
    return { page, verifier, state };
  }

  const heading = (page: Page): Promise<string> => page.getByRole('heading', { level: 1 }).innerText();
  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });

  async function fillIn(page: Page, { email, password }: { email: string; password: string } = USER): Promise<void> {
    await page.getByLabel('Email address').fill(email);
    await page.getByLabel('Password').fill(password);
  }
  async function signIn(page: Page, user: { email: string; password: string } = USER): Promise<void> {
    await fillIn(page, user);
    await button(page, 'Sign in').click();
  }
  const allow = (page: Page): Promise<void> => button(page, 'Allow').click();
  const atClient = (page: Page): Promise<void> => page.waitForURL(`${callbacks.origin}/**`);

  /** For a page without scripts, in which no checker runs: of the same page in a tab where one can. */
  async function problemsOfCopy(page: Page): Promise<string[]> {
    const html = (await page.content()).replace(/<script[\s\S]*?<\/script>/g, '');
    const copy = await (await surfer()).tab();
    await copy.route(page.url(), (route) => route.fulfill({ contentType: 'text/html; charset=utf-8', body: html }));
    await copy.goto(page.url());
    return accessibilityProblems(copy);
  }

  /** The answer the client got belongs to this visit, and its code gives tokens. */
  async function redeemed({ verifier, state }: Visit): Promise<TokenAnswer> {
    const parameters = callbacks.received.findLast((call) => call.parameters.get('state') === state)?.parameters;
    expect(parameters?.get('iss')).to.equal(world.issuer);
    const answer = await flows.redeem(node.fetch, client, { code: parameters?.get('code') ?? '', verifier });
    tokenOf(answer, 'access_token');
    return answer;
  }
  const subjectOf = (answer: TokenAnswer): string =>
    JSON.parse(Buffer.from(tokenOf(answer, 'id_token').split('.')[1] ?? '', 'base64url').toString()).sub;

  for (const [how, options] of [
    ['with JavaScript', {}],
    ['without JavaScript', NO_SCRIPT],
    ['on a phone', PHONE],
  ] as const) {
    if (how !== 'with JavaScript' && !everything) continue;
    it(`sign-in, consent, silent return and sign-out work ${how}`, async () => {
      const ada = await surfer(options);
      const page = await ada.tab();
      const first = await visit(page);
      expect(await heading(page)).to.equal('Sign in');
      await signIn(page);
      await button(page, 'Allow').waitFor();
      expect(await heading(page)).to.equal('Allow this app to use your account?');
      expect(await page.locator('main').innerText())
        .to.include('The Reading Room')
        .and.include(USER.email);
      await allow(page);
      await atClient(page);
      const answer = await redeemed(first);

      const second = await visit(page);
      await atClient(page);
      expect(subjectOf(await redeemed(second))).to.equal(subjectOf(answer));

      await page.goto(
        `${world.issuer}/oauth2/logout?${new URLSearchParams({
          id_token_hint: tokenOf(answer, 'id_token'),
          post_logout_redirect_uri: `${callbacks.origin}/bye`,
          state: 'later',
        })}`,
      );
      expect(await heading(page)).to.equal('Sign out?');
      await button(page, 'Sign out').click();
      await page.waitForURL(`${callbacks.origin}/bye?state=later`);
      await visit(page);
      expect(await heading(page)).to.equal('Sign in');
      expect(ada.complaints()).to.deep.equal([]);
    });
  }

  it('two tabs can sign in at once', async () => {
    const ada = await surfer();
    const tabs = [await ada.tab(), await ada.tab()];
    const visits: Visit[] = [];
    for (const tab of tabs) visits.push(await visit(tab, { prompt: 'consent' }));
    for (const tab of tabs) await fillIn(tab);
    await Promise.all(tabs.map((tab) => button(tab, 'Sign in').click()));
    for (const [i, tab] of tabs.entries()) {
      await allow(tab);
      await atClient(tab);
      await redeemed(visits[i] as Visit);
    }
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('a tab that was left open still signs in after another one did', async () => {
    const ada = await surfer();
    const [early, late] = [await ada.tab(), await ada.tab()];
    const left = await visit(early);
    const done = await visit(late, { prompt: 'consent' });
    await signIn(late);
    await allow(late);
    await atClient(late);
    await redeemed(done);
    await signIn(early);
    await atClient(early);
    await redeemed(left);
    expect(ada.complaints()).to.deep.equal([]);
  });

  if (!everything) return;

  it('works with the keyboard alone', async () => {
    const ada = await surfer();
    const page = await ada.tab();
    const first = await visit(page);
    // The first field gets the focus by itself.
    await page.waitForFunction("document.activeElement.id === 'email'");
    await page.keyboard.type(USER.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(USER.password);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /Allow/ }).waitFor();
    for (let tabs = 0; tabs < 10; tabs += 1) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate('document.activeElement.textContent')) === 'Allow') break;
    }
    const outline =
      'getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth';
    expect(await page.evaluate(outline)).to.match(/^(solid|auto)[1-9]/);
    await page.keyboard.press('Enter');
    await atClient(page);
    await redeemed(first);
    expect(ada.complaints()).to.deep.equal([]);
  });

  for (const [how, options] of [
    ['with JavaScript', {}],
    ['without JavaScript', NO_SCRIPT],
  ] as const) {
    it(`a denial and a cancelled sign-in reach the client as access_denied ${how}`, async () => {
      const ada = await surfer(options);
      const page = await ada.tab();
      const cancelled = await visit(page, { prompt: 'consent' });
      await button(page, /^Cancel and return/).click();
      await atClient(page);
      const denied = await visit(page, { prompt: 'consent' });
      await signIn(page);
      await button(page, 'Deny').click();
      await atClient(page);
      for (const { state } of [cancelled, denied]) {
        const parameters = callbacks.received.findLast((call) => call.parameters.get('state') === state)?.parameters;
        expect(parameters?.get('error')).to.equal('access_denied');
        expect(parameters?.get('iss')).to.equal(world.issuer);
        expect(parameters?.get('code')).to.equal(null);
      }
      expect(ada.complaints()).to.deep.equal([]);
    });

    it(`response_mode=form_post brings the code to the client ${how}`, async () => {
      // The engine gives a form that carries an error the status 400.
      const ada = await surfer({ ...options, expectedStatuses: [400] });
      const page = await ada.tab();
      const first = await visit(page, { response_mode: 'form_post', prompt: 'consent' });
      await signIn(page);
      await allow(page);
      if (options === NO_SCRIPT) {
        expect(await problemsOfCopy(page)).to.deep.equal([]);
        await button(page, 'Continue').click();
      }
      await atClient(page);
      expect(callbacks.received.at(-1)?.method).to.equal('POST');
      await redeemed(first);

      const refused = await visit(page, { response_mode: 'form_post', prompt: 'consent' });
      await button(page, 'Deny').click();
      if (options === NO_SCRIPT) await button(page, 'Continue').click();
      await atClient(page);
      expect(callbacks.last().get('state')).to.equal(refused.state);
      expect(callbacks.last().get('error')).to.equal('access_denied');
      expect(ada.complaints()).to.deep.equal([]);
    });

    it(`prompt=login can change the account ${how}`, async () => {
      const shared = await surfer(options);
      const page = await shared.tab();
      const asAda = await visit(page);
      await signIn(page);
      await allow(page);
      await atClient(page);
      const ada = await redeemed(asAda);

      const asGrace = await visit(page, { prompt: 'login' });
      expect(await heading(page)).to.equal('Sign in');
      await signIn(page, GRACE);
      if (options === NO_SCRIPT) await button(page, 'Continue').click();
      await page.getByText(GRACE.email).waitFor();
      await allow(page);
      await atClient(page);
      const grace = await redeemed(asGrace);
      expect(subjectOf(grace)).not.to.equal(subjectOf(ada));

      // The browser is Grace's now.
      const silent = await visit(page, { prompt: 'none' });
      await atClient(page);
      expect(subjectOf(await redeemed(silent))).to.equal(subjectOf(grace));
      expect(shared.complaints()).to.deep.equal([]);
    });
  }

  it('a wrong password is explained, keeps the address, and the right one goes on', async () => {
    const ada = await surfer({ expectedStatuses: [422] });
    const page = await ada.tab();
    const first = await visit(page, { prompt: 'consent' });
    await signIn(page, { ...USER, password: 'not the right password' });
    expect(await page.getByRole('alert').innerText()).to.include('not right');
    expect(await page.getByLabel('Email address').inputValue()).to.equal(USER.email);
    expect(await page.getByLabel('Password').inputValue()).to.equal('');
    expect(await page.evaluate('document.activeElement.id')).to.equal('password');
    await page.getByLabel('Password').fill(USER.password);
    await button(page, 'Sign in').click();
    await allow(page);
    await atClient(page);
    await redeemed(first);
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('another account can be chosen on the consent page, and is asked as the client wishes', async () => {
    const { stores, clock } = await world.services();
    const grace = await stores.accounts.findByEmail(GRACE.email);
    await stores.consents.save({
      accountId: grace?.id ?? '',
      clientId: client.id,
      scopes: ['openid', 'offline_access'],
      claims: [],
      resources: { [JWT_API]: ['read'] },
      updatedAt: clock.nowMs(),
    });
    const shared = await surfer();
    const page = await shared.tab();
    const first = await visit(page, { prompt: 'consent' });
    await signIn(page);
    await button(page, /^Not you/).click();
    await page.getByLabel('Email address').waitFor();
    await signIn(page, GRACE);
    await page.getByText(GRACE.email).waitFor();
    await allow(page);
    await atClient(page);
    expect(subjectOf(await redeemed(first))).to.equal(grace?.id);
    expect(shared.complaints()).to.deep.equal([]);
  });

  it('the back button after the end leads to an explanation, and the session is unharmed', async () => {
    const ada = await surfer({ expectedStatuses: [400] });
    const page = await ada.tab();
    const first = await visit(page, { prompt: 'consent' });
    await signIn(page);
    await allow(page);
    await atClient(page);
    await page.goBack();
    expect(await heading(page)).to.equal('This sign-in has expired or was already finished');
    expect(await accessibilityProblems(page)).to.deep.equal([]);
    await page.goBack();
    expect(await heading(page)).to.equal('This sign-in has expired or was already finished');
    await redeemed(first);
    const second = await visit(page);
    await atClient(page);
    await redeemed(second);
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('every page can be loaded again', async () => {
    const ada = await surfer({ expectedStatuses: [422] });
    const page = await ada.tab();
    const first = await visit(page, { prompt: 'consent' });
    await page.reload();
    await signIn(page, { ...USER, password: 'not the right password' });
    await page.getByRole('alert').waitFor();
    // A reload of what a form led to sends the form again.
    await page.reload();
    await page.getByRole('alert').waitFor();
    // As the address bar does it.
    await page.goto(page.url());
    expect(await heading(page)).to.equal('Sign in');
    await signIn(page);
    await button(page, 'Allow').waitFor();
    await page.reload();
    await allow(page);
    await atClient(page);
    const answer = await redeemed(first);
    await page.reload();

    await page.goto(`${world.issuer}/oauth2/logout?id_token_hint=${tokenOf(answer, 'id_token')}`);
    await page.reload();
    await button(page, 'Sign out').click();
    expect(await heading(page)).to.equal('You are signed out');
    await page.reload();
    expect(await heading(page)).to.equal('You are signed out');
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('staying signed in is a choice', async () => {
    const ada = await surfer();
    const page = await ada.tab();
    await visit(page, { prompt: 'consent' });
    await signIn(page);
    await allow(page);
    await atClient(page);
    await page.goto(`${world.issuer}/oauth2/logout`);
    await button(page, 'Stay signed in').click();
    await page.waitForLoadState();
    const second = await visit(page, { prompt: 'none' });
    await atClient(page);
    await redeemed(second);
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('every page is accessible, in the dark too, and fits a phone', async () => {
    const ada = await surfer({ expectedStatuses: [400, 404, 422] });
    const page = await ada.tab();
    const problems: string[] = [];
    async function inspect(name: string): Promise<void> {
      const look = async (how: string, rules?: string[]): Promise<void> => {
        for (const problem of await accessibilityProblems(page, rules)) problems.push(`${name}, ${how}: ${problem}`);
      };
      await look('in light');
      // What neither colours nor width can change need not be looked at again.
      await page.emulateMedia({ colorScheme: 'dark' });
      await look('in the dark', ['color-contrast', 'link-in-text-block']);
      await page.setViewportSize({ width: 360, height: 640 });
      await look('on a phone', ['color-contrast', 'target-size']);
      const [content, window] = await page.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      if (content > window) problems.push(`${name}: ${content} px wide in a window of ${window}`);
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize({ width: 1280, height: 720 });
    }
    await page.goto(`${world.issuer}/`);
    await inspect('home');
    await page.goto(`${world.issuer}/nothing-here`);
    await inspect('not found');
    await page.goto(flows.authorizationUrl('no-such-client', 'x'.repeat(43)).href);
    await inspect('unknown client');
    await visit(page, { prompt: 'consent', scope: 'openid profile email offline_access read write' });
    await inspect('sign-in');
    await signIn(page, { ...USER, password: 'not the right password' });
    await page.getByRole('alert').waitFor();
    await inspect('sign-in after an error');
    await signIn(page);
    await button(page, 'Allow').waitFor();
    await inspect('consent');
    await allow(page);
    await atClient(page);
    await visit(page, { prompt: 'login' });
    await inspect('sign-in again');
    await page.goto(`${world.issuer}/oauth2/logout`);
    await inspect('sign-out');
    await button(page, 'Sign out').click();
    expect(await heading(page)).to.equal('You are signed out');
    await inspect('signed out');
    await page.goto(`${world.issuer}/interaction/${'x'.repeat(43)}`);
    await inspect('expired sign-in');
    expect(problems).to.deep.equal([]);
    expect(ada.complaints()).to.deep.equal([]);
  });
});
