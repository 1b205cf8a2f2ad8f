import { expect } from 'chai';
import { SIGN_UP_BY_ADDRESS } from '../../../../src/domain/login/create-login.ts';
import { createWorld, failureOf, fiftyTimes, ORIGIN, PASSWORD } from './world.ts';

const INPUT = { email: 'ada@example.com', password: PASSWORD, givenName: 'Ada' };

describe('a sign-up', () => {
  it('makes an account that can sign in, with an address nobody has proven yet', async () => {
    await using world = await createWorld();
    const account = await world.login.signUp(INPUT, ORIGIN);
    expect(account).to.include({ email: INPUT.email, givenName: 'Ada', familyName: null, emailVerified: false });
    expect((await world.login.login(INPUT, ORIGIN)).account.id).to.equal(account.id);
    const [event] = await world.audited('account.created');
    expect(event).to.include({ accountId: account.id, ip: ORIGIN.ip, requestId: ORIGIN.requestId });
  });

  it('is refused while sign-up is closed, whatever the input', async () => {
    await using world = await createWorld({ signUpOpen: false });
    expect(await failureOf(world.login.signUp(INPUT, ORIGIN))).to.equal('sign_up_closed');
    expect(await failureOf(world.login.signUp({ email: '', password: '' }, ORIGIN))).to.equal('sign_up_closed');
    expect(await world.stores.accounts.list({ limit: 10 })).to.deep.equal([]);
  });

  it('names the field that is wrong', async () => {
    await using world = await createWorld();
    for (const [field, change] of [
      ['email', { email: 'ada' }],
      ['password', { password: 'short' }],
      ['password', { email: 'ada-of-london@example.com', password: 'ADA-of-london@example.com' }],
      ['givenName', { givenName: 'a\u0000b' }],
    ] as const) {
      const error = await world.login.signUp({ ...INPUT, ...change }, ORIGIN).catch((thrown: unknown) => thrown);
      expect(error).to.have.property('code', 'invalid_request');
      expect(error).to.have.nested.property('facts.fields[0].field', field);
    }
  });

  it('gives an address to exactly one of many who want it at once, in any spelling', async () => {
    await using world = await createWorld();
    const answers = await fiftyTimes((index) =>
      failureOf(
        world.login.signUp(
          { ...INPUT, email: index % 2 === 0 ? 'Ada@Example.com' : 'ada@example.com' },
          { ...ORIGIN, addressGroup: `192.0.2.${index}` },
        ),
      ),
    );
    expect(answers.filter((code) => code === 'nothing')).to.have.length(1);
    expect(answers.filter((code) => code === 'email_taken')).to.have.length(49);
  });

  it('hashes the password before it says that the address is taken', async () => {
    await using world = await createWorld();
    await world.login.signUp(INPUT, ORIGIN);
    const hashed = world.hashed();
    expect(await failureOf(world.login.signUp(INPUT, ORIGIN))).to.equal('email_taken');
    expect(world.hashed()).to.equal(hashed + 1);
  });

  it('is throttled by address: of 50 at once no more than the free ones get through', async () => {
    await using world = await createWorld();
    const attempt = (index: number, addressGroup: string) =>
      failureOf(world.login.signUp({ ...INPUT, email: `user-${index}@example.com` }, { ...ORIGIN, addressGroup }));
    const answers = await fiftyTimes((index) => attempt(index, ORIGIN.addressGroup));
    expect(answers.filter((code) => code === 'nothing')).to.have.length(SIGN_UP_BY_ADDRESS.freeAttempts);
    expect(answers.filter((code) => code === 'too_many_requests')).to.have.length(40);
    expect(await attempt(50, '198.51.100.7')).to.equal('nothing');
  });
});
