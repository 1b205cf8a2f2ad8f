import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { Browser, type Page } from '../../support/browser.ts';
import {
  authorization,
  authorize,
  createAccount,
  createClient,
  DEMO,
  type TestClient,
} from '../../support/builders.ts';
import { type Harness, type Reply, startHarness } from '../../support/harness.ts';

const HTML = { accept: 'text/html' };

describe('every page', () => {
  let harness: Harness;
  let web: TestClient;
  /** Each page the server can show, by a name of its own. */
  const pages = new Map<string, { reply: Reply; formTargets: string[] }>();
  before(async () => {
    harness = await startHarness();
    web = await createClient(harness, { redirectUris: ['https://notes.example/cb', 'https://notes.example:8443/cb'] });
    const keep = (name: string, { reply }: Page | { reply: Reply }, formTargets: string[] = []) =>
      pages.set(name, { reply, formTargets });
    const request = (changes = {}) =>
      authorization(harness, web, { redirect_uri: 'https://notes.example/cb', ...changes });
    const own = ['https://notes.example'];

    keep('home', { reply: await harness.get('/', HTML) });
    const who = await createAccount(harness);
    const browser = new Browser(harness);
    keep('sign-in', await browser.open(request({ scope: 'openid read' }).url), own);
    keep('sign-in, refused', await browser.signIn({ email: 'x@example.com', password: 'wrong' }), own);
    for (let i = 0; i < 7; i += 1) await browser.signIn({ email: 'x@example.com', password: 'wrong' });
    keep('sign-in, too many attempts', browser.page, own);
    keep('consent', await browser.signIn(who), own);
    const csrf = browser.page.forms[0]?.action ?? '';
    const headers = { ...HTML, cookie: browser.jar.header(new URL(csrf, harness.issuer)) };
    keep('form expired', { reply: await harness.post(csrf, { csrf: 'x' }, headers) });
    keep('form too large', { reply: await harness.post(csrf, { csrf: 'x'.repeat(20_000) }, headers) });
    await browser.allow();
    keep(
      'sign-in again',
      await browser.open(request({ prompt: 'login', redirect_uri: 'https://notes.example:8443/cb' }).url),
      ['https://notes.example:8443'],
    );
    const others = await createAccount(harness);
    keep('another account', await browser.signIn(others), ['https://notes.example:8443']);
    const posted = await authorize(harness, web, {
      who,
      redirect_uri: 'https://notes.example/cb',
      response_mode: 'form_post',
    });
    keep('form_post to the client', posted.browser.seen.at(-1) as Page, own);
    keep(
      'form_post of an error',
      await new Browser(harness).open(request({ response_mode: 'form_post', prompt: 'none' }).url),
      own,
    );
    keep('sign-out', await posted.browser.open(harness.url('/oauth2/logout')));
    keep('signed out', await posted.browser.submit('Sign out'));
    keep('sign-out without a session', { reply: await harness.get('/oauth2/logout', HTML) });
    const errors: [string, string, string?][] = [
      ['unknown client', '/oauth2/authorize?client_id=nobody'],
      ['wrong redirect URI', authorization(harness, web, { redirect_uri: 'https://evil.example' }).url],
      ['nothing asked', '/oauth2/authorize'],
      ['unknown interaction', `/interaction/${'A'.repeat(43)}`],
      ['unknown authorization', `/oauth2/authorize/${'A'.repeat(43)}`],
      ['nothing here', '/nothing-here'],
      ['wrong method', '/oauth2/authorize', 'DELETE'],
      ['wrong method at sign-out', '/oauth2/logout/confirm'],
      ['bad sign-out', '/oauth2/logout?client_id=demo-web&post_logout_redirect_uri=https://evil.example/'],
      ['malformed path', '/%'],
    ];
    for (const [name, path, method = 'GET'] of errors)
      keep(name, { reply: await harness.send(path, { method, headers: HTML }) });
    const confirm = await harness.post('/oauth2/logout/confirm', { xsrf: 'x' }, HTML);
    keep('sign-out form expired', { reply: confirm });
    keep('wrong host', { reply: await harness.sendRaw('/', { headers: { ...HTML, host: 'evil.example' } }) });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  /** Runs a check on each, naming the page it failed on. */
  function eachPage(check: (reply: Reply, formTargets: string[], name: string) => void): void {
    expect(pages.size).to.equal(26);
    for (const [name, { reply, formTargets }] of pages) {
      try {
        check(reply, formTargets, name);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
      }
    }
  }
  const directives = (reply: Reply): Map<string, string> =>
    new Map(
      String(reply.headers['content-security-policy'])
        .split(';')
        .map((directive) => directive.trim().split(/ (.*)/s) as [string, string])
        .map(([name, value = '']) => [name, value]),
    );

  it('is an HTML document in English with one heading and a title', () => {
    eachPage(({ text, headers }) => {
      expect(headers['content-type']).to.equal('text/html; charset=utf-8');
      expect(text).to.match(/^<!doctype html>\n<html lang="en">/);
      expect(text.match(/<h1[ >]/g)).to.have.length(1);
      expect(text).to.match(/<title>[^<]+ · Gatehouse<\/title>/);
    });
  });

  it('cannot be framed, sniffed, cached or told on', () => {
    eachPage(({ headers }) => {
      expect(headers).to.include({
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
      });
      expect(headers['cache-control']).to.contain('no-store');
    });
  });

  it('loads nothing but our style sheet and images, and runs no script but the one its policy names by hash', () => {
    eachPage((reply) => {
      const policy = directives(reply);
      expect(Object.fromEntries(policy)).to.include({
        'default-src': "'none'",
        'style-src': "'self'",
        'img-src': "'self'",
        'base-uri': "'none'",
        'frame-ancestors': "'none'",
      });
      const scripts = Array.from(reply.text.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/g));
      const hashes = scripts.map(([, attributes, code = '']) => {
        expect(attributes).to.equal('');
        return `'sha256-${createHash('sha256').update(code).digest('base64')}'`;
      });
      expect(policy.get('script-src')).to.equal(hashes.length === 0 ? "'none'" : hashes.join(' '));
    });
  });

  it('has no inline style or handler, and nothing from another host in it', () => {
    eachPage(({ text }) => {
      expect(text).to.not.match(/\son[a-z]+\s*=/i);
      expect(text).to.not.match(/<style|\sstyle\s*=/i);
      expect(text).to.not.match(/<(iframe|object|embed|base|meta http-equiv|audio|video|source|template)\b/i);
      for (const [, attribute, value = ''] of text.matchAll(
        /\s(src|href|srcset|poster|formaction|ping|background)="([^"]*)"/g,
      ))
        expect(`${attribute}=${value}`).to.match(/^(src|href)=\/(?!\/)/);
    });
  });

  it('links to assets that exist, may be kept for ever and refer to nothing outside', async () => {
    const assets = new Set<string>();
    eachPage(({ text }) => {
      for (const [path] of text.matchAll(/\/assets\/[^"]+/g)) assets.add(path);
    });
    expect(assets.size).to.be.greaterThan(1);
    for (const path of assets) {
      const reply = await harness.get(path);
      expect([path, reply.status, reply.headers['cache-control']]).to.deep.equal([
        path,
        200,
        'public, max-age=31536000, immutable',
      ]);
      expect(reply.text).to.not.match(/https?:\/\/(?!www\.w3\.org\/)|url\(\s*["']?(https?:)?\/\/|@import/);
    }
  });

  it('has forms that lead to this server, or to the origin of the client and nowhere else', () => {
    eachPage((reply, formTargets) => {
      const sources = (directives(reply).get('form-action') ?? '').split(' ');
      expect(sources.filter((source) => source !== "'self'")).to.deep.equal(formTargets);
      for (const [, action = ''] of reply.text.matchAll(/<form\b[^>]*\saction="([^"]*)"/g)) {
        const { origin } = new URL(action, harness.issuer);
        expect(origin).to.be.oneOf([new URL(harness.issuer).origin, ...formTargets]);
      }
    });
  });

  it('lets a form lead to every kind of redirect URI that can be registered, in words browsers understand', async () => {
    const native = await createClient(harness, {
      authMethod: 'none',
      applicationType: 'native',
      redirectUris: [
        'com.example.app:/cb',
        'http://127.0.0.1/cb',
        'http://[::1]/cb',
        'http://localhost/cb',
        'https://app.example/cb',
      ],
    });
    for (const [redirect_uri, source] of [
      ['com.example.app:/cb', 'com.example.app:'],
      ['http://127.0.0.1:3456/cb', 'http://127.0.0.1:3456'],
      ['http://localhost:3456/cb', 'http://localhost:3456'],
      ['https://app.example/cb', 'https://app.example'],
      // A host source has no IPv6 addresses (CSP3 2.3.1); browsers ignore one that has.
      ['http://[::1]:3456/cb', 'http:'],
    ] as const) {
      const page = await new Browser(harness).open(authorization(harness, native, { redirect_uri }).url);
      expect([redirect_uri, directives(page.reply).get('form-action')]).to.deep.equal([
        redirect_uri,
        `'self' ${source}`,
      ]);
    }
  });

  it('names the request it answers, so that a person can ask for help', () => {
    eachPage(({ text, headers }, _targets, name) => {
      if (name === 'home') return;
      expect(text).to.contain(String(headers['x-request-id']));
    });
  });

  it('says what went wrong and what to do next, when something did', () => {
    eachPage(({ status, text }, _targets, name) => {
      if (status < 400 || name.startsWith('sign-in,') || name.startsWith('form_post')) return;
      expect(text).to.contain('What to do next');
      expect(text).to.contain(`Error ${status}`);
    });
  });

  it('is shown with a status that fits', () => {
    const status = Object.fromEntries(Array.from(pages, ([name, { reply }]) => [name, reply.status]));
    expect(status).to.include({
      home: 200,
      'sign-in': 200,
      'sign-in, refused': 422,
      'sign-in, too many attempts': 429,
      consent: 200,
      'form expired': 403,
      'form too large': 413,
      'unknown client': 400,
      'wrong redirect URI': 400,
      'unknown interaction': 400,
      'unknown authorization': 400,
      'nothing here': 404,
      'wrong method': 405,
      'malformed path': 404,
      'wrong host': 421,
    });
  });

  it('sends no HSTS over plain HTTP, and does over https', async () => {
    eachPage(({ headers }) => expect(headers['strict-transport-security']).to.equal(undefined));
    await using secure = await startHarness({
      env: { ISSUER: 'https://auth.example.com', GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' },
    });
    const asked = new Browser(secure);
    for (const reply of [
      await secure.get('/', HTML),
      (await asked.open(authorization(secure, DEMO.web).url)).reply,
      await secure.get('/.well-known/openid-configuration'),
      await secure.get('/nothing-here'),
    ])
      expect(reply.headers['strict-transport-security']).to.match(/^max-age=\d{8}/);
  });
});

describe('the JSON of the machine endpoints', () => {
  it('cannot be framed, sniffed or run either', async () => {
    await using harness = await startHarness();
    for (const path of [
      '/.well-known/openid-configuration',
      '/oauth2/jwks',
      '/oauth2/userinfo',
      '/oauth2/token',
      '/health',
      '/ready',
      '/metrics',
    ]) {
      const { headers } = await harness.get(path);
      expect(headers, path).to.include({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' });
      expect(headers['content-security-policy']).to.contain("default-src 'none'");
    }
  });
});
