import { expect } from 'chai';
import { call, good, newKey, outcome, signIn } from '../../support/api-client.ts';
import { Browser, CookieJar } from '../../support/browser.ts';
import { authorization, createAccount, DEMO } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

/** The JSON login of applications in a browser, on an https issuer: no script ever holds a token. */
describe('the JSON login in cookie mode', () => {
  let harness: Harness;
  let own: Record<string, string>;
  before(async () => {
    harness = await startHarness({
      env: { ISSUER: 'https://id.example.com', GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' },
    });
    own = { origin: harness.issuer, 'sec-fetch-site': 'same-origin' };
  });
  after(() => harness?.[Symbol.asyncDispose]());

  /** How requests look that other sites, or nobody knows who, made a browser send. */
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://other.example.com', 'sec-fetch-site': 'same-site' },
    { origin: 'https://id.example.com', 'sec-fetch-site': 'cross-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://id.example.com' },
    {},
  ];

  async function signedIn(): Promise<{ jar: CookieJar; reply: Reply; email: string; password: string }> {
    const { email, password } = await createAccount(harness);
    const reply = await call(harness, 'POST /v1/auth/login', {
      body: { email, password, mode: 'cookies' },
      headers: own,
    });
    expect(reply.status).to.equal(200);
    const jar = new CookieJar();
    jar.store(reply.cookies, new URL(harness.url('/v1/auth/login')));
    return { jar, reply, email, password };
  }
  function send(jar: CookieJar, request: string, headers: Record<string, string> = own, body?: object): Promise<Reply> {
    const cookie = jar.header(new URL(harness.url('/')));
    return call(harness, request, { headers: { cookie, ...headers }, ...(body ? { body } : {}) });
  }

  it('sets cookies that no script reads, no other host sets and no other site sends', async () => {
    const { reply } = await signedIn();
    const ours = reply.cookies.filter((line) => /^__Host-gatehouse_(access|refresh)=/.test(line));
    expect(ours).to.have.length(2);
    for (const line of ours) {
      const attributes = line.toLowerCase().split('; ').slice(1);
      expect(attributes).to.include.members(['path=/', 'samesite=strict', 'secure', 'httponly']);
      expect(attributes.some((attribute) => attribute.startsWith('domain'))).to.equal(false);
    }
  });

  it('answers who it is, and no token', async () => {
    const { reply } = await signedIn();
    const answer = reply.json();
    expect(answer).to.have.all.keys('account', 'session_id', 'scopes', 'expires_at');
    for (const line of reply.cookies) {
      const value = /=([^;]*)/.exec(line)?.[1] ?? '';
      expect(reply.text).to.not.contain(value);
    }
  });

  it('cannot be started by another site, which would sign a person in to a stranger’s account', async () => {
    const { email, password } = await createAccount(harness);
    for (const headers of foreign) {
      const reply = await call(harness, 'POST /v1/auth/login', { body: { email, password, mode: 'cookies' }, headers });
      expect(await outcome(reply)).to.equal('403 cross_site_request');
      expect(reply.cookies).to.deep.equal([]);
    }
  });

  it('lets its cookie read from anywhere, and change something from our own pages alone', async () => {
    const { jar } = await signedIn();
    expect((await good(send(jar, 'GET /v1/auth/me', {}))).email).to.match(/@example.com$/);
    const body = { name: 'by cookie' };
    for (const headers of foreign) {
      expect(await outcome(send(jar, 'POST /v1/api-keys', headers, body))).to.equal('403 cross_site_request');
    }
    expect((await good(send(jar, 'GET /v1/api-keys'))).data).to.deep.equal([]);
    expect((await send(jar, 'POST /v1/api-keys', own, body)).status).to.equal(201);
    // Browsers that do not say where a request is from say its origin.
    expect((await send(jar, 'POST /v1/api-keys', { origin: harness.issuer }, body)).status).to.equal(201);
  });

  it('refreshes without a body, from our own pages alone, and hands no token to scripts', async () => {
    const { jar } = await signedIn();
    for (const headers of foreign) {
      expect(await outcome(send(jar, 'POST /v1/auth/refresh', headers))).to.equal('403 cross_site_request');
    }
    const before = jar.get('gatehouse_refresh');
    const reply = await send(jar, 'POST /v1/auth/refresh');
    expect(reply.json()).to.not.have.any.keys('access_token', 'refresh_token');
    jar.store(reply.cookies, new URL(harness.url('/')));
    expect(jar.get('gatehouse_refresh')).to.not.equal(before);
    expect((await send(jar, 'GET /v1/auth/me')).status).to.equal(200);
  });

  it('signs out from our own pages alone, ends the session and takes the cookies back', async () => {
    const { jar } = await signedIn();
    for (const headers of foreign) {
      expect(await outcome(send(jar, 'POST /v1/auth/logout', headers))).to.equal('403 cross_site_request');
    }
    expect((await send(jar, 'GET /v1/auth/me')).status).to.equal(200);
    const kept = jar.clone();
    const reply = await send(jar, 'POST /v1/auth/logout');
    expect(reply.status).to.equal(204);
    jar.store(reply.cookies, new URL(harness.url('/')));
    expect(jar.get('gatehouse_access') ?? '').to.equal('');
    expect(jar.get('gatehouse_refresh') ?? '').to.equal('');
    expect(await outcome(send(kept, 'GET /v1/auth/me'))).to.equal('401 unauthenticated');
    expect(await outcome(send(kept, 'POST /v1/auth/refresh'))).to.equal('401 invalid_refresh_token');
  });

  it('takes the access cookie back when the refresh cookie is gone already', async () => {
    const { jar } = await signedIn();
    const access = jar.get('gatehouse_access') ?? '';
    const cookie = `__Host-gatehouse_access=${access}`;
    const reply = await call(harness, 'POST /v1/auth/logout', { headers: { ...own, cookie } });
    expect(reply.status).to.equal(204);
    expect(reply.cookies.some((line) => line.startsWith('__Host-gatehouse_access=;'))).to.equal(true);
    const after = call(harness, 'GET /v1/auth/me', { headers: { cookie } });
    expect(await outcome(after)).to.equal('401 unauthenticated');
  });

  it('takes nothing but its own token from the cookie', async () => {
    const person = await signIn(harness, await createAccount(harness));
    const { key } = await newKey(harness, person, { scopes: ['read', 'manage'] });
    const machine = await good(
      harness.post(
        '/oauth2/token',
        {
          grant_type: 'client_credentials',
        },
        { authorization: `Basic ${Buffer.from('demo-machine:demo-machine-secret').toString('base64')}` },
      ),
    );
    for (const value of [key, machine.access_token, 'garbage']) {
      const headers = { ...own, cookie: `__Host-gatehouse_access=${value}` };
      expect(await outcome(call(harness, 'POST /v1/auth/verify', { headers, body: {} }))).to.equal(
        '401 unauthenticated',
      );
    }
  });

  it('knows the browser again: a stranger who guesses keeps the owner out of no browser of theirs', async () => {
    const { jar, email, password } = await signedIn();
    const login = (headers: Record<string, string>): Promise<string> =>
      outcome(
        call(harness, 'POST /v1/auth/login', {
          body: { email, password, mode: 'cookies' },
          headers: { ...own, ...headers },
        }),
      );
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        call(harness, 'POST /v1/auth/login', { body: { email, password: `a guess ${i}` } }),
      ),
    );
    expect(await login({})).to.equal('429 too_many_requests');
    expect(await login({ cookie: jar.header(new URL(harness.url('/'))) })).to.equal('200');
  });

  it('gives way to a credential in a header', async () => {
    const { jar } = await signedIn();
    const other = await signIn(harness, await createAccount(harness));
    const me = await good(send(jar, 'GET /v1/auth/me', { authorization: `Bearer ${other.token}` }));
    expect(me.id).to.equal(other.id);
    const bad = send(jar, 'GET /v1/auth/me', { authorization: 'Bearer garbage' });
    expect(await outcome(bad)).to.equal('401 unauthenticated');
  });

  it('has a brother in the sign-in page, whose cookie counts by the same rules', async () => {
    const browser = new Browser(harness);
    const who = await createAccount(harness);
    await browser.open(authorization(harness, DEMO.web).url);
    await browser.signIn(who);
    expect((await good(send(browser.jar, 'GET /v1/auth/me', {}))).id).to.equal(who.account.id);
    const body = { name: 'by the page' };
    for (const headers of foreign) {
      expect(await outcome(send(browser.jar, 'POST /v1/api-keys', headers, body))).to.equal('401 unauthenticated');
    }
    expect((await send(browser.jar, 'POST /v1/api-keys', own, body)).status).to.equal(201);
    // Its signature is looked at, not its value alone.
    const cookie = browser.jar.header(new URL(harness.url('/'))).replace(/; [^;]*session\.sig=[^;]*/, '');
    expect(await outcome(call(harness, 'GET /v1/auth/me', { headers: { cookie } }))).to.equal('401 unauthenticated');
  });
});
