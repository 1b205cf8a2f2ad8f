import { expect } from 'chai';
import { createWorld, failureOf, ORIGIN, PASSWORD } from '../login/world.ts';

describe('an operator’s change to an account', () => {
  it('is announced, so that no process goes on with what it remembers', async () => {
    await using world = await createWorld();
    const { id } = await world.manageAccounts.create({ email: 'ada@example.com', password: PASSWORD });
    for (const change of [
      () => world.manageAccounts.disable(id),
      () => world.manageAccounts.enable(id),
      () => world.manageAccounts.setScopes(id, ['read']),
      () => world.manageAccounts.setPassword(id, 'another long passphrase'),
    ]) {
      world.announced.length = 0;
      await change();
      expect(world.announced).to.deep.equal([`account:${id}`]);
    }
  });

  it('is announced after it is stored, and before the wait for the next second', async () => {
    await using world = await createWorld();
    const { account, refreshToken } = await world.signedIn();
    const change = world.manageAccounts.disable(account.id);
    while (world.announced.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect((await world.stores.accounts.find(account.id))?.disabledAt).to.be.a('number');
    expect(await failureOf(world.login.refresh(refreshToken, ORIGIN))).to.equal('invalid_refresh_token');
    await change;
  });

  it('sets the scopes it may have, in the order of the catalogue, to some, to none and to all', async () => {
    await using world = await createWorld();
    const { id } = await world.manageAccounts.create({ email: 'ada@example.com', password: PASSWORD });
    const stored = async () => (await world.stores.accounts.find(id))?.scopes;
    expect(await stored()).to.equal(null);
    await world.manageAccounts.setScopes('ada@example.com', ['write', 'read', 'write']);
    expect(await stored()).to.deep.equal(['read', 'write']);
    await world.manageAccounts.setScopes(id, []);
    expect(await stored()).to.deep.equal([]);
    await world.manageAccounts.setScopes(id, null);
    expect(await stored()).to.equal(null);
    const events = await world.audited('account.scopes_set');
    expect(events.map(({ details }) => details.scopes).sort()).to.deep.equal(['', 'all', 'read write']);
  });

  it('sets no scope that users cannot have', async () => {
    await using world = await createWorld();
    const { id } = await world.manageAccounts.create({ email: 'ada@example.com', password: PASSWORD });
    expect(await failureOf(world.manageAccounts.setScopes(id, ['read', 'introspect']))).to.equal('invalid_request');
    expect((await world.stores.accounts.find(id))?.scopes).to.equal(null);
    expect(await failureOf(world.manageAccounts.setScopes('acc_nobody', null))).to.equal('not_found');
  });
});
