import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  authorization,
  authorize,
  challengeOf,
  createClient,
  DEMO,
  introspect,
  redeem,
  type TestClient,
} from '../../support/builders.ts';
import { type Fields, type Harness, startHarness } from '../../support/harness.ts';

describe('PKCE', () => {
  let harness: Harness;
  let waived: TestClient;
  before(async () => {
    harness = await startHarness();
    waived = await createClient(harness, { requirePkce: false });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  async function errorOf(client: { id: string }, changes: Fields): Promise<string | null> {
    const page = await new Browser(harness).open(authorization(harness, client, changes).url);
    expect(page.callback, page.text).to.not.equal(null);
    return page.answer.get('error');
  }

  const without: Fields = { code_challenge: undefined, code_challenge_method: undefined };

  it('is required of every client, public or confidential', async () => {
    for (const client of [DEMO.web, DEMO.spa]) expect(await errorOf(client, without)).to.equal('invalid_request');
    const native = { ...without, redirect_uri: 'http://127.0.0.1:4000/callback' };
    expect(await errorOf(DEMO.native, native)).to.equal('invalid_request');
  });

  it('knows S256 only: plain, in words or by default, is refused', async () => {
    const verifier = 'v'.repeat(43);
    for (const client of [DEMO.web, waived]) {
      expect(await errorOf(client, { code_challenge: verifier, code_challenge_method: 'plain' })).to.equal(
        'invalid_request',
      );
      expect(await errorOf(client, { code_challenge: verifier, code_challenge_method: undefined })).to.equal(
        'invalid_request',
      );
      expect(await errorOf(client, { code_challenge_method: 's256' })).to.equal('invalid_request');
      expect(await errorOf(client, { code_challenge: undefined })).to.equal('invalid_request');
    }
  });

  it('takes no challenge but 43 characters of base64url', async () => {
    for (const code_challenge of [
      'x',
      'x'.repeat(42),
      'x'.repeat(44),
      'x'.repeat(129),
      `${'x'.repeat(42)}=`,
      `${'x'.repeat(42)}+`,
      `${'x'.repeat(42)}é`,
    ]) {
      expect([code_challenge, await errorOf(DEMO.web, { code_challenge })]).to.deep.equal([
        code_challenge,
        'invalid_request',
      ]);
    }
  });

  it('can be waived for a confidential client, and for no other', async () => {
    const authorized = await authorize(harness, waived, without);
    const reply = await redeem(harness, waived, authorized, { code_verifier: undefined });
    expect(reply.status).to.equal(200);

    const refused = await createClient(harness, { authMethod: 'none', requirePkce: false }).catch((error) => error);
    expect(refused.code).to.equal('invalid_request');
    const spa = await createClient(harness, { authMethod: 'none' });
    const update = await harness.services.manageClients.update(spa.id, { requirePkce: false }).catch((error) => error);
    expect(update.code).to.equal('invalid_request');
  });

  it('stops a downgrade: a verifier for a code without a challenge is refused', async () => {
    const authorized = await authorize(harness, waived, without);
    const reply = await redeem(harness, waived, authorized);
    expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
  });

  it('is enforced for a client with a waiver that used it all the same', async () => {
    const authorized = await authorize(harness, waived);
    const reply = await redeem(harness, waived, authorized, { code_verifier: undefined });
    expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
    expect((await redeem(harness, waived, authorized)).status).to.equal(200);
  });

  it('with a wrong or missing verifier refuses, burns nothing and revokes nothing', async () => {
    for (const client of [DEMO.web, DEMO.spa]) {
      const authorized = await authorize(harness, client, { scope: 'openid read offline_access' });
      const { verifier } = authorized.request;
      for (const code_verifier of [
        undefined,
        '',
        'x'.repeat(43),
        `${verifier}x`,
        verifier.toLowerCase(),
        challengeOf(verifier),
      ]) {
        const reply = await redeem(harness, client, authorized, { code_verifier });
        expect([code_verifier, reply.status, reply.json().error]).to.deep.equal([code_verifier, 400, 'invalid_grant']);
      }
      for (const code_verifier of ['short', 'x'.repeat(129), `${'x'.repeat(43)} `, 'é'.repeat(43)]) {
        const reply = await redeem(harness, client, authorized, { code_verifier });
        expect([code_verifier, reply.status, reply.json().error]).to.deep.equal([
          code_verifier,
          400,
          'invalid_request',
        ]);
      }
      const tokens = await redeem(harness, client, authorized);
      expect(tokens.status).to.equal(200);
      expect((await introspect(harness, DEMO.api, tokens.json().access_token)).json().active).to.equal(true);
    }
  });
});
