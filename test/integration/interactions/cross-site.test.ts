import { expect } from 'chai';
import { ADA, Browser, CookieJar } from '../../support/browser.ts';
import { authorization, createClient, DEMO, type TestClient } from '../../support/builders.ts';
import { type Fields, type Harness, type Reply, startHarness } from '../../support/harness.ts';

/** The forms of the sign-in and consent pages, sent by somebody else's page or browser. */
describe('the forms of our pages', () => {
  let harness: Harness;
  let web: TestClient;
  before(async () => {
    harness = await startHarness();
    web = await createClient(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function atSignIn(): Promise<Browser> {
    const browser = new Browser(harness);
    await browser.open(authorization(harness, web).url);
    return browser;
  }
  async function atConsent(): Promise<Browser> {
    const browser = new Browser(harness);
    await browser.open(authorization(harness, web, { prompt: 'consent' }).url);
    await browser.signIn();
    expect(browser.page.heading).to.equal('Allow this app to use your account?');
    return browser;
  }
  const uidOf = (browser: Browser): string =>
    /\/interaction\/([^/]+)/.exec(browser.page.forms.at(-1)?.action ?? '')?.[1] ?? '';
  const csrfOf = (browser: Browser): string => browser.page.forms[0]?.fields.csrf ?? '';

  function post(jar: CookieJar, path: string, fields: Fields, headers: Record<string, string> = {}): Promise<Reply> {
    const cookie = jar.header(new URL(harness.url(path)));
    return harness.post(path, fields, { accept: 'text/html', ...(cookie === '' ? {} : { cookie }), ...headers });
  }
  function expectPage(reply: Reply, status: number): void {
    expect([reply.status, reply.headers.location]).to.deep.equal([status, undefined]);
    expect(reply.headers['content-type']).to.contain('text/html');
  }

  const steps: [string, () => Promise<Browser>, Fields][] = [
    ['sign-in', atSignIn, ADA],
    ['consent', atConsent, {}],
    ['cancel', atSignIn, {}],
    ['cancel', atConsent, {}],
    ['switch-account', atConsent, {}],
  ];

  it('take no consent where a person who is signed in has to sign in again', async () => {
    const browser = await atConsent();
    await browser.open(authorization(harness, web, { prompt: 'login consent' }).url);
    expect(browser.page.heading).to.equal('Sign in');
    const path = `/interaction/${uidOf(browser)}`;
    expectPage(await post(browser.jar, `${path}/consent`, { csrf: csrfOf(browser) }), 400);
    expect((await browser.open(path)).heading).to.equal('Sign in');
  });

  it('are shown for the interaction of the cookie and no other', async () => {
    const [one, another] = [await atSignIn(), await atSignIn()];
    const [own, foreign] = [`/interaction/${uidOf(one)}`, `/interaction/${uidOf(another)}`];
    const cookie = one.jar.header(new URL(harness.url(own)));
    expect((await harness.get(own, { cookie })).status).to.equal(200);
    expectPage(await harness.get(foreign, { cookie, accept: 'text/html' }), 400);
  });

  for (const [action, arrive, fields] of steps) {
    it(`${action} (${arrive === atSignIn ? 'before' : 'after'} signing in): need their token`, async () => {
      const browser = await arrive();
      const path = `/interaction/${uidOf(browser)}/${action}`;
      const other = await arrive();
      for (const csrf of [
        undefined,
        '',
        'x',
        csrfOf(other),
        `${csrfOf(browser)}x`,
        csrfOf(browser).toLowerCase(),
        csrfOf(browser).slice(1),
      ])
        expectPage(await post(browser.jar, path, { ...fields, csrf }), 403);
      const repeated = [csrfOf(browser), csrfOf(browser)];
      expect((await post(browser.jar, path, { ...fields, csrf: repeated })).status).to.equal(400);
      // None of that used the step up.
      expect((await post(browser.jar, path, { ...fields, csrf: csrfOf(browser) })).status).to.equal(303);
    });

    it(`${action} (${arrive === atSignIn ? 'before' : 'after'} signing in): are refused from another site`, async () => {
      const browser = await arrive();
      const path = `/interaction/${uidOf(browser)}/${action}`;
      const right = { ...fields, csrf: csrfOf(browser) };
      for (const headers of [
        { origin: 'https://evil.example' },
        { origin: harness.issuer.replace('http:', 'https:') },
        { origin: `${harness.issuer}.evil.example` },
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'null', 'sec-fetch-site': 'cross-site' },
        { origin: harness.issuer, 'sec-fetch-site': 'cross-site' },
      ])
        expectPage(await post(browser.jar, path, right, headers as Record<string, string>), 403);
      const own = { origin: harness.issuer, 'sec-fetch-site': 'same-origin' };
      expect((await post(browser.jar, path, right, own)).status).to.equal(303);
    });

    it(`${action} (${arrive === atSignIn ? 'before' : 'after'} signing in): work in the browser they were opened in and no other`, async () => {
      const victim = await arrive();
      const path = `/interaction/${uidOf(victim)}/${action}`;
      const right = { ...fields, csrf: csrfOf(victim) };
      expectPage(await post(new CookieJar(), path, right), 400);
      const attacker = await arrive();
      expectPage(await post(attacker.jar, path, right), 400);
      // Nor can one browser's step be sent to the address of another's.
      const mixed = `/interaction/${uidOf(attacker)}/${action}`;
      expectPage(await post(victim.jar, mixed, right), 400);
      expect((await post(victim.jar, path, right)).status).to.equal(303);
    });
  }

  it('cannot be read from another browser', async () => {
    const victim = await atConsent();
    const path = `/interaction/${uidOf(victim)}`;
    for (const jar of [new CookieJar(), (await atConsent()).jar]) {
      const reply = await harness.get(path, { accept: 'text/html', cookie: jar.header(new URL(harness.url(path))) });
      expectPage(reply, 400);
      expect(reply.text).to.not.contain('Ada');
    }
  });

  it('cannot be finished by a person who signed in elsewhere: the last redirect needs the same browser', async () => {
    const attacker = await atSignIn();
    const finish = await post(attacker.jar, `/interaction/${uidOf(attacker)}/sign-in`, {
      ...ADA,
      csrf: csrfOf(attacker),
    });
    const resume = finish.headers.location ?? '';
    const victim = new Browser(harness);
    const page = await victim.open(resume);
    expect([page.reply.status, page.callback]).to.deep.equal([400, null]);
    expect(victim.jar.get('session')).to.equal(undefined);
  });

  it('with a forged or unsigned cookie are refused', async () => {
    const victim = await atConsent();
    const uid = uidOf(victim);
    const path = `/interaction/${uid}/consent`;
    for (const cookie of [
      `gatehouse_interaction=${uid}`,
      `gatehouse_interaction=${uid}; gatehouse_interaction.sig=AAAA`,
    ])
      expectPage(await harness.post(path, { csrf: csrfOf(victim) }, { accept: 'text/html', cookie }), 400);
  });

  it('take no other step than the one at hand', async () => {
    const browser = await atSignIn();
    const csrf = csrfOf(browser);
    expectPage(await post(browser.jar, `/interaction/${uidOf(browser)}/consent`, { csrf }), 400);
    const later = await atConsent();
    expectPage(await post(later.jar, `/interaction/${uidOf(later)}/sign-in`, { ...ADA, csrf: csrfOf(later) }), 400);
  });

  it('shows the step at hand to whoever reloads or goes back', async () => {
    const browser = await atSignIn();
    const path = `/interaction/${uidOf(browser)}/sign-in`;
    const reply = await harness.get(path, {
      accept: 'text/html',
      cookie: browser.jar.header(new URL(harness.url(path))),
    });
    expect(reply.status).to.equal(200);
    expect(reply.text).to.contain('<h1>Sign in</h1>');
  });

  it('is over once it was finished: the step cannot be taken twice', async () => {
    const browser = await atConsent();
    const path = `/interaction/${uidOf(browser)}/consent`;
    const right = { csrf: csrfOf(browser) };
    const jar = browser.jar.clone();
    const page = await browser.allow();
    expect(page.answer.get('code')).to.match(/^gac_/);
    expectPage(await post(jar, path, right), 400);
  });

  it('sent twice at once give one code at most', async () => {
    const browser = await atConsent();
    const path = `/interaction/${uidOf(browser)}/consent`;
    const replies = await Promise.all([1, 2].map(() => post(browser.jar, path, { csrf: csrfOf(browser) })));
    const resumes = await Promise.all(
      replies.map(({ headers: { location } }) => {
        if (!location) return null;
        return harness.get(location, {
          accept: 'text/html',
          cookie: browser.jar.header(new URL(location, harness.issuer)),
        });
      }),
    );
    const codes = resumes.filter((reply) => reply?.headers.location?.includes('code='));
    expect(codes).to.have.length(1);
    for (const reply of resumes) expect(reply?.status).to.be.oneOf([303, 400]);
  });

  it('expire after a quarter of an hour, and say so', async () => {
    const browser = await atSignIn();
    const jar = browser.jar.clone();
    const { travel } = await import('../../support/harness.ts');
    const path = `/interaction/${uidOf(browser)}/sign-in`;
    const cookie = jar.header(new URL(harness.url(path)));
    using _ = travel(15 * 60 + 30);
    const reply = await harness.post(path, { ...ADA, csrf: csrfOf(browser) }, { accept: 'text/html', cookie });
    expectPage(reply, 400);
    expect(reply.text).to.contain('expired');
  });

  it('cannot sign a victim in to the account of an attacker', async () => {
    const attacker = await atSignIn();
    const uid = uidOf(attacker);
    const victim = new Browser(harness);
    const reply = await post(
      victim.jar,
      `/interaction/${uid}/sign-in`,
      { ...ADA, csrf: csrfOf(attacker) },
      { origin: 'https://evil.example' },
    );
    expect(reply.status).to.be.oneOf([400, 403]);
    expect(reply.cookies.join()).to.not.contain('session');
    const page = await victim.open(authorization(harness, DEMO.web, { prompt: 'none' }).url);
    expect(page.answer.get('error')).to.equal('login_required');
  });
});
