import { expect } from 'chai';
import { auditOf, call, good, outcome, signIn } from '../../support/api-client.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const PASSWORD = 'a long enough password to sign up';

describe('signing up by JSON', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const signUp = (body: object) => call(harness, 'POST /v1/auth/sign-up', { body });

  it('makes an account that can sign in, and answers with nothing that opens it', async () => {
    const reply = await signUp({ email: 'Grace@Example.com', password: PASSWORD, given_name: 'Grace' });
    expect(reply.status).to.equal(201);
    const { id, created_at, ...account } = reply.json();
    expect(id).to.match(/^acc_/);
    expect(Date.parse(created_at)).to.be.closeTo(Date.now(), 5000);
    expect(account).to.deep.equal({
      email: 'Grace@Example.com',
      email_verified: false,
      given_name: 'Grace',
      family_name: null,
    });
    expect((await signIn(harness, { email: 'grace@example.com', password: PASSWORD })).id).to.equal(id);
    expect(await auditOf(harness, 'account.created', id)).to.have.length(1);
  });

  it('says so when the address has an account, however it is written, and changes nothing', async () => {
    await good(signUp({ email: 'taken@example.com', password: PASSWORD }));
    for (const email of ['taken@example.com', 'TAKEN@example.com', ' taken@example.com ', 'ｔaken@example.com']) {
      expect(await outcome(signUp({ email, password: 'another long enough password' }))).to.equal('409 email_taken');
    }
    await signIn(harness, { email: 'taken@example.com', password: PASSWORD });
  });

  it('makes one account of 50 that want the same address at once', async () => {
    const open = await openHarness();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        call(open.harness, 'POST /v1/auth/sign-up', {
          body: { email: 'race@example.com', password: `${PASSWORD} ${i}` },
          headers: { 'x-forwarded-for': `198.51.100.${i}` },
        }),
      ),
    );
    const made = replies.filter(({ status }) => status === 201);
    expect(made).to.have.length(1);
    for (const reply of replies) expect(await outcome(reply)).to.be.oneOf(['201', '409 email_taken']);
    await open.close();
  });

  it('holds to the rules for addresses, names and passwords, and names what breaks them', async () => {
    const wrong: [object, string][] = [
      [{ email: 'no address', password: PASSWORD }, 'email'],
      [{ email: 'nul\u0000@example.com', password: PASSWORD }, 'email'],
      [{ email: 'rules@example.com', password: 'short' }, 'password'],
      [{ email: 'rules@example.com', password: 'rules@example.com' }, 'password'],
      [{ email: 'rules@example.com', password: 'x'.repeat(1025) }, 'password'],
      [{ email: 'rules@example.com', password: PASSWORD, given_name: '\u0000' }, 'given_name'],
      [{ email: 'rules@example.com', password: PASSWORD, family_name: 'a\u0007b' }, 'family_name'],
      [{ email: 'rules@example.com', password: PASSWORD, email_verified: true }, 'email_verified'],
      [{ email: 'rules@example.com', password: PASSWORD, scopes: ['manage'] }, 'scopes'],
      [{ email: 'rules@example.com' }, 'password'],
    ];
    const open = await openHarness();
    for (const [index, [body, field]] of wrong.entries()) {
      const reply = await call(open.harness, 'POST /v1/auth/sign-up', {
        body,
        headers: { 'x-forwarded-for': `198.51.100.${index}` },
      });
      expect([reply.status, reply.json().fields?.[0]?.field], JSON.stringify(body)).to.deep.equal([400, field]);
    }
    expect(await open.harness.services.stores.accounts.findByEmail('rules@example.com')).to.equal(null);
    await open.close();
  });

  it('is for few accounts from one address, and counts 50 at once one by one', async () => {
    const open = await openHarness();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        call(open.harness, 'POST /v1/auth/sign-up', { body: { email: `many-${i}@example.com`, password: 'short' } }),
      ),
    );
    const throttled = replies.filter(({ status }) => status === 429);
    expect(throttled).to.have.length(40);
    expect(Number(throttled[0]?.headers['retry-after'])).to.be.greaterThan(0);
    await open.close();
  });

  it('is closed when the operator says so, to addresses that are taken too', async () => {
    const closed = await startHarness({ env: { GATEHOUSE_SIGN_UP: 'closed' } });
    for (const email of ['ada@example.com', 'new@example.com']) {
      const body = { email, password: PASSWORD };
      expect(await outcome(call(closed, 'POST /v1/auth/sign-up', { body }))).to.equal('403 sign_up_closed');
    }
    await closed[Symbol.asyncDispose]();
  });
});

/** Behind a proxy that says who calls, so that callers can be told apart. */
async function openHarness() {
  const harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' } });
  return { harness, close: () => harness[Symbol.asyncDispose]() };
}
