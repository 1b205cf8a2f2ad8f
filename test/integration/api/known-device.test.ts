import { expect } from 'chai';
import { auditOf, call, good, outcome } from '../../support/api-client.ts';
import { createAccount } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const PROXY = { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' };

describe('a JSON login', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness({ env: { ...PROXY, GATEHOUSE_SIGN_IN_FAILURES: '20' } });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  let addresses = 0;
  const newAddress = (): string => {
    addresses += 1;
    return `198.18.${addresses >> 8}.${addresses & 255}`;
  };
  const login = (body: object, from: string, headers: Record<string, string> = {}) =>
    call(harness, 'POST /v1/auth/login', { body, headers: { 'x-forwarded-for': from, ...headers } });
  const credentials = async () => {
    const { email, password } = await createAccount(harness);
    return { email, password };
  };
  /** An address from which the account can be tried no more for now. */
  async function wornAddress(email: string): Promise<string> {
    const from = newAddress();
    for (let i = 0; i < 8; i += 1) await login({ email, password: 'wrong' }, from);
    return from;
  }

  it('gets in with a device token, as member or header, where others have guessed too often', async () => {
    const { email, password } = await createAccount(harness);
    const first = await login({ email, password }, newAddress());
    const { device_token: deviceToken } = await good(Promise.resolve(first));
    expect(deviceToken).to.match(/^gdt_/);
    expect(first.headers['gatehouse-device']).to.equal(deviceToken);
    const from = await wornAddress(email);
    expect(await outcome(login({ email, password }, from))).to.equal('429 too_many_requests');
    expect(await outcome(login({ email, password, device_token: deviceToken }, from))).to.equal('200');
    expect(await outcome(login({ email, password }, from, { 'gatehouse-device': deviceToken }))).to.equal('200');
  });

  it('gets in with a refresh token of the account, used or not', async () => {
    const { email, password } = await createAccount(harness);
    const { refresh_token: used } = await good(login({ email, password }, newAddress()));
    const { refresh_token: live } = await good(
      call(harness, 'POST /v1/auth/refresh', { body: { refresh_token: used } }),
    );
    const from = await wornAddress(email);
    for (const token of [used, live]) {
      expect(await outcome(login({ email, password, device_token: token }, from))).to.equal('200');
    }
  });

  it('has no use for the device token or refresh token of another account', async () => {
    const [mine, theirs] = [await credentials(), await credentials()];
    const own = await good(login(mine, newAddress()));
    const from = await wornAddress(theirs.email);
    for (const token of [own.device_token, own.refresh_token]) {
      const guess = { email: theirs.email, password: 'wrong', device_token: token };
      expect(await outcome(login(guess, from))).to.equal('429 too_many_requests');
      expect(await outcome(login({ ...theirs, device_token: token }, from))).to.equal('429 too_many_requests');
    }
  });

  it('has no use for a device token that was changed, made up or cut short', async () => {
    const { email, password } = await createAccount(harness);
    const other = await credentials();
    const { device_token: token } = await good(login({ email, password }, newAddress()));
    const { device_token: foreign } = await good(login(other, newAddress()));
    const from = await wornAddress(email);
    const parts = String(token).split('.');
    const proof = String(foreign).split('.').at(-1);
    const later = [parts[0], parts[1], Number(parts[2]) + 1, parts[3]].join('.');
    const borrowed = [...String(foreign).split('.').slice(0, 1), parts[1], parts[2], proof].join('.');
    for (const bad of [later, borrowed, String(token).slice(0, -1), `${token}x`, 'gdt_', 'grt_x']) {
      expect(await outcome(login({ email, password, device_token: bad }, from))).to.equal('429 too_many_requests');
    }
  });

  it('counts the guesses of a known device too, and only against that device', async () => {
    const { email, password } = await createAccount(harness);
    const { device_token: stolen } = await good(login({ email, password }, newAddress()));
    const { device_token: own } = await good(login({ email, password }, newAddress()));
    const guess = { email, password: 'wrong', device_token: stolen };
    const replies = await Promise.all(Array.from({ length: 50 }, () => login(guess, newAddress())));
    expect(replies.filter(({ status }) => status === 401)).to.have.length(5);
    expect(await outcome(login({ email, password, device_token: stolen }, newAddress()))).to.equal(
      '429 too_many_requests',
    );
    expect(await outcome(login({ email, password, device_token: own }, newAddress()))).to.equal('200');
  });

  it('knows no device any more from before a new password', async () => {
    const { account, email, password } = await createAccount(harness);
    const before = await good(login({ email, password }, newAddress()));
    const next = 'a brand new password of mine';
    await harness.services.manageAccounts.setPassword(account.id, next, { ip: '198.18.0.1', requestId: 'req' });
    const from = await wornAddress(email);
    for (const token of [before.device_token, before.refresh_token]) {
      const reply = login({ email, password: next, device_token: token }, from);
      expect(await outcome(reply)).to.equal('429 too_many_requests');
    }
  });

  it('may succeed from one address as often as it likes', async () => {
    const { email, password } = await createAccount(harness);
    const from = newAddress();
    for (let i = 0; i < 40; i += 1) expect((await login({ email, password }, from)).status).to.equal(200);
  });

  it('that succeeds gives an address no more guesses at others', async () => {
    const own = await credentials();
    const from = newAddress();
    let guesses = 0;
    for (let i = 0; i < 45; i += 1) {
      const reply = await login({ email: `victim-${i}@example.com`, password: 'one password for all' }, from);
      if (reply.status === 401) guesses += 1;
      if (i < 18) expect((await login(own, from)).status).to.equal(200);
    }
    // Twenty, and one every two seconds of the time it took.
    expect(guesses).to.be.within(20, 35);
    const [event] = await auditOf(harness, 'account.sign_in_throttled');
    expect(event?.details).to.deep.equal({ counter: 'sign-in-from-address' });
  });
});
