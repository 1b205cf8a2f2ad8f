import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  claimsOf,
  DEMO,
  introspect,
  obtainTokens,
  refresh,
  revoke,
  userinfo,
} from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

describe('an issuer with a path', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({ env: { ISSUER: 'http://localhost:PORT/auth/eu' } });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('has its metadata at both forms of the well-known address', async () => {
    const texts = new Set<string>();
    for (const path of [
      '/.well-known/openid-configuration/auth/eu',
      '/.well-known/oauth-authorization-server/auth/eu',
      '/auth/eu/.well-known/openid-configuration',
      '/auth/eu/.well-known/oauth-authorization-server',
    ]) {
      const reply = await harness.sendRaw(path);
      expect([path, reply.status]).to.deep.equal([path, 200]);
      texts.add(reply.text);
    }
    expect(texts.size).to.equal(1);
  });

  it('names endpoints below the path only', async () => {
    const metadata = (await harness.get('/.well-known/openid-configuration')).json() as Record<string, unknown>;
    expect(metadata.issuer).to.equal(harness.issuer);
    const addresses = Object.entries(metadata).filter(([name]) => /_(endpoint|uri)$/.test(name));
    expect(addresses.length).to.be.greaterThan(5);
    for (const [name, value] of addresses)
      expect([name, String(value).startsWith(`${harness.issuer}/oauth2/`)]).to.deep.equal([name, true]);
  });

  it('has nothing outside the path, and nothing beside it', async () => {
    for (const path of [
      '/',
      '/auth',
      '/auth/',
      '/auth/europe',
      '/auth/eu2/oauth2/jwks',
      '/authx',
      '/oauth2/jwks',
      '/oauth2/token',
      '/oauth2/authorize',
      '/interaction/x',
      '/assets/gatehouse.css',
      '/.well-known/openid-configuration',
      '/.well-known/openid-configuration/auth',
      '/.well-known/openid-configuration/auth/eu/x',
      '/.well-known/openid-configuration/other/auth/eu',
      '/metrics',
      '/AUTH/EU/oauth2/jwks',
      '/auth%2feu/oauth2/jwks',
      '/auth/eu/../../oauth2/jwks',
    ])
      expect([path, (await harness.sendRaw(path)).status]).to.deep.equal([path, 404]);
  });

  it('answers at the path itself and below it', async () => {
    for (const path of ['/auth/eu', '/auth/eu/', '/auth/eu/oauth2/jwks', '/auth/eu/health', '/health', '/ready'])
      expect([path, (await harness.sendRaw(path)).status]).to.deep.equal([path, 200]);
  });

  it('carries the whole flow, cookies, pages and redirects included', async () => {
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid profile read offline_access' });
    expect(claimsOf(tokens.access_token)).to.include({ iss: harness.issuer, aud: API });
    expect(claimsOf(tokens.id_token).iss).to.equal(harness.issuer);
    for (const { url, reply } of tokens.browser.seen) {
      expect(new URL(url).pathname).to.match(/^\/auth\/eu\//);
      for (const [, value] of reply.text.matchAll(/\s(?:href|src|action)="([^"]*)"/g))
        expect(value).to.match(/^\/auth\/eu\//);
    }
    const style = /href="([^"]*\.css)"/.exec(tokens.browser.seen[0]?.reply.text ?? '')?.[1] ?? '';
    expect((await harness.sendRaw(style)).status).to.equal(200);
    const next = (await refresh(harness, DEMO.web, tokens.refresh_token)).json();
    expect((await introspect(harness, DEMO.api, next.access_token)).json()).to.include({
      active: true,
      iss: harness.issuer,
    });
    const plain = (await refresh(harness, DEMO.web, next.refresh_token, { scope: 'openid profile' })).json();
    expect((await userinfo(harness, plain.access_token)).json().name).to.equal('Ada Lovelace');
    expect((await revoke(harness, DEMO.web, plain.refresh_token)).status).to.equal(200);

    const { browser } = tokens;
    const page = await browser.open(
      `${harness.url('/oauth2/logout')}?id_token_hint=${tokens.id_token}&post_logout_redirect_uri=http://127.0.0.1:8080/`,
    );
    expect(page.heading).to.equal('Sign out?');
    expect((await browser.submit('Sign out')).callback?.href).to.equal('http://127.0.0.1:8080/');
    const after = await browser.open(authorization(harness, DEMO.web, { prompt: 'none' }).url);
    expect(after.answer.get('error')).to.equal('login_required');
    expect(after.answer.get('iss')).to.equal(harness.issuer);
  });

  it('lets another account take over, through the sign-out on the way', async () => {
    const { createAccount } = await import('../../support/builders.ts');
    const other = await createAccount(harness);
    const browser = new Browser(harness);
    await browser.complete(authorization(harness, DEMO.web).url);
    await browser.open(authorization(harness, DEMO.web, { prompt: 'consent' }).url);
    await browser.submit('/switch-account');
    const page = await browser.complete(browser.page.url, other);
    expect(page.answer.get('code')).to.match(/^gac_/);
  });
});

describe('endpoints at other paths', () => {
  it('answer there, and nowhere else', async () => {
    await using harness = await startHarness({
      env: {
        GATEHOUSE_PATH_AUTHORIZE: '/authorize',
        GATEHOUSE_PATH_TOKEN: '/oauth/token',
        GATEHOUSE_PATH_INTROSPECT: '/oauth/introspect',
        GATEHOUSE_PATH_REVOKE: '/oauth/revoke',
        GATEHOUSE_PATH_USERINFO: '/userinfo',
        GATEHOUSE_PATH_LOGOUT: '/v2/logout',
        GATEHOUSE_PATH_JWKS: '/.well-known/jwks.json',
      },
    });
    const metadata = (await harness.get('/.well-known/openid-configuration')).json();
    expect(metadata).to.include({
      authorization_endpoint: `${harness.issuer}/authorize`,
      token_endpoint: `${harness.issuer}/oauth/token`,
      jwks_uri: `${harness.issuer}/.well-known/jwks.json`,
      end_session_endpoint: `${harness.issuer}/v2/logout`,
    });
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid read offline_access' });
    expect((await introspect(harness, DEMO.api, tokens.access_token)).json().active).to.equal(true);
    await tokens.browser.open(harness.url('/v2/logout'));
    expect((await tokens.browser.submit('Sign out')).heading).to.equal('You are signed out');
    for (const path of [
      '/oauth2/authorize',
      '/oauth2/token',
      '/oauth2/jwks',
      '/oauth2/userinfo',
      '/auth',
      '/token',
      '/me',
      '/session/end',
      '/jwks',
      '/reg',
      '/request',
      '/device',
    ])
      expect([path, (await harness.get(path)).status]).to.deep.equal([path, 404]);
  });
});
