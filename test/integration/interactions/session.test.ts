import { expect } from 'chai';
import { ADA, Browser, CookieJar } from '../../support/browser.ts';
import {
  authorization,
  authorize,
  createAccount,
  createClient,
  DEMO,
  introspect,
  obtainTokens,
  redeem,
  refresh,
} from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const HOUR = 3600;

describe('the session of a browser', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({
      env: { GATEHOUSE_SESSION_IDLE_LIFETIME: '2h', GATEHOUSE_SESSION_ABSOLUTE_LIFETIME: '5h' },
    });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function isSignedIn(browser: Browser): Promise<boolean> {
    const page = await browser.open(authorization(harness, DEMO.web, { prompt: 'none' }).url);
    return page.answer.get('error') !== 'login_required';
  }
  const signedIn = async (): Promise<Browser> => (await authorize(harness, DEMO.web)).browser;

  it('gets a new id when somebody signs in, and the old one is worth nothing', async () => {
    const browser = new Browser(harness);
    await browser.open(authorization(harness, DEMO.web).url);
    const before = browser.jar.get('session');
    const planted = browser.jar.clone();
    await browser.complete(browser.page.url);
    expect(browser.jar.get('session')).to.not.equal(before);
    expect(await isSignedIn(browser)).to.equal(true);
    if (before) expect(await isSignedIn(new Browser(harness, planted))).to.equal(false);
  });

  it('gets a new id again when the person proves who it is once more', async () => {
    const browser = await signedIn();
    const before = browser.jar.get('session');
    const stolen = browser.jar.clone();
    await browser.open(authorization(harness, DEMO.web, { prompt: 'login' }).url);
    await browser.signIn();
    expect(browser.jar.get('session')).to.not.equal(before);
    expect(await isSignedIn(new Browser(harness, stolen))).to.equal(false);
    expect(await isSignedIn(browser)).to.equal(true);
  });

  it('cannot be planted: an id the server did not make or sign is not taken up', async () => {
    const victim = await signedIn();
    const value = victim.jar.get('session') ?? '';
    for (const [session, signature] of [
      ['A'.repeat(43), undefined],
      ['A'.repeat(43), 'A'.repeat(43)],
      [value, undefined],
      [value, 'A'.repeat(43)],
      [`${value}x`, victim.jar.get('session.sig')],
    ]) {
      const jar = new CookieJar();
      jar.store([`gatehouse_session=${session}; path=/`], new URL(harness.issuer));
      if (signature) jar.store([`gatehouse_session.sig=${signature}; path=/`], new URL(harness.issuer));
      expect(await isSignedIn(new Browser(harness, jar))).to.equal(false);
    }
  });

  it('lives in cookies that scripts and other sites cannot use', async () => {
    const browser = await signedIn();
    const lines = browser.seen.flatMap(({ reply }) => reply.cookies).concat(browser.page.reply.cookies);
    const asked = await harness.get(authorization(harness, DEMO.web).url);
    lines.push(...asked.cookies);
    expect(lines.length).to.be.greaterThan(3);
    for (const line of lines) {
      expect(line.toLowerCase(), line).to.contain('httponly').and.to.contain('samesite=lax');
      expect(line.toLowerCase()).to.not.contain('domain=');
    }
  });

  it('is limited to one interaction where the cookie is for that alone', async () => {
    const { cookies } = await harness.get(authorization(harness, DEMO.web).url);
    const paths = Object.fromEntries(
      cookies.map((line) => [line.split('=')[0] ?? '', /path=([^;]*)/i.exec(line)?.[1]]),
    );
    expect(paths.gatehouse_interaction).to.match(/^\/interaction\/[A-Za-z0-9_-]{43}$/);
    expect(paths.gatehouse_resume).to.match(/^\/oauth2\/authorize\/[A-Za-z0-9_-]{43}$/);
  });

  it('ends when it is not used for the idle time, and goes on when it is', async () => {
    const browser = await signedIn();
    for (const hours of [1.5, 3]) {
      using _ = travel(hours * HOUR);
      expect([hours, await isSignedIn(browser)]).to.deep.equal([hours, true]);
    }
    using _ = travel(5.2 * HOUR);
    expect(await isSignedIn(browser)).to.equal(false);
    const idle = await signedIn();
    using __ = travel(2.1 * HOUR);
    expect(await isSignedIn(idle)).to.equal(false);
  });

  it('ends at its absolute age however much it is used', async () => {
    const browser = await signedIn();
    for (const hours of [1, 2, 3, 4, 4.9]) {
      using _ = travel(hours * HOUR);
      expect([hours, await isSignedIn(browser)]).to.deep.equal([hours, true]);
    }
    using _ = travel(5.1 * HOUR);
    expect(await isSignedIn(browser)).to.equal(false);
  });

  it('begins anew with its absolute age when the person signs in again', async () => {
    const browser = await signedIn();
    using _ = travel(1.9 * HOUR);
    await browser.open(authorization(harness, DEMO.web, { prompt: 'login' }).url);
    await browser.signIn();
    for (const hours of [1.5, 3, 4.5]) {
      using __ = travel(hours * HOUR);
      expect([hours, await isSignedIn(browser)]).to.deep.equal([hours, true]);
    }
  });

  it('that ended takes its tokens with it, those of a client without offline access', async () => {
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid' });
    expect((await introspect(harness, DEMO.web, tokens.refresh_token)).json().active).to.equal(true);
    using _ = travel(2.1 * HOUR);
    expect((await introspect(harness, DEMO.web, tokens.refresh_token)).json()).to.deep.equal({ active: false });
  });

  it('ends at once everywhere when the account is disabled', async () => {
    const who = await createAccount(harness);
    const [one, two] = [await authorize(harness, DEMO.web, { who }), await authorize(harness, DEMO.web, { who })];
    await harness.services.manageAccounts.disable(who.account.id);
    for (const { browser } of [one, two]) expect(await isSignedIn(browser)).to.equal(false);
  });

  describe('that is shared by tabs', () => {
    /** Finishes an authorization of a client each in three tabs at once. */
    async function finishThreeAtOnce(browser: Browser, who = ADA) {
      const clients = await Promise.all([1, 2, 3].map(() => createClient(harness)));
      const tabs = await Promise.all(
        clients.map(async (client) => {
          const request = authorization(harness, client, { scope: 'openid read' });
          const tab = new Browser(harness, browser.jar);
          await tab.open(request.url);
          if (tab.page.heading === 'Sign in') await tab.signIn(who);
          return { client, request, tab };
        }),
      );
      return Promise.all(
        tabs.map(async ({ client, request, tab }) => {
          const page = await tab.allow();
          return { client, authorized: { request, page, code: page.answer.get('code') ?? '', browser: tab } };
        }),
      );
    }

    it('gives each of several authorizations that finish at once its tokens', async () => {
      for (let round = 0; round < 3; round += 1) {
        for (const { client, authorized } of await finishThreeAtOnce(await signedIn())) {
          const reply = await redeem(harness, client, authorized);
          expect([round, client.id, reply.status]).to.deep.equal([round, client.id, 200]);
          expect((await introspect(harness, DEMO.api, reply.json().access_token)).json().active).to.equal(true);
          expect((await refresh(harness, client, reply.json().refresh_token)).status).to.equal(200);
        }
      }
    });

    it('ends the tokens of every tab when the person signs out', async () => {
      const browser = await signedIn();
      const done = await finishThreeAtOnce(browser);
      const tokens = await Promise.all(
        done.map(async ({ client, authorized }) => ({ client, reply: await redeem(harness, client, authorized) })),
      );
      expect(await isSignedIn(browser)).to.equal(true);
      await browser.open(harness.url('/oauth2/logout'));
      await browser.submit('Sign out');
      for (const { client, reply } of tokens.filter(({ reply: { status } }) => status === 200)) {
        const { access_token, refresh_token } = reply.json();
        expect([client.id, (await introspect(harness, DEMO.api, access_token)).json()]).to.deep.equal([
          client.id,
          { active: false },
        ]);
        expect([client.id, (await refresh(harness, client, refresh_token)).status]).to.deep.equal([client.id, 400]);
      }
    });
  });
});

