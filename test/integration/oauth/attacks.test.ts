import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  assertion,
  authorization,
  authorize,
  createAccount,
  createClient,
  DEMO,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

/** Attacks that once worked. */
describe('a stranger', () => {
  let harness: Harness;
  let keyed: TestClient;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_AUTHORIZATIONS: '1000000' } });
    keyed = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const present = async (client_assertion: string): Promise<number> =>
    (
      await harness.post('/oauth2/token', {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion,
      })
    ).status;
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = (header: object): string =>
    `${part({ typ: 'JWT', ...header })}.${part({ iss: keyed.id, sub: keyed.id, aud: harness.issuer })}.AAAA`;

  it('cannot spoil the registered key of a client by naming another algorithm for it', async () => {
    for (const alg of ['ES384', 'ES512', 'PS256', 'RS256', 'EdDSA', 'none']) await present(unsigned({ alg }));
    expect(await present(await assertion(harness, keyed))).to.equal(200);
  });

  it('cannot make a server error of a time with a fraction', async () => {
    const exp = Date.now() / 1000 + 60.5;
    expect(await present(await assertion(harness, keyed, { claims: { exp } }))).to.equal(200);
  });

  it('cannot write words of their own into the audit trail', async () => {
    const client = await createClient(harness, { authMethod: 'private_key_jwt', grantTypes: ['client_credentials'] });
    const forge = (word: string): string =>
      `${part({ alg: 'ES256', crit: [word] })}.${part({ iss: client.id, sub: client.id })}.AAAA`;
    for (let i = 0; i < 20; i += 1) await present(forge(`word-${i}-${'x'.repeat(2000)}`));
    const events = await harness.services.stores.audit.list({ clientId: client.id, limit: 100 });
    const failures = events.filter(({ type }) => type === 'client.authentication_failed');
    expect(failures.length).to.equal(1);
    expect(JSON.stringify(failures)).to.have.length.below(600).and.not.include('word-');
  });

  it('cannot slow down a public client with secrets it does not have', async () => {
    for (let i = 0; i < 40; i += 1) {
      const fields = { grant_type: 'refresh_token', client_id: 'demo-spa', client_secret: `guess-${i}` };
      expect((await harness.post('/oauth2/token', fields)).status).to.equal(401);
    }
    const reply = await token(harness, DEMO.spa, { grant_type: 'refresh_token', refresh_token: 'x' });
    expect([reply.status, reply.json().error]).to.deep.equal([400, 'invalid_grant']);
  });

  it('leaves no trace of clients that were made up', async () => {
    const before = harness.services.stores.counters.sqlStatements();
    const client_id = 'x'.repeat(60_000);
    for (let i = 0; i < 20; i += 1) {
      const fields = { grant_type: 'client_credentials', client_id, client_secret: `guess-${i}` };
      expect((await harness.post('/oauth2/token', fields)).status).to.equal(401);
    }
    expect(harness.services.stores.counters.sqlStatements() - before).to.be.below(5);
  });

  describe('who knows the old password, or copied the cookie', () => {
    const NEW = 'another long enough password';

    it('does not get in with a sign-in that was begun before the password changed', async () => {
      const who = await createAccount(harness);
      const browser = new Browser(harness);
      await browser.open(authorization(harness, DEMO.web).url);
      const form = browser.page.forms.find(({ action }) => action.endsWith('/sign-in'));
      const reply = await harness.post(
        form?.action ?? '',
        { ...form?.fields, email: who.email, password: who.password },
        { cookie: browser.jar.header(new URL(form?.action ?? '', browser.page.url)) },
      );
      expect(reply.status).to.equal(303);
      await harness.services.manageAccounts.setPassword(who.account.id, NEW);
      const resumed = await browser.open(reply.headers.location ?? '');
      expect([resumed.heading, resumed.callback]).to.deep.equal(['Sign in', null]);
    });

    /** Asks for codes with a copied cookie, many times at once, while `change` happens. */
    async function keepBusy(jar: Browser['jar'], change: () => Promise<unknown>): Promise<void> {
      const url = authorization(harness, DEMO.web, { prompt: 'none' }).url;
      const cookie = jar.header(new URL(url));
      let busy = true;
      const loops = Array.from({ length: 10 }, async () => {
        while (busy) await harness.get(url, { cookie });
      });
      await change();
      busy = false;
      await Promise.all(loops);
      const reply = await harness.get(authorization(harness, DEMO.web, { prompt: 'none' }).url, { cookie });
      expect(new URL(reply.headers.location ?? '').searchParams.get('error')).to.equal('login_required');
    }

    it('cannot keep a session alive through a password change by keeping it busy', async () => {
      const who = await createAccount(harness);
      const { browser } = await authorize(harness, DEMO.web, { who });
      await keepBusy(browser.jar, () => harness.services.manageAccounts.setPassword(who.account.id, NEW));
    });

    it('cannot keep a session alive through the sign-out of its owner by keeping it busy', async () => {
      const who = await createAccount(harness);
      const { browser } = await authorize(harness, DEMO.web, { who });
      const copy = Object.assign(Object.create(Object.getPrototypeOf(browser.jar)), browser.jar);
      const url = new URL(authorization(harness, DEMO.web).url);
      const cookie = browser.jar.header(url);
      copy.header = () => cookie;
      await browser.open(harness.url('/oauth2/logout'));
      await keepBusy(copy, async () => {
        expect((await browser.submit('Sign out')).reply.status).to.equal(200);
      });
      const events = await harness.services.stores.audit.list({ accountId: who.account.id, limit: 100 });
      expect(events.filter(({ type }) => type === 'account.signed_out').length).to.equal(1);
    });
  });
});
