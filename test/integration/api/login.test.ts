import { expect } from 'chai';
import { auditOf, call, good, isAccepted, outcome, signIn, withoutRequestId } from '../../support/api-client.ts';
import { Browser } from '../../support/browser.ts';
import { authorization, claimsOf, createAccount, DEMO } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const PROXY = { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' };

describe('the JSON login', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({ env: PROXY });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  let counter = 0;
  const next = (): string => {
    counter += 1;
    return counter.toString(16);
  };
  /** Each caller from an address of its own, unless told. */
  function login(body: object, from = `2001:db8:${next()}::1`) {
    return call(harness, 'POST /v1/auth/login', { body, headers: { 'x-forwarded-for': from } });
  }

  it('answers an access token of RFC 9068 and a refresh token, for this server and no other', async () => {
    const { account, email, password } = await createAccount(harness);
    const reply = await login({ email, password });
    expect(reply.headers['cache-control']).to.equal('no-store');
    expect(reply.cookies).to.deep.equal([]);
    const answer = reply.json();
    expect(answer).to.include({ token_type: 'Bearer', expires_in: 900 });
    expect(answer.account.id).to.equal(account.id);
    expect(answer.refresh_token).to.match(/^grt_[A-Za-z0-9_-]{43}$/);
    const claims = claimsOf(answer.access_token);
    expect(claims).to.include({
      iss: harness.issuer,
      aud: harness.issuer,
      sub: account.id,
      client_id: 'gatehouse',
      sid: answer.session_id,
    });
    expect(claims.exp - claims.iat).to.equal(900);
    const header = JSON.parse(Buffer.from(answer.access_token.split('.')[0], 'base64url').toString());
    expect(header).to.include({ typ: 'at+jwt', alg: 'ES256' });
  });

  it('tells nobody whether an account exists: unknown, wrong, disabled and without password are one answer', async () => {
    const known = await createAccount(harness);
    const disabled = await createAccount(harness);
    await harness.services.manageAccounts.disable(disabled.account.id);
    const without = await harness.services.manageAccounts.create({ email: 'nopass@example.com', password: null });
    const replies = await Promise.all([
      login({ email: 'nobody@example.com', password: known.password }),
      login({ email: known.email, password: `${known.password}x` }),
      login({ email: disabled.email, password: disabled.password }),
      login({ email: without.email, password: known.password }),
      login({ email: 'no address at all', password: known.password }),
    ]);
    for (const reply of replies) {
      expect(await outcome(reply)).to.equal('401 invalid_credentials');
      expect(withoutRequestId(reply)).to.equal(withoutRequestId(replies[0] as (typeof replies)[0]));
      expect(Object.keys(reply.headers)).to.deep.equal(Object.keys(replies[0]?.headers ?? {}));
    }
  });

  it('costs an unknown user what it costs a known one', async () => {
    const { email, password } = await createAccount(harness);
    const median = async (body: () => object): Promise<number> => {
      const times: number[] = [];
      for (let i = 0; i < 15; i += 1) {
        const before = performance.now();
        await login(body());
        times.push(performance.now() - before);
      }
      return times.sort((a, b) => a - b)[7] as number;
    };
    const unknown = await median(() => ({ email: `unknown-${next()}@example.com`, password }));
    const right = await median(() => ({ email, password }));
    // A hash costs many times what all the rest does: without one this would be a tenth.
    expect(unknown / right).to.be.within(0.4, 2.5);
  });

  it('slows guessing down, whoever guesses and at which way in, and lets the next wait be known', async () => {
    const { email, password } = await createAccount(harness);
    const from = { 'x-forwarded-for': `2001:db8:${next()}::1` };
    const guess = (body: object) => login(body, from['x-forwarded-for']);
    for (let i = 0; i < 3; i += 1) expect((await guess({ email, password: 'wrong' })).status).to.equal(401);
    const browser = new Browser(harness);
    await browser.open(authorization(harness, DEMO.web).url);
    for (let i = 0; i < 2; i += 1) await browser.submit('/sign-in', { email, password: 'wrong' }, from);
    const refused = await guess({ email, password });
    expect(await outcome(refused)).to.equal('429 too_many_requests');
    expect(Number(refused.headers['retry-after'])).to.be.greaterThan(0);
    // And the page knows of the guesses here.
    const other = await createAccount(harness);
    for (let i = 0; i < 5; i += 1) await guess({ email: other.email, password: 'wrong' });
    await browser.submit('/sign-in', { email: other.email, password: other.password }, from);
    expect(browser.page.reply.status).to.equal(429);
  });

  it('counts 50 parallel guesses one by one', async () => {
    const { email, password } = await createAccount(harness);
    const from = `2001:db8:${next()}::1`;
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) => login({ email, password: `wrong ${i}` }, from)),
    );
    expect(replies.filter(({ status }) => status === 401)).to.have.length(5);
    expect(replies.filter(({ status }) => status === 429)).to.have.length(45);
    expect((await login({ email, password }, from)).status).to.equal(429);
  });

  it('throttles an unknown user like a known one', async () => {
    const from = `2001:db8:${next()}::1`;
    const replies = await Promise.all(
      Array.from({ length: 12 }, () => login({ email: 'not-here@example.com', password: 'wrong' }, from)),
    );
    expect(replies.filter(({ status }) => status === 401)).to.have.length(5);
  });

  it('takes JSON alone: a form could be posted by any page on the web', async () => {
    const { email, password } = await createAccount(harness);
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
      const reply = await call(harness, 'POST /v1/auth/login', {
        body: JSON.stringify({ email, password }),
        headers: { 'content-type': type },
      });
      expect(await outcome(reply)).to.equal('415 unsupported_media_type');
    }
    const inUrl = await call(harness, `POST /v1/auth/login?email=${email}&password=${encodeURIComponent(password)}`);
    expect(inUrl.status).to.equal(400);
  });

  it('is written to the audit trail as the sign-in page is, without the password', async () => {
    const { account, email, password } = await createAccount(harness);
    await login({ email, password: 'wrong' });
    await login({ email, password });
    expect((await auditOf(harness, 'account.signed_in', account.id)).map(({ clientId }) => clientId)).to.deep.equal([
      'gatehouse',
    ]);
    const [failed] = await auditOf(harness, 'account.sign_in_failed', account.id);
    expect(failed?.details).to.deep.equal({ reason: 'wrong-password' });
  });

  it('tells its token who it is', async () => {
    const person = await signIn(harness, await createAccount(harness));
    const me = await good(call(harness, 'GET /v1/auth/me', { as: person.token }));
    expect(me).to.include({ id: person.id, email: person.email });
    expect(me.scopes).to.have.members(['read', 'write', 'manage']);
    expect(await isAccepted(harness, person.token)).to.equal(true);
  });
});