describe('the session of a browser that was kept for longer than sessions may last now', () => {
  let harness: Harness;
  let lifetimes: { sessionAbsolute: number };
  before(async () => {
    harness = await startHarness({
      adjust(services) {
        const own = { ...services.config.lifetimes, sessionAbsolute: 5 * HOUR };
        lifetimes = own;
        Object.assign(services, { config: { ...services.config, lifetimes: own } });
      },
    });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('ends all the same', async () => {
    const { browser } = await authorize(harness, DEMO.web);
    const silently = async () =>
      (await browser.open(authorization(harness, DEMO.web, { prompt: 'none' }).url)).answer.get('error');
    using _ = travel(1.5 * HOUR);
    expect(await silently()).to.equal(null);
    lifetimes.sessionAbsolute = HOUR;
    expect(await silently()).to.equal('login_required');
  });
});

describe('the session of a browser at an https issuer', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({
      env: { ISSUER: 'https://auth.example.com', GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' },
    });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('lives in cookies that only this host can set and only TLS carries', async () => {
    const { browser } = await authorize(harness, DEMO.web);
    const asked = await harness.get(authorization(harness, DEMO.web).url);
    const lines = [
      ...asked.cookies,
      ...browser.seen.flatMap(({ reply }) => reply.cookies),
      ...browser.page.reply.cookies,
    ];
    for (const line of lines) {
      expect(line.toLowerCase(), line).to.contain('secure').and.to.contain('httponly').and.to.contain('samesite=lax');
      if (line.startsWith('__Host-')) {
        expect(line.toLowerCase())
          .to.match(/path=\/(;|$)/)
          .and.to.not.contain('domain=');
      } else {
        expect(line).to.match(/^__Secure-/);
      }
    }
    const names = browser.jar.cookies.map(({ name }) => name);
    expect(names).to.include.members(['__Host-gatehouse_session', '__Host-gatehouse_device']);
  });
});
