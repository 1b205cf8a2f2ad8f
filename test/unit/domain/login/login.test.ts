import { expect } from 'chai';
import { jwtVerify } from 'jose';
import { SIGN_IN_BY_ACCOUNT_AND_ADDRESS } from '../../../../src/domain/accounts/sign-in.ts';
import type { LoginTokens } from '../../../../src/domain/login/login.ts';
import {
  AUDIENCE,
  createWorld,
  failureOf,
  fiftyTimes,
  ISSUER,
  LIFETIMES,
  ORIGIN,
  PASSWORD,
  type World,
} from './world.ts';

const EMAIL = 'ada@example.com';

async function claimsOf(world: World, { accessToken }: LoginTokens) {
  const { publicKey } = world.keySet.signer('ES256');
  const currentDate = new Date(world.nowSeconds() * 1000);
  return jwtVerify(accessToken, publicKey, { issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', currentDate });
}

describe('the JSON login', () => {
  it('hands out an access token that says who signed in, when, in which session and for what', async () => {
    await using world = await createWorld();
    const tokens = await world.signedIn();
    const { payload, protectedHeader } = await claimsOf(world, tokens);
    expect(protectedHeader.alg).to.equal('ES256');
    const { iat = 0, exp = 0, jti, ...claims } = payload;
    expect(claims).to.deep.equal({
      iss: ISSUER,
      sub: tokens.account.id,
      aud: AUDIENCE,
      client_id: 'gatehouse',
      scope: 'read write',
      sid: tokens.session.id,
      auth_time: tokens.session.signedInAt,
    });
    expect(jti).to.have.length(43);
    expect(exp - iat).to.equal(LIFETIMES.accessToken);
    expect(exp).to.equal(tokens.accessTokenExpiresAt);
    expect(tokens.session).to.include({ ip: ORIGIN.ip, userAgent: ORIGIN.userAgent, accountId: tokens.account.id });
    expect(tokens.session.id).to.match(/^ses_/);
    expect(tokens.refreshToken).to.match(/^grt_[A-Za-z0-9_-]{43}$/);
  });

  it('gives no scopes but the ones of the account', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    await world.manageAccounts.setScopes(account.id, ['read']);
    const tokens = await world.login.login({ email: EMAIL, password: PASSWORD }, ORIGIN);
    expect(tokens.scopes).to.deep.equal(['read']);
    expect((await claimsOf(world, tokens)).payload.scope).to.equal('read');
  });

  it('gives no token that outlives its session', async () => {
    await using world = await createWorld({ lifetimes: { accessToken: 9000, sessionIdle: 9000 } });
    const { session, accessTokenExpiresAt, refreshTokenExpiresAt } = await world.signedIn();
    expect(session.expiresAt - session.signedInAt).to.equal(LIFETIMES.sessionAbsolute);
    expect([accessTokenExpiresAt, refreshTokenExpiresAt]).to.deep.equal([session.expiresAt, session.expiresAt]);
  });

  it('keeps nothing that opens anything', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    const { tokens } = world.stores;
    const kept = JSON.stringify([
      await tokens.listByAccount('LoginSession', first.account.id, 100),
      await tokens.listByAccount('LoginRefreshToken', first.account.id, 100),
      await world.stores.audit.list({ limit: 1000 }),
    ]);
    expect(kept).to.include('"receipt":"v1.');
    for (const { accessToken, refreshToken } of [first, second]) {
      for (const secret of [accessToken, accessToken.split('.')[2] ?? '', refreshToken, refreshToken.slice(4)]) {
        expect(kept).not.to.include(secret);
      }
    }
  });

  it('answers unknown, wrong and disabled alike, and writes down which it was', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    const attempt = (email: string, password: string) => failureOf(world.login.login({ email, password }, ORIGIN));
    const answers = [await attempt('nobody@example.com', PASSWORD), await attempt(EMAIL, 'not the password at all')];
    await world.manageAccounts.disable(account.id);
    answers.push(await attempt(EMAIL, PASSWORD));
    expect(answers).to.deep.equal(Array(3).fill('invalid_credentials'));
    const failed = await world.audited('account.sign_in_failed');
    expect(failed.map(({ details }) => details.reason).sort()).to.deep.equal(['disabled', 'unknown', 'wrong-password']);
    for (const event of failed) expect(event).to.include({ clientId: 'gatehouse', ip: ORIGIN.ip });
    const [signedIn] = await world.audited('account.signed_in');
    expect(signedIn).to.include({ accountId: account.id, clientId: 'gatehouse', requestId: ORIGIN.requestId });
  });

  it('counts 50 parallel guesses as 50, together with those on the sign-in page', async () => {
    await using world = await createWorld();
    await world.manageAccounts.create({ email: EMAIL, password: PASSWORD });
    const guess = { email: EMAIL, password: 'not the password at all' };
    const answers = await fiftyTimes(() => failureOf(world.login.login(guess, ORIGIN)));
    expect(answers.filter((code) => code === 'invalid_credentials')).to.have.length(
      SIGN_IN_BY_ACCOUNT_AND_ADDRESS.freeAttempts,
    );
    expect(answers.filter((code) => code === 'too_many_requests')).to.have.length(45);
    const onPage = await world.signIn({
      email: EMAIL,
      password: PASSWORD,
      addressGroup: ORIGIN.addressGroup,
      knownDevice: null,
    });
    expect(onPage).to.include({ kind: 'throttled', by: SIGN_IN_BY_ACCOUNT_AND_ADDRESS.name });
    // Once a minute: strangers must not fill the audit trail.
    const [throttled, ...more] = await world.audited('account.sign_in_throttled');
    expect(throttled?.details).to.deep.equal({ counter: SIGN_IN_BY_ACCOUNT_AND_ADDRESS.name });
    expect(more).to.have.length(0);
  });

  it('lets an account in again that was signed out by a clock far ahead, and nothing of before', async () => {
    await using world = await createWorld();
    const { account } = await world.signedIn();
    const ahead = (world.nowSeconds() + 365 * 86_400) * 1000;
    await world.stores.accounts.update(account.id, { signedOutAt: ahead }, ahead);
    expect(await world.login.sessions(account.id)).to.deep.equal([]);
    await world.login.login({ email: EMAIL, password: PASSWORD }, ORIGIN);
    expect(await world.login.sessions(account.id)).to.have.length(1);
  });

  it('says how long to wait', async () => {
    await using world = await createWorld();
    await world.manageAccounts.create({ email: EMAIL, password: PASSWORD });
    const attempt = () => world.login.login({ email: EMAIL, password: 'not the password at all' }, ORIGIN);
    for (let i = 0; i < SIGN_IN_BY_ACCOUNT_AND_ADDRESS.freeAttempts; i += 1) await failureOf(attempt());
    const error = await attempt().catch((thrown: unknown) => thrown);
    expect(error).to.include({
      code: 'too_many_requests',
      retryAfterSeconds: SIGN_IN_BY_ACCOUNT_AND_ADDRESS.firstDelaySeconds,
    });
  });
});

