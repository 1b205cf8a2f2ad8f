import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose';
import { API, authorization, createClient, DEMO, introspect, obtainTokens, token } from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const JWKS = '/oauth2/jwks';

describe('the key set', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness();
  });
  afterEach(() => harness?.[Symbol.asyncDispose]());

  const keys = async (): Promise<JSONWebKeySet> => (await harness.get(JWKS)).json();
  const machineToken = async (): Promise<string> =>
    (await token(harness, DEMO.machine, { grant_type: 'client_credentials' })).json().access_token;
  /** Until the routes know of it: the message of the rotation is not waited for. */
  async function rotate(): Promise<void> {
    const before = (await harness.get(JWKS)).text;
    await harness.services.rotation.rotate({ now: true });
    for (let tries = 0; (await harness.get(JWKS)).text === before; tries += 1) {
      if (tries === 100) throw new Error('the rotation did not reach the routes');
      await sleep(10);
    }
  }
  const kidOf = (jwt: string): string => decodeProtectedHeader(jwt).kid ?? '';

  it('holds public keys only, each with a kid of its own, an algorithm and a use', async () => {
    const { keys: published } = await keys();
    expect(published).to.have.length(4);
    expect(new Set(published.map(({ kid }) => kid)).size).to.equal(4);
    for (const key of published) {
      expect(key).to.include({ use: 'sig' });
      expect(key.alg).to.be.oneOf(['RS256', 'ES256']);
      for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']) expect(key).to.not.have.property(member);
    }
  });

  it('is asked for again when somebody has emptied the table: 503 until there are new keys, never 500', async () => {
    const { stores, keySet, rotation } = harness.services;
    for (const { kid } of await stores.signingKeys.list()) await stores.signingKeys.remove(kid);
    await keySet.refresh();
    for (const reply of [
      await token(harness, DEMO.machine, { grant_type: 'client_credentials' }),
      await harness.get(JWKS),
    ]) {
      expect(reply.status).to.equal(503);
      expect(Number(reply.headers['retry-after'])).to.be.within(1, 60);
      expect(reply.json().error).to.equal('temporarily_unavailable');
    }
    await rotation.run();
    await keySet.refresh();
    expect((await harness.get(JWKS)).status).to.equal(200);
    expect(await machineToken()).to.be.a('string');
  });

  it('may be kept for five minutes by anybody, and is cheap to ask for again', async () => {
    const reply = await harness.get(JWKS);
    expect(reply.headers['cache-control']).to.equal('public, max-age=300');
    expect(reply.headers['access-control-allow-origin']).to.equal('*');
    const etag = reply.headers.etag ?? '';
    expect(etag).to.match(/^"[A-Za-z0-9_-]+"$/);
    const again = await harness.get(JWKS, { 'if-none-match': etag });
    expect([again.status, again.text, again.headers.etag]).to.deep.equal([304, '', etag]);
    expect((await harness.get(JWKS, { 'if-none-match': '"other"' })).status).to.equal(200);
    await rotate();
    expect((await harness.get(JWKS, { 'if-none-match': etag })).status).to.equal(200);
  });

  it('verifies everything this server signs', async () => {
    const set = createLocalJWKSet(await keys());
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid read' });
    const options = { issuer: harness.issuer };
    expect(
      (await jwtVerify(tokens.access_token, set, { ...options, audience: API, typ: 'at+jwt' })).protectedHeader.alg,
    ).to.equal('ES256');
    expect((await jwtVerify(tokens.id_token, set, { ...options, audience: 'demo-web' })).protectedHeader.alg).to.equal(
      'RS256',
    );
    await jwtVerify(await machineToken(), set, { ...options, audience: API, typ: 'at+jwt' });
  });

  it('has the next key in it before that key signs, and the last one after', async () => {
    const before = await keys();
    const first = await machineToken();
    await rotate();
    const second = await machineToken();
    expect(kidOf(second)).to.not.equal(kidOf(first));
    // A verifier that fetched the keys before the rotation knows the new one already.
    await jwtVerify(second, createLocalJWKSet(before));
    await jwtVerify(first, createLocalJWKSet(await keys()));
    for (const value of [first, second])
      expect((await introspect(harness, DEMO.api, value)).json().active).to.equal(true);
  });

  it('takes a rotation into the engine as well, without a lost session or sign-out hint', async () => {
    const tokens = await obtainTokens(harness, DEMO.web, { scope: 'openid read offline_access' });
    await rotate();
    const { browser, ...next } = await obtainTokens(harness, DEMO.web, {
      scope: 'openid read offline_access',
      browser: tokens.browser,
    });
    expect(kidOf(next.id_token)).to.not.equal(kidOf(tokens.id_token));
    expect(kidOf(next.access_token)).to.not.equal(kidOf(tokens.access_token));
    const set = createLocalJWKSet(await keys());
    for (const value of [next.id_token, next.access_token, tokens.id_token, tokens.access_token])
      await jwtVerify(value, set);
    const hinted = await browser.open(
      authorization(harness, DEMO.web, { prompt: 'none', id_token_hint: tokens.id_token }).url,
    );
    expect(hinted.answer.get('error')).to.equal(null);
  });

  it('may lose the key of a sign-out hint: the session and its sign-out go on', async () => {
    await using shortLived = await startHarness({ env: { GATEHOUSE_KEY_RETIRED: '60s' } });
    const web = await createClient(shortLived, { postLogoutRedirectUris: ['https://app.example/bye'] });
    const { browser, id_token } = await obtainTokens(shortLived, web);
    const published = async (): Promise<boolean> =>
      (await shortLived.get(JWKS)).json().keys.some(({ kid }: { kid: string }) => kid === kidOf(id_token));
    await shortLived.services.rotation.rotate({ now: true });
    using _ = travel(7200);
    await shortLived.services.rotation.run();
    for (let tries = 0; (await published()) && tries < 100; tries += 1) await sleep(50);
    expect(await published()).to.equal(false);

    const silent = authorization(shortLived, web, { prompt: 'none', id_token_hint: id_token });
    expect((await browser.open(silent.url)).answer.get('error')).to.equal(null);
    const asked = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: 'https://app.example/bye' });
    expect((await browser.open(shortLived.url(`/oauth2/logout?${asked}`))).heading).to.equal('Sign out?');
    expect((await browser.submit('Sign out')).heading).to.equal('You are signed out');
    expect((await browser.open(silent.url)).answer.get('error')).to.equal('login_required');
  });

  it('is read again by a client library that meets a kid it does not know', async () => {
    let fetched = 0;
    const remote = createRemoteJWKSet(new URL(harness.url(JWKS)), {
      cooldownDuration: 0,
      [customFetch]: async (url) => {
        fetched += 1;
        return Response.json((await harness.get(url)).json());
      },
    });
    await jwtVerify(await machineToken(), remote);
    await rotate();
    await jwtVerify(await machineToken(), remote);
    expect(fetched).to.equal(1);
    await rotate();
    await jwtVerify(await machineToken(), remote);
    expect(fetched).to.equal(2);
  });
});
