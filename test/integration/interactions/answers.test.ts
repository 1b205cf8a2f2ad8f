import { expect } from 'chai';
import { Browser, type Form } from '../../support/browser.ts';
import { authorization, createAccount, createClient, redeem, type TestClient } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const CROWD = 50;

/** A form of ours that is sent many times at once, as a double click or a browser that tries again does. */
describe('a page that is answered more than once', () => {
  let harness: Harness;
  let who: { account: { id: string }; email: string; password: string };
  let web: TestClient;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_PASSWORD_QUEUE: '200' } });
  });
  beforeEach(async () => {
    who = await createAccount(harness);
    web = await createClient(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function atSignIn(): Promise<{ browser: Browser; request: ReturnType<typeof authorization> }> {
    const browser = new Browser(harness);
    const request = authorization(harness, web, { scope: 'openid read', prompt: 'consent' });
    await browser.open(request.url);
    return { browser, request };
  }
  async function atConsent() {
    const at = await atSignIn();
    await at.browser.signIn(who);
    return at;
  }

  function formOf(browser: Browser, action: string): Form {
    const form = browser.page.forms.find((candidate) => candidate.action.endsWith(action));
    if (!form) throw new Error(`no form ${action}`);
    return form;
  }
  /** Sends a form of the page and follows nothing. */
  function send(browser: Browser, action: string, fields: Record<string, string> = {}): Promise<Reply> {
    const form = formOf(browser, action);
    const url = harness.url(new URL(form.action, harness.issuer).pathname);
    const cookie = browser.jar.header(new URL(url));
    return harness.post(url, { ...form.fields, ...fields }, { accept: 'text/html', cookie });
  }
  const crowd = <T>(ask: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: CROWD }, (_, index) => ask(index)));

  /** Each goes on where it was sent; the codes that came of it. */
  async function codesOf(browser: Browser, replies: readonly Reply[]): Promise<string[]> {
    const pages = await Promise.all(
      replies.flatMap(({ headers }) =>
        headers.location ? [new Browser(harness, browser.jar.clone()).open(headers.location)] : [],
      ),
    );
    for (const page of pages) expect(page.reply.status).to.be.lessThan(500);
    return pages.flatMap((page) => page.answer.get('code') ?? []);
  }

  it('gives one code when the consent is sent 50 times at once', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { browser, request } = await atConsent();
      const replies = await crowd(() => send(browser, '/consent'));
      expect(new Set(replies.map(({ status }) => status))).to.deep.equal(new Set([303]));
      const codes = await codesOf(browser, replies);
      expect(codes).to.have.lengthOf(1);
      const tokens = await redeem(harness, web, { request, code: codes[0] ?? '', page: browser.page, browser });
      expect(tokens.status).to.equal(200);
      expect(await codesOf(browser, await crowd(() => send(browser, '/consent'))), 'and none later').to.deep.equal([]);
    }
  });

  it('gives one code when each answer is followed as soon as it is there', async () => {
    const ROUNDS = 3;
    for (let round = 0; round < ROUNDS; round += 1) {
      const { browser } = await atConsent();
      const codes = await crowd(async () => codesOf(browser, [await send(browser, '/consent')]));
      expect(codes.flat()).to.have.lengthOf(1);
    }
    const granted = await harness.services.stores.audit.list({
      type: 'consent.granted',
      accountId: who.account.id,
      limit: 50,
    });
    expect(
      granted.filter(({ clientId }) => clientId === web.id),
      'the trail has each consent once',
    ).to.have.lengthOf(ROUNDS);
  });

  it('gives one code when the address that resumes the authorization is opened 50 times at once', async () => {
    const { browser } = await atConsent();
    const { headers } = await send(browser, '/consent');
    const pages = await crowd(() => new Browser(harness, browser.jar.clone()).open(headers.location ?? ''));
    expect(pages.flatMap((page) => page.answer.get('code') ?? [])).to.have.lengthOf(1);
    const others = pages.filter((page) => !page.callback);
    expect(others).to.have.lengthOf(CROWD - 1);
    for (const page of others) {
      expect([page.reply.status, page.heading]).to.deep.equal([
        400,
        'This sign-in has expired or was already finished',
      ]);
      expect(page.text).to.contain('Go back to the application you came from');
    }
  });

  it('counts one of an answer and its opposite, and tells the other', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { browser } = await atConsent();
      const [allowed, denied] = await Promise.all([send(browser, '/consent'), send(browser, '/cancel')]);
      expect([allowed.status, denied.status].sort()).to.deep.equal([303, 409]);
      const refused = allowed.status === 409 ? allowed : denied;
      expect(refused.text).to.contain('This page was already answered');
      const page = await browser.open((allowed.status === 303 ? allowed : denied).headers.location ?? '');
      expect(page.answer.has('code')).to.equal(allowed.status === 303);
      if (denied.status === 303) {
        const remembered = await harness.services.stores.consents.find(who.account.id, web.id);
        expect(remembered, 'a denied consent is not remembered').to.equal(null);
      }
      await harness.services.stores.consents.remove(who.account.id, web.id);
    }
  });

  it('signs in once when the sign-in is sent ten times at once', async () => {
    const { browser } = await atSignIn();
    const fields = { email: who.email, password: who.password };
    const replies = await Promise.all(Array.from({ length: 10 }, () => send(browser, '/sign-in', fields)));
    // So many at once look like guessing: some may have to wait.
    for (const { status } of replies) expect(status).to.be.oneOf([303, 429]);
    const pages = await Promise.all(
      replies.flatMap(({ headers }) =>
        headers.location ? [new Browser(harness, browser.jar.clone()).open(headers.location)] : [],
      ),
    );
    const asked = pages.filter((page) => page.forms.some(({ action }) => action.endsWith('/consent')));
    expect(asked).to.have.lengthOf(1);
    for (const { reply } of pages) expect(reply.status).to.be.oneOf([200, 400]);
  });

  it('signs in the one who was first when two sign in at one page', async () => {
    const { browser } = await atSignIn();
    const other = await createAccount(harness);
    await send(browser, '/sign-in', { email: who.email, password: who.password });
    const late = await send(browser, '/sign-in', { email: other.email, password: other.password });
    expect([late.status, /already answered/.test(late.text)]).to.deep.equal([409, true]);
  });

  it('goes on when it is opened again after an answer that the browser did not follow', async () => {
    const { browser } = await atConsent();
    const { url } = browser.page;
    await send(browser, '/consent');
    expect((await browser.open(url)).answer.get('code')).to.match(/^gac_/);
  });
});
