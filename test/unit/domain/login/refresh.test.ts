import { expect } from 'chai';
import type { LoginTokens } from '../../../../src/domain/login/login.ts';
import { createWorld, failureOf, fiftyTimes, LIFETIMES, ORIGIN, type World } from './world.ts';

const ELSEWHERE = { ...ORIGIN, ip: '198.51.100.7', addressGroup: '198.51.100.7' };
const DEAD = 'invalid_refresh_token';

const refreshTokens = (world: World, { account }: LoginTokens) =>
  world.stores.tokens.listByAccount('LoginRefreshToken', account.id, 1000);

/** Nothing of a session works or is listed. The newest token first: trying an old one could be what ends the session. */
async function expectEnded(world: World, accountId: string, tokens: readonly LoginTokens[]): Promise<void> {
  expect(await world.login.sessions(accountId)).to.deep.equal([]);
  for (const value of [...new Set(tokens.map(({ refreshToken }) => refreshToken))].reverse()) {
    expect(await failureOf(world.login.refresh(value, ORIGIN))).to.equal(DEAD);
  }
}

describe('a refresh of a login', () => {
  it('goes on with the same session under new tokens', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    world.advance(60);
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    expect(second.session).to.deep.equal(first.session);
    expect(second.refreshToken).not.to.equal(first.refreshToken);
    expect(second.accessTokenExpiresAt).to.be.within(first.accessTokenExpiresAt + 60, first.accessTokenExpiresAt + 62);
    await world.login.refresh(second.refreshToken, ORIGIN);
  });

  it('gives 50 at once the same successor', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const answers = await fiftyTimes(() => world.login.refresh(first.refreshToken, ORIGIN));
    for (const answer of answers) expect(answer).to.deep.equal(answers[0]);
    const records = await refreshTokens(world, first);
    expect(records.map(({ consumedAt }) => consumedAt === null).sort()).to.deep.equal([false, true]);
    expect(await world.audited('login.refresh_token_reused')).to.deep.equal([]);
    await world.login.refresh(answers[0]?.refreshToken ?? '', ORIGIN);
  });

  it('gives a retry within the window the same answer, and notes one from elsewhere', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    world.advance(LIFETIMES.refreshGrace - 2);
    expect(await world.login.refresh(first.refreshToken, ORIGIN)).to.deep.equal(second);
    expect(await world.audited('login.refresh_token_replayed')).to.deep.equal([]);
    expect(await world.login.refresh(first.refreshToken, ELSEWHERE)).to.deep.equal(second);
    const [event] = await world.audited('login.refresh_token_replayed');
    expect(event).to.deep.include({ ip: ELSEWHERE.ip, details: { firstUse: ORIGIN.addressGroup } });
  });

  it('ends the session when a used token comes back after the window', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    world.advance(LIFETIMES.refreshGrace);
    const answers = await fiftyTimes(() => failureOf(world.login.refresh(first.refreshToken, ELSEWHERE)));
    expect(new Set(answers)).to.deep.equal(new Set([DEAD]));
    await expectEnded(world, first.account.id, [first, second]);
    expect(await refreshTokens(world, first)).to.deep.equal([]);
    const [event] = await world.audited('login.refresh_token_reused');
    expect(event).to.include({ accountId: first.account.id, clientId: 'gatehouse', ip: ELSEWHERE.ip });
    expect(world.announced).to.include(`grant:${first.session.id}`);
  });

  it('leaves other sessions of the account alone when it ends one', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const other = await world.login.login(
      { email: 'ada@example.com', password: 'correct horse battery staple' },
      ORIGIN,
    );
    await world.login.refresh(first.refreshToken, ORIGIN);
    world.advance(LIFETIMES.refreshGrace);
    await failureOf(world.login.refresh(first.refreshToken, ORIGIN));
    await world.login.refresh(other.refreshToken, ORIGIN);
  });

  it('never leaves two that live, without a window either', async () => {
    await using world = await createWorld({ lifetimes: { refreshGrace: 0 } });
    const first = await world.signedIn();
    const answers = await fiftyTimes(() => world.login.refresh(first.refreshToken, ORIGIN).catch(() => null));
    const given = answers.filter((answer) => answer !== null);
    expect(given.length).to.be.at.most(1);
    await expectEnded(world, first.account.id, given);
  });

  it('is refused once the session was idle for too long', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    expect(first.refreshTokenExpiresAt - first.session.signedInAt).to.be.within(
      LIFETIMES.sessionIdle,
      LIFETIMES.sessionIdle + 2,
    );
    world.advance(LIFETIMES.sessionIdle + 1);
    expect(await failureOf(world.login.refresh(first.refreshToken, ORIGIN))).to.equal(DEAD);
  });

  it('never prolongs the session beyond its end', async () => {
    await using world = await createWorld();
    let tokens = await world.signedIn();
    const { expiresAt } = tokens.session;
    while (world.nowSeconds() + 1800 < expiresAt) {
      world.advance(1800);
      tokens = await world.login.refresh(tokens.refreshToken, ORIGIN);
      expect(tokens.session.expiresAt).to.equal(expiresAt);
      expect(tokens.refreshTokenExpiresAt).to.be.at.most(expiresAt);
      expect(tokens.accessTokenExpiresAt).to.be.at.most(expiresAt);
    }
    world.advance(1800);
    expect(await failureOf(world.login.refresh(tokens.refreshToken, ORIGIN))).to.equal(DEAD);
  });

  it('gives no scope the account has lost, and none it did not have at the sign-in', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    await world.manageAccounts.setScopes(first.account.id, ['write', 'admin']);
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    expect(second.scopes).to.deep.equal(['write']);
    await world.manageAccounts.setScopes(first.account.id, null);
    expect((await world.login.refresh(second.refreshToken, ORIGIN)).scopes).to.deep.equal(['read', 'write']);
  });

  for (const [what, end] of [
    ['the session was ended', (world, { account, session }) => world.login.endSession(account.id, session.id, ORIGIN)],
    ['the account was disabled', (world, { account }) => world.manageAccounts.disable(account.id)],
    [
      'the password was replaced',
      (world, { account }) => world.manageAccounts.setPassword(account.id, 'a new passphrase'),
    ],
  ] satisfies [string, (world: World, tokens: LoginTokens) => Promise<unknown>][]) {
    it(`is refused once ${what}, a retry within the window too`, async () => {
      await using world = await createWorld({ lifetimes: { refreshGrace: 60 } });
      const first = await world.signedIn();
      const second = await world.login.refresh(first.refreshToken, ORIGIN);
      await end(world, second);
      await expectEnded(world, first.account.id, [first, second]);
    });
  }

  it('is refused for an account that was signed out, even when its records are still there', async () => {
    await using world = await createWorld({ lifetimes: { refreshGrace: 60 } });
    const first = await world.signedIn();
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    const nowMs = world.nowSeconds() * 1000;
    await world.stores.accounts.update(first.account.id, { signedOutAt: nowMs }, nowMs);
    await expectEnded(world, first.account.id, [first, second]);
    await world.stores.accounts.update(first.account.id, { signedOutAt: null, disabledAt: nowMs }, nowMs);
    await expectEnded(world, first.account.id, [first, second]);
  });

  it('takes no refresh token of the token endpoint, nor does that take one of these', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const { tokens } = world.stores;
    const [record] = await refreshTokens(world, first);
    const value = `grt_${'a'.repeat(43)}`;
    if (record) {
      await tokens.insert({ ...record, kind: 'RefreshToken', id: world.digester.digest('RefreshToken', value) });
    }
    expect(await failureOf(world.login.refresh(value, ORIGIN))).to.equal(DEAD);
    // The token endpoint looks for its own kind under its own digest.
    const asOAuth = world.digester.digest('RefreshToken', first.refreshToken);
    expect(await tokens.find('RefreshToken', asOAuth)).to.equal(null);
    expect(await tokens.find('LoginRefreshToken', asOAuth)).to.equal(null);
    await world.login.endSessionOf(value, ORIGIN);
    expect(await world.login.sessions(first.account.id)).to.have.length(1);
  });

  it('leaves nothing alive when 50 of them and a sign-out come at once', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const { account, session } = first;
    const given: LoginTokens[] = [first];
    await fiftyTimes(async (index) => {
      if (index === 25) await world.login.endSession(account.id, session.id, ORIGIN);
      else
        given.push(
          ...(await world.login.refresh(first.refreshToken, ORIGIN).then(
            (t) => [t],
            () => [],
          )),
        );
    });
    expect(await refreshTokens(world, first)).to.deep.equal([]);
    await expectEnded(world, account.id, given);
  });

  it('leaves nothing alive when 50 chains of them and a new password come at once', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const given: LoginTokens[] = [first];
    let over = false;
    const chain = async (): Promise<void> => {
      let value = first.refreshToken;
      while (!over) {
        const next = await world.login.refresh(value, ORIGIN).catch(() => null);
        if (!next) return;
        given.push(next);
        value = next.refreshToken;
      }
    };
    await fiftyTimes(async (index) => {
      if (index !== 25) return chain();
      await world.manageAccounts.setPassword(first.account.id, 'another long passphrase');
      over = true;
    });
    await expectEnded(world, first.account.id, given);
  });

  it('takes its tokens back when the session ends between the check and the commit', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const { tokens } = world.stores;
    // A database may remove what it saw when the removal began, and not the successor that came meanwhile.
    const login = world.loginOn({
      ...tokens,
      async commit(change) {
        const done = await tokens.commit(change);
        await tokens.remove('LoginSession', world.digester.digest('LoginSession', first.session.id));
        return done;
      },
    });
    expect(await failureOf(login.refresh(first.refreshToken, ORIGIN))).to.equal(DEAD);
    expect(await refreshTokens(world, first)).to.deep.equal([]);
  });

  it('stays refused when a successor survived the end of its session', async () => {
    await using world = await createWorld();
    const first = await world.signedIn();
    const second = await world.login.refresh(first.refreshToken, ORIGIN);
    await world.stores.tokens.remove('LoginSession', world.digester.digest('LoginSession', first.session.id));
    await expectEnded(world, first.account.id, [second, first]);
  });
});