describe('the sessions of an account', () => {
  it('are new with every sign-in, and listed newest first without those of others', async () => {
    await using world = await createWorld();
    const { account, session } = await world.signedIn();
    await world.signedIn('grace@example.com');
    const ids = [session.id];
    for (let i = 0; i < 2; i += 1) {
      world.advance(60);
      const { session } = await world.login.login({ email: EMAIL, password: PASSWORD }, ORIGIN);
      ids.unshift(session.id);
    }
    expect(new Set(ids).size).to.equal(3);
    expect((await world.login.sessions(account.id)).map(({ id }) => id)).to.deep.equal(ids);
    expect(await world.login.sessions('acc_nobody')).to.deep.equal([]);
  });

  it('are not listed once they have expired or their account was signed out', async () => {
    await using world = await createWorld();
    const { account, session } = await world.signedIn();
    // A sign-in that was under way while the account was signed out may write its session afterwards.
    const { tokens } = world.stores;
    const [record] = await tokens.listByAccount('LoginSession', account.id, 1);
    await world.manageAccounts.setPassword(account.id, 'another long passphrase');
    if (record) await tokens.insert(record);
    expect(await world.login.sessions(account.id)).to.deep.equal([]);
    const again = await world.login.login({ email: EMAIL, password: 'another long passphrase' }, ORIGIN);
    expect((await world.login.sessions(account.id)).map(({ id }) => id)).to.deep.equal([again.session.id]);
    expect(session.id).not.to.equal(again.session.id);
    world.advance(LIFETIMES.sessionAbsolute);
    expect(await world.login.sessions(account.id)).to.deep.equal([]);
  });

  it('end one by one, each for its own account only, and once', async () => {
    await using world = await createWorld();
    const one = await world.signedIn();
    const other = await world.login.login({ email: EMAIL, password: PASSWORD }, ORIGIN);
    const grace = await world.signedIn('grace@example.com');
    const accountId = one.account.id;

    expect(await world.login.endSession(grace.account.id, one.session.id, ORIGIN)).to.equal(false);
    expect(await world.login.endSession(accountId, 'ses_nothing', ORIGIN)).to.equal(false);
    const ended = await fiftyTimes(() => world.login.endSession(accountId, one.session.id, ORIGIN));
    expect(ended.filter(Boolean)).to.have.length(1);

    expect(await failureOf(world.login.refresh(one.refreshToken, ORIGIN))).to.equal('invalid_refresh_token');
    expect((await world.login.sessions(accountId)).map(({ id }) => id)).to.deep.equal([other.session.id]);
    await world.login.refresh(other.refreshToken, ORIGIN);
    const audited = await world.audited('account.signed_out');
    expect(audited).to.have.length(1);
    expect(audited[0]).to.include({ accountId, clientId: 'gatehouse', requestId: ORIGIN.requestId });
    expect(world.announced).to.include(`grant:${one.session.id}`);
  });

  it('end by any of their refresh tokens, and a token nobody knows is no news', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    await world.login.endSessionOf('grt_of-nobody', ORIGIN);
    await world.login.endSessionOf(first.refreshToken, ORIGIN);
    expect(await failureOf(world.login.refresh(second.refreshToken, ORIGIN))).to.equal('invalid_refresh_token');
    await world.login.endSessionOf(first.refreshToken, ORIGIN);
    expect(await world.audited('account.signed_out')).to.have.length(1);
  });
});
