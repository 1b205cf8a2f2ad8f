import { expect } from 'chai';
import { tokenOf, USER } from '../support/client-flows.ts';
import { accessibilityProblems } from '../support/e2e-browser.ts';
import {
  allow,
  button,
  fillIn,
  GRACE,
  heading,
  NO_SCRIPT,
  openStage,
  PHONE,
  type Stage,
  signIn,
  subjectOf,
  type Visit,
} from '../support/e2e-pages.ts';
import { JWT_API } from '../support/e2e-parties.ts';
import { describeOn, TWO_SETUPS } from '../support/e2e-world.ts';

describeOn(TWO_SETUPS, 'the pages in Chromium', (setup) => {
  // What the store cannot change is tried on one set-up.
  const everything = setup === 'SQLite';
  let stage: Stage;

  before(async function () {
    stage = await openStage(setup, this);
  });
  beforeEach(() => stage.forgetConsents());
  afterEach(() => stage.closeSurfers());
  after(() => stage?.close());

  for (const [how, options] of [
    ['with JavaScript', {}],
    ['without JavaScript', NO_SCRIPT],
    ['on a phone', PHONE],
  ] as const) {
    if (how !== 'with JavaScript' && !everything) continue;
    it(`sign-in, consent, silent return and sign-out work ${how}`, async () => {
      const ada = await stage.surfer(options);
      const page = await ada.tab();
      const first = await stage.visit(page);
      expect(await heading(page)).to.equal('Sign in');
      await signIn(page);
      await button(page, 'Allow').waitFor();
      expect(await heading(page)).to.equal('Allow this app to use your account?');
      expect(await page.locator('main').innerText())
        .to.include('The Reading Room')
        .and.include(USER.email);
      await allow(page);
      await stage.atClient(page);
      const answer = await stage.redeemed(first);

      const second = await stage.visit(page);
      await stage.atClient(page);
      expect(subjectOf(await stage.redeemed(second))).to.equal(subjectOf(answer));

      await page.goto(
        `${stage.world.issuer}/oauth2/logout?${new URLSearchParams({
          id_token_hint: tokenOf(answer, 'id_token'),
          post_logout_redirect_uri: `${stage.callbacks.origin}/bye`,
          state: 'later',
        })}`,
      );
      expect(await heading(page)).to.equal('Sign out?');
      await button(page, 'Sign out').click();
      await page.waitForURL(`${stage.callbacks.origin}/bye?state=later`);
      await stage.visit(page);
      expect(await heading(page)).to.equal('Sign in');
      expect(ada.complaints()).to.deep.equal([]);
    });
  }

  it('two tabs can sign in at once', async () => {
    const ada = await stage.surfer();
    const tabs = [await ada.tab(), await ada.tab()];
    const visits: Visit[] = [];
    for (const tab of tabs) visits.push(await stage.visit(tab, { prompt: 'consent' }));
    for (const tab of tabs) await fillIn(tab);
    await Promise.all(tabs.map((tab) => button(tab, 'Sign in').click()));
    for (const [i, tab] of tabs.entries()) {
      await allow(tab);
      await stage.atClient(tab);
      await stage.redeemed(visits[i] as Visit);
    }
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('a tab that was left open still signs in after another one did', async () => {
    const ada = await stage.surfer();
    const [early, late] = [await ada.tab(), await ada.tab()];
    const left = await stage.visit(early);
    const done = await stage.visit(late, { prompt: 'consent' });
    await signIn(late);
    await allow(late);
    await stage.atClient(late);
    await stage.redeemed(done);
    await signIn(early);
    await stage.atClient(early);
    await stage.redeemed(left);
    expect(ada.complaints()).to.deep.equal([]);
  });

  if (!everything) return;

  it('works with the keyboard alone', async () => {
    const ada = await stage.surfer();
    const page = await ada.tab();
    const first = await stage.visit(page);
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
    await stage.atClient(page);
    await stage.redeemed(first);
    expect(ada.complaints()).to.deep.equal([]);
  });

  for (const [how, options] of [
    ['with JavaScript', {}],
    ['without JavaScript', NO_SCRIPT],
  ] as const) {
    it(`a denial and a cancelled sign-in reach the client as access_denied ${how}`, async () => {
      const ada = await stage.surfer(options);
      const page = await ada.tab();
      const cancelled = await stage.visit(page, { prompt: 'consent' });
      await button(page, /^Cancel and return/).click();
      await stage.atClient(page);
      const denied = await stage.visit(page, { prompt: 'consent' });
      await signIn(page);
      await button(page, 'Deny').click();
      await stage.atClient(page);
      for (const { state } of [cancelled, denied]) {
        const parameters = stage.callbacks.received.findLast(
          (call) => call.parameters.get('state') === state,
        )?.parameters;
        expect(parameters?.get('error')).to.equal('access_denied');
        expect(parameters?.get('iss')).to.equal(stage.world.issuer);
        expect(parameters?.get('code')).to.equal(null);
      }
      expect(ada.complaints()).to.deep.equal([]);
    });

    it(`response_mode=form_post brings the code to the client ${how}`, async () => {
      // The engine gives a form that carries an error the status 400.
      const ada = await stage.surfer({ ...options, expectedStatuses: [400] });
      const page = await ada.tab();
      const first = await stage.visit(page, { response_mode: 'form_post', prompt: 'consent' });
      await signIn(page);
      await allow(page);
      if (options === NO_SCRIPT) {
        expect(await stage.problemsOfCopy(page)).to.deep.equal([]);
        await button(page, 'Continue').click();
      }
      await stage.atClient(page);
      expect(stage.callbacks.received.at(-1)?.method).to.equal('POST');
      await stage.redeemed(first);

      const refused = await stage.visit(page, { response_mode: 'form_post', prompt: 'consent' });
      await button(page, 'Deny').click();
      if (options === NO_SCRIPT) await button(page, 'Continue').click();
      await stage.atClient(page);
      expect(stage.callbacks.last().get('state')).to.equal(refused.state);
      expect(stage.callbacks.last().get('error')).to.equal('access_denied');
      expect(ada.complaints()).to.deep.equal([]);
    });

    it(`prompt=login can change the account ${how}`, async () => {
      const shared = await stage.surfer(options);
      const page = await shared.tab();
      const asAda = await stage.visit(page);
      await signIn(page);
      await allow(page);
      await stage.atClient(page);
      const ada = await stage.redeemed(asAda);

      const asGrace = await stage.visit(page, { prompt: 'login' });
      expect(await heading(page)).to.equal('Sign in');
      await signIn(page, GRACE);
      if (options === NO_SCRIPT) await button(page, 'Continue').click();
      await page.getByText(GRACE.email).waitFor();
      await allow(page);
      await stage.atClient(page);
      const grace = await stage.redeemed(asGrace);
      expect(subjectOf(grace)).not.to.equal(subjectOf(ada));

      // The browser is Grace's now.
      const silent = await stage.visit(page, { prompt: 'none' });
      await stage.atClient(page);
      expect(subjectOf(await stage.redeemed(silent))).to.equal(subjectOf(grace));
      expect(shared.complaints()).to.deep.equal([]);
    });
  }

  it('a wrong password is explained, keeps the address, and the right one goes on', async () => {
    const ada = await stage.surfer({ expectedStatuses: [422] });
    const page = await ada.tab();
    const first = await stage.visit(page, { prompt: 'consent' });
    await signIn(page, { ...USER, password: 'not the right password' });
    expect(await page.getByRole('alert').innerText()).to.include('not right');
    expect(await page.getByLabel('Email address').inputValue()).to.equal(USER.email);
    expect(await page.getByLabel('Password').inputValue()).to.equal('');
    expect(await page.evaluate('document.activeElement.id')).to.equal('password');
    await page.getByLabel('Password').fill(USER.password);
    await button(page, 'Sign in').click();
    await allow(page);
    await stage.atClient(page);
    await stage.redeemed(first);
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('another account can be chosen on the consent page, and is asked as the client wishes', async () => {
    const { stores, clock } = await stage.world.services();
    const grace = await stores.accounts.findByEmail(GRACE.email);
    await stores.consents.save({
      accountId: grace?.id ?? '',
      clientId: stage.client.id,
      scopes: ['openid', 'offline_access'],
      claims: [],
      resources: { [JWT_API]: ['read'] },
      updatedAt: clock.nowMs(),
    });
    const shared = await stage.surfer();
    const page = await shared.tab();
    const first = await stage.visit(page, { prompt: 'consent' });
    await signIn(page);
    await button(page, /^Not you/).click();
    await page.getByLabel('Email address').waitFor();
    await signIn(page, GRACE);
    await page.getByText(GRACE.email).waitFor();
    await allow(page);
    await stage.atClient(page);
    expect(subjectOf(await stage.redeemed(first))).to.equal(grace?.id);
    expect(shared.complaints()).to.deep.equal([]);
  });

  it('the back button after the end leads to an explanation, and the session is unharmed', async () => {
    const ada = await stage.surfer({ expectedStatuses: [400] });
    const page = await ada.tab();
    const first = await stage.visit(page, { prompt: 'consent' });
    await signIn(page);
    await allow(page);
    await stage.atClient(page);
    await page.goBack();
    expect(await heading(page)).to.equal('This sign-in has expired or was already finished');
    expect(await accessibilityProblems(page)).to.deep.equal([]);
    await page.goBack();
    expect(await heading(page)).to.equal('This sign-in has expired or was already finished');
    await stage.redeemed(first);
    const second = await stage.visit(page);
    await stage.atClient(page);
    await stage.redeemed(second);
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('every page can be loaded again', async () => {
    const ada = await stage.surfer({ expectedStatuses: [422] });
    const page = await ada.tab();
    const first = await stage.visit(page, { prompt: 'consent' });
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
    await stage.atClient(page);
    const answer = await stage.redeemed(first);
    await page.reload();

    await page.goto(`${stage.world.issuer}/oauth2/logout?id_token_hint=${tokenOf(answer, 'id_token')}`);
    await page.reload();
    await button(page, 'Sign out').click();
    expect(await heading(page)).to.equal('You are signed out');
    await page.reload();
    expect(await heading(page)).to.equal('You are signed out');
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('staying signed in is a choice', async () => {
    const ada = await stage.surfer();
    const page = await ada.tab();
    await stage.visit(page, { prompt: 'consent' });
    await signIn(page);
    await allow(page);
    await stage.atClient(page);
    await page.goto(`${stage.world.issuer}/oauth2/logout`);
    await button(page, 'Stay signed in').click();
    await page.waitForLoadState();
    const second = await stage.visit(page, { prompt: 'none' });
    await stage.atClient(page);
    await stage.redeemed(second);
    expect(ada.complaints()).to.deep.equal([]);
  });

  it('every page is accessible, in the dark too, and fits a phone', async () => {
    const ada = await stage.surfer({ expectedStatuses: [400, 404, 422] });
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
    await page.goto(`${stage.world.issuer}/`);
    await inspect('home');
    await page.goto(`${stage.world.issuer}/nothing-here`);
    await inspect('not found');
    await page.goto(stage.flows.authorizationUrl('no-such-client', 'x'.repeat(43)).href);
    await inspect('unknown client');
    await stage.visit(page, { prompt: 'consent', scope: 'openid profile email offline_access read write' });
    await inspect('sign-in');
    await signIn(page, { ...USER, password: 'not the right password' });
    await page.getByRole('alert').waitFor();
    await inspect('sign-in after an error');
    await signIn(page);
    await button(page, 'Allow').waitFor();
    await inspect('consent');
    await allow(page);
    await stage.atClient(page);
    await stage.visit(page, { prompt: 'login' });
    await inspect('sign-in again');
    await page.goto(`${stage.world.issuer}/oauth2/logout`);
    await inspect('sign-out');
    await button(page, 'Sign out').click();
    expect(await heading(page)).to.equal('You are signed out');
    await inspect('signed out');
    await page.goto(`${stage.world.issuer}/interaction/${'x'.repeat(43)}`);
    await inspect('expired sign-in');
    expect(problems).to.deep.equal([]);
    expect(ada.complaints()).to.deep.equal([]);
  });
});
