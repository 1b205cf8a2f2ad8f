import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  authorize,
  claimsOf,
  createAccount,
  createClient,
  createResource,
  DEMO,
  introspect,
  redeem,
  refresh,
  type TestClient,
} from '../../support/builders.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

const ASK = 'Allow this app to use your account?';

describe('consent', () => {
  let harness: Harness;
  let who: { account: { id: string }; email: string; password: string };
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
  });
  beforeEach(async () => {
    who = await createAccount(harness, { givenName: 'Grace', familyName: 'Hopper' });
    web = await createClient(harness, { redirectUris: ['https://notes.example/cb'], name: 'Notes' });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const request = (client: { id: string }, changes: Fields = {}) =>
    authorization(harness, client, { redirect_uri: 'https://notes.example/cb', scope: 'openid read', ...changes });

  /** Signs in with a new browser, up to whatever comes next. */
  async function signedIn(changes: Fields = {}, client: { id: string } = web): Promise<Browser> {
    const browser = new Browser(harness);
    await browser.open(request(client, changes).url);
    await browser.signIn(who);
    return browser;
  }

  it('tells who asks, where the answer goes, for what and for how long', async () => {
    const { page } = await signedIn({ scope: 'openid profile email read write offline_access' });
    expect(page.heading).to.equal(ASK);
    for (const words of [
      'Notes',
      web.id,
      'notes.example',
      'Grace Hopper',
      who.email,
      'Know who you are',
      'See your name',
      'See your email address',
      'Demo API',
      API,
      'Read your data',
      'Create and change your data',
      '90 days',
      'also after you sign out',
    ])
      expect(page.text).to.contain(words);
    const online = await signedIn({ scope: 'openid' });
    expect(online.page.text).to.contain('until you sign out');
  });

  it('warns when the answer goes to a program on this device, and only then', async () => {
    const warning = 'This app says it runs on this device.';
    expect((await signedIn()).page.text).to.not.contain(warning);
    const local = await signedIn({ redirect_uri: 'http://127.0.0.1:8080/callback' }, DEMO.web);
    expect(local.page.text).to.contain(warning);
    const native = await signedIn({ redirect_uri: 'http://127.0.0.1:3456/callback' }, DEMO.native);
    expect(native.page.text).to.contain(warning);
  });

  it('shows only what can be granted, and grants only that', async () => {
    const browser = await signedIn({ scope: 'openid read admin nonsense' });
    expect(browser.page.text).to.contain('Read your data');
    expect(browser.page.text).to.not.contain('Manage everything');
    expect(browser.page.text).to.not.contain('nonsense');
  });

  it('shows what a client calls itself as text, whatever it calls itself', async () => {
    const evil = await createClient(harness, {
      name: '<img src=x onerror=alert(1)>"\'><script>alert(1)</script>',
      redirectUris: ['https://notes.example/cb'],
    });
    const browser = await signedIn({}, evil);
    expect(browser.page.heading).to.equal(ASK);
    for (const page of browser.seen) {
      expect(page.reply.text).to.not.contain('<img src=x');
      expect(page.reply.text).to.not.contain('<script');
      expect(page.text).to.contain('<script>alert(1)</script>');
    }
  });

  it('that is denied gives the client no code, only the reason, and is asked again next time', async () => {
    const browser = await signedIn({ state: 'my state' });
    const page = await browser.deny();
    expect(page.callback?.origin).to.equal('https://notes.example');
    expect(Object.fromEntries(page.answer)).to.include({
      error: 'access_denied',
      state: 'my state',
      iss: harness.issuer,
    });
    expect(page.answer.has('code')).to.equal(false);
    expect((await browser.open(request(web).url)).heading).to.equal(ASK);
    const [event] = await harness.services.stores.audit.list({ type: 'consent.denied', limit: 1 });
    expect(event).to.include({ accountId: who.account.id, clientId: web.id });
  });

  it('can also be refused before signing in', async () => {
    const browser = new Browser(harness);
    await browser.open(request(web).url);
    const page = await browser.submit('Cancel');
    expect(page.answer.get('error')).to.equal('access_denied');
  });

  it('is remembered across sessions and browsers', async () => {
    const browser = await signedIn();
    await browser.allow();
    expect((await browser.open(request(web).url)).callback).to.not.equal(null);
    const elsewhere = await signedIn();
    expect(elsewhere.page.callback).to.not.equal(null);
    const less = await signedIn({ scope: 'openid' });
    expect(less.page.callback).to.not.equal(null);
  });

  it('is remembered for one client and one person only', async () => {
    await (await signedIn()).allow();
    const other = await createClient(harness, { redirectUris: ['https://notes.example/cb'] });
    expect((await signedIn({}, other)).page.heading).to.equal(ASK);
    who = await createAccount(harness);
    expect((await signedIn()).page.heading).to.equal(ASK);
  });

  it('is asked again when more is wanted, marks what is new, and loses nothing granted before', async () => {
    await (await signedIn({ scope: 'openid read' })).allow();
    const more = request(web, { scope: 'openid read write profile offline_access' });
    const browser = new Browser(harness);
    await browser.open(more.url);
    const asked = await browser.signIn(who);
    expect(asked.heading).to.equal(ASK);
    const line = (words: string): string =>
      new RegExp(`<li>(?:(?!</li>)[\\s\\S])*${words}[\\s\\S]*?</li>`).exec(asked.reply.text)?.[0] ?? '';
    for (const words of ['Create and change your data', 'See your name']) expect(line(words)).to.contain('New');
    for (const words of ['Read your data', 'Know who you are']) expect(line(words)).to.not.contain('New');
    const page = await browser.allow();
    const tokens = (
      await redeem(harness, web, { request: more, page, code: page.answer.get('code') ?? '', browser })
    ).json();
    expect(tokens.scope).to.equal('read write');
    const again = await signedIn({ scope: 'openid read write profile offline_access' });
    expect(again.page.callback).to.not.equal(null);
  });

  it('that grows step by step keeps the earlier steps', async () => {
    const first = await authorize(harness, web, {
      who,
      redirect_uri: 'https://notes.example/cb',
      scope: 'openid read offline_access',
    });
    const before = (await redeem(harness, web, first)).json();
    const { browser } = first;
    await browser.open(request(web, { scope: 'openid write' }).url);
    await browser.allow();
    expect((await browser.open(request(web, { scope: 'openid read write' }).url)).callback).to.not.equal(null);
    // The tokens of the first step go on as they were.
    const refreshed = (await refresh(harness, web, before.refresh_token)).json();
    expect(refreshed.scope).to.equal('read');
    expect(claimsOf(refreshed.access_token).scope).to.equal('read');
  });

  it('for another resource server is asked apart', async () => {
    const opaque = await createResource(harness);
    const two = await createClient(harness, {
      resources: [API, opaque.identifier],
      redirectUris: ['https://notes.example/cb'],
    });
    await (await signedIn({ resource: API }, two)).allow();
    const browser = await signedIn({ resource: opaque.identifier }, two);
    expect(browser.page.heading).to.equal(ASK);
    expect(browser.page.text).to.contain(opaque.identifier);
  });

  it('for single claims is asked for by name', async () => {
    const claims = JSON.stringify({ userinfo: { email: null, given_name: { essential: true } } });
    const browser = await signedIn({ scope: 'openid', claims });
    expect(browser.page.text).to.contain('Your email address');
    expect(browser.page.text).to.contain('Your given name');
    await browser.allow();
    expect((await signedIn({ scope: 'openid', claims })).page.callback).to.not.equal(null);
    const more = JSON.stringify({ userinfo: { family_name: null } });
    expect((await signedIn({ scope: 'openid', claims: more })).page.heading).to.equal(ASK);
  });

  it('is always asked for by a native client, whose identity proves nothing', async () => {
    const changes = { redirect_uri: 'http://127.0.0.1:3456/callback' };
    const browser = await signedIn(changes, DEMO.native);
    expect(browser.page.heading).to.equal(ASK);
    await browser.allow();
    expect((await browser.open(request(DEMO.native, changes).url)).heading).to.equal(ASK);
    const silent = await browser.open(request(DEMO.native, { ...changes, prompt: 'none' }).url);
    expect(silent.answer.get('error')).to.be.oneOf(['consent_required', 'interaction_required']);
  });

  it('is asked again when the client wants it to be', async () => {
    await (await signedIn()).allow();
    const browser = await signedIn({ prompt: 'consent' });
    expect(browser.page.heading).to.equal(ASK);
  });

  it('is written to the audit trail', async () => {
    await (await signedIn({ scope: 'openid read' })).allow();
    const [event] = await harness.services.stores.audit.list({ type: 'consent.granted', clientId: web.id, limit: 1 });
    expect(event).to.deep.include({ accountId: who.account.id, details: { scope: 'openid read' } });
  });

  it('can be given as somebody else, who signs in first', async () => {
    const other = await createAccount(harness, { givenName: 'Alan' });
    const browser = await signedIn({ state: 'kept' });
    await browser.submit('/switch-account');
    expect(browser.page.heading).to.equal('Sign in');
    await browser.signIn(other);
    while (browser.page.forms.some((form) => form.buttons.some(({ text }) => text === 'Continue')))
      await browser.submit('Continue');
    expect(browser.page.heading).to.equal(ASK);
    expect(browser.page.text).to.contain(other.email);
    const page = await browser.allow();
    expect(page.answer.get('state')).to.equal('kept');
    const [event] = await harness.services.stores.audit.list({ type: 'consent.granted', clientId: web.id, limit: 1 });
    expect(event?.accountId).to.equal(other.account.id);
  });

  it('of a client that is removed meanwhile comes to nothing', async () => {
    const browser = await signedIn();
    await harness.services.manageClients.remove(web.id);
    const page = await browser.allow();
    expect([page.reply.status, page.callback]).to.deep.equal([400, null]);
  });

  it('goes with the client that is removed: a new one of the same name asks again', async () => {
    await (await signedIn()).allow();
    await harness.services.manageClients.remove(web.id);
    const again = await createClient(harness, { id: web.id, redirectUris: ['https://notes.example/cb'] });
    expect((await signedIn({}, again)).page.heading).to.equal(ASK);
  });

  it('without any scope of the client is not asked for', async () => {
    const browser = await signedIn({ scope: 'openid' });
    await browser.allow();
    const code = browser.page.answer.get('code') ?? '';
    expect(code).to.match(/^gac_/);
    expect((await introspect(harness, web, code)).json()).to.deep.equal({ active: false });
  });
});
