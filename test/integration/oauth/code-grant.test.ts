import { expect } from 'chai';
import { createTokenCodec } from '../../../src/endpoints/oauth/token-codec.ts';
import { createSealer } from '../../../src/kit/seal.ts';
import { ADA, Browser } from '../../support/browser.ts';
import {
  type Authorized,
  authorization,
  authorize,
  CALLBACK,
  createAccount,
  createClient,
  createResource,
  DEMO,
  introspect,
  redeem,
  refresh,
  type TestClient,
  token,
  userinfo,
} from '../../support/builders.ts';
import { type Fields, type Harness, startHarness, travel } from '../../support/harness.ts';

describe('the authorization code grant', () => {
  let harness: Harness;
  let opaque: { identifier: string; api: TestClient };
  /** Confidential, with an opaque and a JWT resource server. */
  let web: TestClient;
  let other: TestClient;
  before(async () => {
    harness = await startHarness();
    opaque = await createResource(harness);
    web = await createClient(harness, {
      resources: [opaque.identifier, 'https://api.example.com'],
      redirectUris: [CALLBACK, 'https://app.example.com/other'],
    });
    other = await createClient(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const scope = 'openid read offline_access';
  const ask = (changes: Fields = {}): Promise<Authorized> =>
    authorize(harness, web, { scope, resource: opaque.identifier, ...changes });

  async function expectRefused(reply: Promise<{ status: number; json(): { error: string } }>): Promise<void> {
    const { status, json } = await reply;
    expect([status, json().error]).to.deep.equal([400, 'invalid_grant']);
  }

  const isActive = async (value: string, api: TestClient = opaque.api): Promise<boolean> =>
    (await introspect(harness, api, value)).json().active;

  it('gives a code at most once', async () => {
    const authorized = await ask();
    expect((await redeem(harness, web, authorized)).status).to.equal(200);
    await expectRefused(redeem(harness, web, authorized));
  });

  it('gives exactly one of 50 parallel redemptions its tokens, and then takes them back', async () => {
    const authorized = await ask();
    const replies = await Promise.all(Array.from({ length: 50 }, () => redeem(harness, web, authorized)));
    const won = replies.filter(({ status }) => status === 200);
    expect(won).to.have.length(1);
    expect(new Set(replies.filter((reply) => !won.includes(reply)).map((reply) => reply.json().error))).to.deep.equal(
      new Set(['invalid_grant']),
    );
    const tokens = won[0]?.json();
    expect(await isActive(tokens.access_token)).to.equal(false);
    await expectRefused(refresh(harness, web, tokens.refresh_token));
  });

  it('redeems a code from before codes carried their grant, once', async () => {
    const authorized = await ask();
    const { digester, dataKeys, clock, stores } = harness.services;
    const codec = createTokenCodec({ digester, sealer: createSealer([dataKeys.seal]), clock });
    const record = await stores.tokens.find('AuthorizationCode', codec.keyOf('AuthorizationCode', authorized.code));
    if (!record) throw new Error('the code is not stored');
    const { grant, ...payload } = codec.decode(record, authorized.code);
    const { grantId = '', clientId = '', accountId = '' } = payload;
    await stores.tokens.save(codec.encode('AuthorizationCode', authorized.code, payload, 60));
    await stores.tokens.save(codec.encode('Grant', grantId, { kind: 'Grant', clientId, accountId, ...grant }, 3600));

    const redeemed = await redeem(harness, web, authorized);
    expect([redeemed.status, redeemed.json().scope]).to.deep.equal([200, 'read']);
    const next = await refresh(harness, web, redeemed.json().refresh_token);
    expect(next.status).to.equal(200);
    await expectRefused(redeem(harness, web, authorized));
    expect(await isActive(next.json().access_token)).to.equal(false);
  });

  it('ends everything that came of a code when its holder uses it again', async () => {
    for (const resource of [opaque.identifier, 'https://api.example.com']) {
      const api = resource === opaque.identifier ? opaque.api : DEMO.api;
      const authorized = await ask({ resource });
      const first = (await redeem(harness, web, authorized)).json();
      const second = (await refresh(harness, web, first.refresh_token)).json();
      const stale = (await refresh(harness, web, second.refresh_token, { scope: 'openid' })).json();
      expect(await isActive(second.access_token, api)).to.equal(true);
      expect((await userinfo(harness, stale.access_token)).status).to.equal(200);

      await expectRefused(redeem(harness, web, authorized));
      for (const value of [first.access_token, second.access_token]) expect(await isActive(value, api)).to.equal(false);
      expect((await userinfo(harness, stale.access_token)).status).to.equal(401);
      for (const value of [first.refresh_token, second.refresh_token, stale.refresh_token]) {
        await expectRefused(refresh(harness, web, value));
        expect(await isActive(value, web)).to.equal(false);
      }
    }
    const audit = await harness.services.stores.audit.list({ type: 'code.reused', limit: 5 });
    expect(audit[0]).to.include({ clientId: web.id });
  });

  it('also recognises a reuse long after the code expired', async () => {
    const authorized = await ask();
    const tokens = (await redeem(harness, web, authorized)).json();
    using _ = travel(600);
    await expectRefused(redeem(harness, web, authorized));
    expect(await isActive(tokens.refresh_token, web)).to.equal(false);
  });

  it('leaves the tokens alone when a stranger shows a used code', async () => {
    const authorized = await ask();
    const tokens = (await redeem(harness, web, authorized)).json();
    await expectRefused(redeem(harness, other, authorized));
    await expectRefused(redeem(harness, web, authorized, { code_verifier: 'x'.repeat(43) }));
    await expectRefused(redeem(harness, web, authorized, { code_verifier: undefined }));
    await expectRefused(redeem(harness, web, authorized, { redirect_uri: 'https://app.example.com/other' }));
    await expectRefused(redeem(harness, web, authorized, { redirect_uri: undefined }));
    expect(await isActive(tokens.access_token)).to.equal(true);
    expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
  });

  it('leaves other grants of the same person and client alone when a code is reused, in the same browser too', async () => {
    const browser = new Browser(harness);
    const inBrowser = () => authorize(harness, web, { scope, resource: opaque.identifier, browser });
    const earlier = (await redeem(harness, web, await inBrowser())).json();
    const authorized = await inBrowser();
    const reused = (await redeem(harness, web, authorized)).json();
    const later = (await redeem(harness, web, await inBrowser())).json();
    await expectRefused(redeem(harness, web, authorized));
    expect(await isActive(reused.access_token)).to.equal(false);
    await expectRefused(refresh(harness, web, reused.refresh_token));
    for (const tokens of [earlier, later]) {
      expect(await isActive(tokens.access_token)).to.equal(true);
      expect((await refresh(harness, web, tokens.refresh_token)).status).to.equal(200);
    }
  });

  it('leaves what ends with the session alone when the same browser authorizes again', async () => {
    const browser = new Browser(harness);
    const inBrowser = (asked: string) =>
      authorize(harness, web, { scope: asked, resource: opaque.identifier, browser });
    const waiting = await inBrowser('openid read');
    const api = (await redeem(harness, web, await inBrowser('openid read'))).json();
    const own = (await refresh(harness, web, api.refresh_token, { scope: 'openid' })).json();
    const newest = (await redeem(harness, web, await inBrowser('openid read'))).json();
    await inBrowser('openid read');
    expect((await redeem(harness, web, waiting)).status).to.equal(200);
    expect((await userinfo(harness, own.access_token)).status).to.equal(200);
    for (const value of [api.access_token, newest.access_token]) expect(await isActive(value)).to.equal(true);
    for (const value of [own.refresh_token, newest.refresh_token]) {
      expect((await refresh(harness, web, value)).status).to.equal(200);
    }
  });

  it('leaves nothing behind of authorizations that nobody redeems, and a session of the same size', async () => {
    const browser = new Browser(harness);
    const { tokens } = harness.services.stores;
    const who = await createAccount(harness);
    const sessions = async (): Promise<number[]> =>
      (await tokens.listByAccount('Session', who.account.id, 10)).map(({ payload }) => Math.round(payload.length / 16));
    await authorize(harness, web, { scope, browser, who });
    const before = await sessions();
    for (let i = 0; i < 30; i += 1) {
      const page = await browser.open(authorization(harness, web, { scope, prompt: 'none' }).url);
      expect(page.answer.get('code')).to.match(/^gac_/);
    }
    expect(await sessions()).to.deep.equal(before);
    expect(await tokens.listByAccount('Grant', who.account.id, 100)).to.deep.equal([]);
  });

  it('binds a code to its client and its redirect URI, and a wrong try burns nothing', async () => {
    const authorized = await ask();
    await expectRefused(redeem(harness, other, authorized));
    const reply = await redeem(harness, web, authorized, { redirect_uri: 'https://app.example.com/other' });
    expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
    const missing = await redeem(harness, web, authorized, { redirect_uri: undefined });
    expect(missing.status).to.equal(400);
    expect((await redeem(harness, web, authorized)).status).to.equal(200);
  });

  it('binds a code to the resource it was asked for', async () => {
    const authorized = await ask();
    const reply = await redeem(harness, web, authorized, { resource: 'https://api.example.com' });
    expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_target']);
    expect((await redeem(harness, web, authorized, { resource: opaque.identifier })).status).to.equal(200);
  });

  it('refuses a code after 60 seconds', async () => {
    const early = await ask();
    const late = await ask();
    {
      using _ = travel(57);
      expect((await redeem(harness, web, early)).status).to.equal(200);
    }
    using _ = travel(62);
    await expectRefused(redeem(harness, web, late));
  });

  it('refuses what is not a code', async () => {
    for (const code of ['x', 'gac_', `gac_${'A'.repeat(43)}`, '\u0000', 'é', 'x'.repeat(5000)]) {
      await expectRefused(token(harness, web, { grant_type: 'authorization_code', code, redirect_uri: CALLBACK }));
    }
    const missing = await token(harness, web, { grant_type: 'authorization_code', redirect_uri: CALLBACK });
    expect([missing.status, missing.json().error]).to.deep.equal([400, 'invalid_request']);
  });

  it('gives a refresh token only to clients that have the refresh grant', async () => {
    const without = await createClient(harness, { grantTypes: ['authorization_code'] });
    const authorized = await authorize(harness, without, { scope: 'openid offline_access read' });
    expect((await redeem(harness, without, authorized)).json()).to.not.have.property('refresh_token');
  });

  it('refuses the code of an account that was disabled meanwhile', async () => {
    const who = await createAccount(harness);
    const authorized = await authorize(harness, web, { who, scope });
    await harness.services.manageAccounts.disable(who.account.id);
    await expectRefused(redeem(harness, web, authorized));
  });

  it('refuses the code of a person who signed out meanwhile, unless it is for offline access', async () => {
    const browser = new Browser(harness);
    const online = await authorize(harness, web, { browser, scope: 'openid read', who: ADA });
    const offline = await authorize(harness, other, { browser, scope: 'openid read offline_access' });
    await browser.open(harness.url('/oauth2/logout'));
    await browser.submit('Sign out');
    await expectRefused(redeem(harness, web, online));
    expect((await redeem(harness, other, offline)).status).to.equal(200);
  });
});
