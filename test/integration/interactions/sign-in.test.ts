import { expect } from 'chai';
import { ADA, Browser, type Page } from '../../support/browser.ts';
import { authorization, createAccount, DEMO } from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const NOBODY = { email: 'nobody@example.com', password: 'correct horse battery staple' };

describe('the sign-in page', () => {
  let harness: Harness;
  /** What the password hash was asked, in order: whether there was a stored hash to compare with. */
  let verified: boolean[];
  beforeEach(async () => {
    verified = [];
    harness = await startHarness({
      env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' },
      adjust(services) {
        const { passwords } = services;
        services.passwords = {
          ...passwords,
          verify(phc, password) {
            verified.push(phc !== null);
            return passwords.verify(phc, password);
          },
        };
      },
    });
  });
  afterEach(() => harness?.[Symbol.asyncDispose]());

  async function arrive(browser = new Browser(harness)): Promise<Browser> {
    await browser.open(authorization(harness, DEMO.web, { prompt: 'login' }).url);
    return browser;
  }
  async function attempt(
    who: { email: string; password: string },
    ip = '203.0.113.1',
    browser?: Browser,
  ): Promise<Page> {
    const at = await arrive(browser);
    return at.submit('/sign-in', { email: who.email, password: who.password }, { 'x-forwarded-for': ip });
  }
  /** The page without what must differ from one request to the next. */
  const normalized = (page: Page, email: string): string =>
    page.reply.text
      .replaceAll(/name="csrf" value="[^"]*"/g, 'csrf')
      .replaceAll(/\/interaction\/[A-Za-z0-9_-]{43}/g, '/interaction/uid')
      .replaceAll(/req_[0-9A-Za-z]{22}/g, 'req')
      .replaceAll(email, 'email');
  const headersOf = (page: Page): string[] => Object.keys(page.reply.headers).sort();

  it('tells nobody whether an account exists: unknown, wrong, disabled and without password are one page', async () => {
    const known = await createAccount(harness);
    const disabled = await createAccount(harness);
    await harness.services.manageAccounts.disable(disabled.account.id);
    const bare = await createAccount(harness, { password: null });
    verified = [];
    const pages: [Page, string][] = [];
    for (const { email, password } of [
      NOBODY,
      { ...known, password: 'a wrong password' },
      disabled,
      { ...disabled, password: 'a wrong password' },
      { ...bare, password: 'anything at all here' },
    ]) {
      pages.push([await attempt({ email, password }), email]);
    }
    const [first] = pages;
    for (const [page, email] of pages) {
      expect(page.reply.status).to.equal(422);
      expect(page.callback).to.equal(null);
      expect(normalized(page, email)).to.equal(first && normalized(first[0], first[1]));
      expect(headersOf(page)).to.deep.equal(first && headersOf(first[0]));
    }
    // One hash each, also where there is nothing to compare with.
    expect(verified).to.deep.equal([false, true, true, true, false]);
  });

  it('says the same when too many tried, for accounts that exist and others', async () => {
    const known = await createAccount(harness);
    const pages: Page[] = [];
    for (const email of [NOBODY.email, known.email]) {
      let last: Page | undefined;
      for (let i = 0; i < 7; i += 1) last = await attempt({ email, password: 'wrong password' });
      if (last) pages.push(last);
    }
    for (const page of pages) {
      expect(page.reply.status).to.equal(429);
      expect(Number(page.reply.headers['retry-after'])).to.be.within(1, 900);
      expect(page.text).to.match(/Too many attempts\. Wait \d+ (second|minute)s? and try again\./);
    }
    const [unknown, known2] = pages;
    expect(unknown && normalized(unknown, NOBODY.email)).to.equal(known2 && normalized(known2, known.email));
  });

  it('makes guessing at one account slower and slower, and never closes it for good', async () => {
    const known = await createAccount(harness);
    const wrong = { ...known, password: 'wrong password' };
    const statuses: number[] = [];
    for (let i = 0; i < 8; i += 1) statuses.push((await attempt(wrong, '203.0.113.50')).reply.status);
    expect(statuses.slice(0, 5)).to.deep.equal([422, 422, 422, 422, 422]);
    expect(statuses.slice(6)).to.deep.equal([429, 429]);
    using _ = travel(901);
    expect((await attempt(known, '203.0.113.50')).reply.status).to.not.equal(429);
  });

  it('lets the owner in from an address that guessed nothing, whoever guesses elsewhere', async () => {
    const known = await createAccount(harness);
    for (let i = 0; i < 8; i += 1) {
      await attempt({ ...known, password: 'wrong password' }, '198.51.100.0');
      await attempt({ ...known, password: 'wrong password' }, `198.51.100.${i + 1}`);
    }
    expect((await attempt(known, '198.51.100.0')).reply.status).to.equal(429);
    expect((await attempt(known, '203.0.113.9')).heading).to.equal('Allow this app to use your account?');
  });

  it('lets the owner in from a browser that signed in before, whoever guesses elsewhere', async () => {
    const known = await createAccount(harness);
    const own = new Browser(harness);
    await attempt(known, '203.0.113.9', own);
    for (let i = 0; i < 12; i += 1) await attempt({ ...known, password: 'wrong password' }, '203.0.113.9');
    expect((await attempt(known, '203.0.113.9')).reply.status).to.equal(429);
    const page = await attempt(known, '203.0.113.9', own);
    expect([page.reply.status, page.heading]).to.deep.equal([200, 'Allow this app to use your account?']);
  });

  it('does not take the device cookie of one person for another', async () => {
    const [mine, theirs] = [await createAccount(harness), await createAccount(harness)];
    const browser = new Browser(harness);
    await attempt(mine, '203.0.113.9', browser);
    for (let i = 0; i < 12; i += 1) await attempt({ ...theirs, password: 'wrong password' }, '198.51.100.99');
    // A counter of its own would have free attempts.
    expect((await attempt(theirs, '198.51.100.99', browser)).reply.status).to.equal(429);
  });

  it('counts parallel guesses one by one', async () => {
    const known = await createAccount(harness);
    const browsers = await Promise.all(Array.from({ length: 50 }, () => arrive()));
    const pages = await Promise.all(
      browsers.map((browser) =>
        browser.submit(
          '/sign-in',
          { email: known.email, password: 'wrong password' },
          { 'x-forwarded-for': '203.0.113.7' },
        ),
      ),
    );
    const tried = pages.filter(({ reply }) => reply.status === 422).length;
    expect(tried).to.be.at.most(6);
    expect(pages.every(({ reply }) => reply.status === 422 || reply.status === 429)).to.equal(true);
  });

  it('slows down an address that tries one password on many accounts', async () => {
    const ip = '203.0.113.200';
    const statuses: number[] = [];
    const browser = await arrive();
    for (let i = 0; i < 130; i += 1) {
      const who = { email: `user-${i}@spray.example`, password: 'correct horse battery staple' };
      statuses.push((await browser.submit('/sign-in', who, { 'x-forwarded-for': ip })).reply.status);
    }
    expect(statuses.slice(0, 100)).to.deep.equal(Array(100).fill(422));
    expect(statuses.slice(102)).to.include(429);
    expect((await attempt(ADA, '203.0.113.201')).reply.status).to.equal(200);
  });

  it('spends no hash on an attempt that has to wait', async () => {
    const known = await createAccount(harness);
    for (let i = 0; i < 10; i += 1) await attempt({ ...known, password: 'wrong password' });
    expect(verified.length).to.be.at.most(6);
  });

  it('forgives failures after a success', async () => {
    const known = await createAccount(harness);
    for (let round = 0; round < 3; round += 1) {
      for (let i = 0; i < 4; i += 1)
        expect((await attempt({ ...known, password: 'wrong password' })).reply.status).to.equal(422);
      expect((await attempt(known)).reply.status).to.equal(200);
    }
  });

  it('takes the email address in any case and width, and the password exactly', async () => {
    const { email, password } = await createAccount(harness, {
      email: 'Grace.Hopper@Example.com',
      password: 'Ünïcödé pässwörd 日本',
    });
    for (const typed of [email, email.toLowerCase(), email.toUpperCase(), `  ${email} `, 'ｇrace.hopper@example.com']) {
      expect((await attempt({ email: typed, password })).reply.status).to.equal(200);
    }
    for (const wrong of [password.toLowerCase(), `${password} `, ` ${password}`, password.slice(0, -1), '']) {
      expect((await attempt({ email, password: wrong })).reply.status).to.be.oneOf([422, 429]);
    }
  });

  it('refuses a password of a megabyte without hashing it', async () => {
    const page = await attempt({ ...ADA, password: 'x'.repeat(2000) });
    expect(page.reply.status).to.equal(422);
    const huge = await attempt({ ...ADA, password: 'x'.repeat(100_000) });
    expect(huge.reply.status).to.equal(413);
  });

  it('keeps the address that was typed, and never the password', async () => {
    const page = await attempt({ email: 'typo@example.com', password: 'some password of mine' });
    expect(page.forms[0]?.fields.email).to.equal('typo@example.com');
    expect(page.reply.text).to.not.contain('some password of mine');
  });

  it('writes to the audit trail who signed in and who failed, and why', async () => {
    const known = await createAccount(harness);
    await attempt({ ...known, password: 'wrong password' }, '203.0.113.77');
    await attempt(NOBODY, '203.0.113.77');
    await attempt(known, '203.0.113.77');
    const { audit } = harness.services.stores;
    const failed = await audit.list({ type: 'account.sign_in_failed', limit: 5 });
    expect(failed.map(({ accountId, details, ip }) => [accountId, details.reason, ip])).to.deep.equal([
      [null, 'unknown', '203.0.113.77'],
      [known.account.id, 'wrong-password', '203.0.113.77'],
    ]);
    const [signedIn] = await audit.list({ type: 'account.signed_in', limit: 1 });
    expect(signedIn).to.include({ accountId: known.account.id, clientId: 'demo-web', ip: '203.0.113.77' });
  });

  it('refuses a sign-in with 503 when too many hashes wait, and goes on afterwards', async () => {
    const busy = await startHarness({ env: { GATEHOUSE_PASSWORD_CONCURRENCY: '1', GATEHOUSE_PASSWORD_QUEUE: '1' } });
    try {
      const browsers = await Promise.all(
        Array.from({ length: 12 }, async () => {
          const browser = new Browser(busy);
          await browser.open(authorization(busy, DEMO.web).url);
          return browser;
        }),
      );
      const pages = await Promise.all(
        browsers.map((browser, i) => browser.signIn({ email: `nobody-${i}@example.com`, password: 'x'.repeat(20) })),
      );
      const refused = pages.filter(({ reply }) => reply.status === 503);
      expect(refused.length).to.be.greaterThan(0);
      for (const { reply } of refused) {
        expect(reply.headers['retry-after']).to.equal('3');
        expect(reply.headers['content-type']).to.contain('text/html');
      }
      expect(pages.every(({ reply }) => reply.status === 503 || reply.status === 422)).to.equal(true);
      const after = new Browser(busy);
      expect((await after.complete(authorization(busy, DEMO.web).url)).answer.get('code')).to.match(/^gac_/);
    } finally {
      await busy[Symbol.asyncDispose]();
    }
  });
});
