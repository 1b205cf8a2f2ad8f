import { expect } from 'chai';
import { SIGN_IN_BY_ACCOUNT_AND_ADDRESS } from '../../../../src/domain/accounts/sign-in.ts';
import { createWorld, failureOf, fiftyTimes, ORIGIN, PASSWORD } from './world.ts';

const EMAIL = 'ada@example.com';
const NEW = 'another long passphrase';

describe('a change of password', () => {
  it('takes the current one, ends every session and says so to every process', async () => {
    await using world = await createWorld();
    const one = await world.signedIn();
    const other = await world.login.login({ email: EMAIL, password: PASSWORD }, ORIGIN);
    await world.login.changePassword(one.account.id, { currentPassword: PASSWORD, newPassword: NEW }, ORIGIN);
    for (const { refreshToken } of [one, other]) {
      expect(await failureOf(world.login.refresh(refreshToken, ORIGIN))).to.equal('invalid_refresh_token');
    }
    expect(await world.login.sessions(one.account.id)).to.deep.equal([]);
    expect(world.announced).to.include(`account:${one.account.id}`);
    const [event] = await world.audited('account.password_set');
    expect(event).to.include({ accountId: one.account.id, ip: ORIGIN.ip, requestId: ORIGIN.requestId });
    expect(await failureOf(world.login.login({ email: EMAIL, password: PASSWORD }, ORIGIN))).to.equal(
      'invalid_credentials',
    );
    await world.login.login({ email: EMAIL, password: NEW }, ORIGIN);
  });

  it('is no way to guess: 50 at once count as 50 sign-ins', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    const guess = { currentPassword: 'not the password at all', newPassword: NEW };
    const answers = await fiftyTimes(() => failureOf(world.login.changePassword(account.id, guess, ORIGIN)));
    expect(answers.filter((code) => code === 'invalid_credentials')).to.have.length(
      SIGN_IN_BY_ACCOUNT_AND_ADDRESS.freeAttempts,
    );
    expect(answers.filter((code) => code === 'too_many_requests')).to.have.length(45);
    const right = { currentPassword: PASSWORD, newPassword: NEW };
    expect(await failureOf(world.login.changePassword(account.id, right, ORIGIN))).to.equal('too_many_requests');
    expect(await world.audited('account.sign_in_failed')).to.have.length(SIGN_IN_BY_ACCOUNT_AND_ADDRESS.freeAttempts);
    expect(await world.audited('account.sign_in_throttled')).to.have.length(1);
  });

  it('is no sign-in in the audit trail', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    await world.login.changePassword(account.id, { currentPassword: PASSWORD, newPassword: NEW }, ORIGIN);
    expect(await world.audited('account.signed_in')).to.have.length(1);
  });

  it('names the field when the new one is too weak, and counts no attempt for it', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    for (let i = 0; i < 10; i += 1) {
      const attempt = world.login.changePassword(
        account.id,
        { currentPassword: PASSWORD, newPassword: 'short' },
        ORIGIN,
      );
      const error = await attempt.catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'invalid_request');
      expect(error).to.have.nested.property('facts.fields[0].field', 'newPassword');
    }
    await world.login.changePassword(account.id, { currentPassword: PASSWORD, newPassword: NEW }, ORIGIN);
  });

  it('is refused when an operator replaced the password between the check and the change', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    world.during.hash = async () => {
      const nowMs = world.nowSeconds() * 1000;
      await world.stores.accounts.update(account.id, { passwordHash: null, signedOutAt: nowMs }, nowMs);
    };
    const change = { currentPassword: PASSWORD, newPassword: 'the passphrase of a thief' };
    expect(await failureOf(world.login.changePassword(account.id, change, ORIGIN))).to.equal('invalid_credentials');
    expect((await world.stores.accounts.find(account.id))?.passwordHash).to.equal(null);
  });

  it('is refused for an account that is gone', async () => {
    await using world = await createWorld();
    const change = world.login.changePassword('acc_nobody', { currentPassword: PASSWORD, newPassword: NEW }, ORIGIN);
    expect(await failureOf(change)).to.equal('invalid_credentials');
  });
});
