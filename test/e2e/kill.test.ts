import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createClientFlows, createUserAgent, tokenOf } from '../support/client-flows.ts';
import { CALLBACK, createParties } from '../support/e2e-parties.ts';
import { canRun, createWorld, requireSetup, type SetupName, TWO_SETUPS, type World } from '../support/e2e-world.ts';

const ROUNDS = 30;

describe('a server that is killed (SIGKILL) at random moments', () => {
  const worlds: World[] = [];
  const runs = new Map<SetupName, Promise<Record<string, number>>>();

  // Side by side: most of the time goes into starting processes, each of which keeps one core busy.
  before(async function () {
    for (const name of TWO_SETUPS.filter(canRun)) {
      const world = await createWorld(name, this, { env: { GATEHOUSE_REFRESH_GRACE: '60s', LOG_LEVEL: 'warn' } });
      worlds.push(world);
      const run = outlive(world);
      // Whether it failed is for its test to say.
      run.catch(() => {});
      runs.set(name, run);
    }
  });
  after(async () => {
    await Promise.allSettled(runs.values());
    await Promise.all(worlds.map((world) => world.close()));
  });

  for (const name of TWO_SETUPS) {
    it(`answers every retry after ${ROUNDS} deaths, uses nothing twice and needs no repair, on ${name}`, async function () {
      this.timeout(240_000);
      // Skips, or fails where nothing may be skipped.
      if (!canRun(name)) await requireSetup(name, this);
      const seen = await runs.get(name);
      console.log(`        ${JSON.stringify(seen)}`);
      expect(seen?.answered).to.be.greaterThan(0);
      expect(seen?.lost).to.be.greaterThan(0);
    });
  }

  /** Returns how the requests ended. */
  async function outlive(world: World): Promise<Record<string, number>> {
    let node = await world.start();
    const parties = await createParties(await world.services());
    const flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
    const browser = createUserAgent(node.fetch, world.issuer);
    const seen = { answered: 0, lost: 0, 'lost, then redeemed': 0, 'lost, then refused': 0 };
    // So that about half of the requests die: as long as a request takes here, found while running.
    let typicalMs = 15;

    /** By client, in the store: also what no client ever heard of. */
    async function liveRefreshTokens(clientId: string): Promise<number> {
      const rows = await world.query(
        `select id from token_records where kind = 'RefreshToken' and consumed_at is null and client_id = '${clientId}'`,
      );
      return rows.length;
    }

    for (let round = 0; round < ROUNDS; round += 1) {
      // One client refreshes, another redeems; what they get is all they have.
      const [refreshing, redeeming] = [parties.opaque, parties.basic];
      const family = await flows.redeem(node.fetch, refreshing, await flows.code(browser, refreshing.id));
      const token = tokenOf(family, 'refresh_token');
      const issued = await flows.code(browser, redeeming.id);

      const lost = (): null => null;
      const under = node;
      const firstRedeem = flows.redeem(under.fetch, redeeming, issued).catch(lost);
      const firstRefresh = flows.refresh(under.fetch, refreshing, token).catch(lost);
      await sleep(Math.random() * 2 * typicalMs);
      await under.kill();
      const [redeemed, refreshed] = await Promise.all([firstRedeem, firstRefresh]);
      for (const answer of [redeemed, refreshed]) {
        if (answer) expect(answer.status).to.equal(200);
        seen[answer ? 'answered' : 'lost'] += 1;
        typicalMs = Math.min(200, Math.max(1, typicalMs * (answer ? 0.9 : 1.1)));
      }

      node = await world.start({ env: { PORT: String(world.issuerPort) } });
      browser.use(node.fetch);
      const refreshedAgain = await flows.refresh(node.fetch, refreshing, token);
      // The window keeps the answer that was lost.
      expect(refreshedAgain.status, JSON.stringify(refreshedAgain.body)).to.equal(200);
      if (refreshed) expect(refreshedAgain.body).to.deep.equal(refreshed.body);
      expect(await flows.isActive(node.fetch, refreshing, tokenOf(refreshedAgain, 'refresh_token'))).to.equal(true);
      expect(await flows.isActive(node.fetch, parties.opaqueApi, tokenOf(refreshedAgain, 'access_token'))).to.equal(
        true,
      );
      expect(await liveRefreshTokens(refreshing.id)).to.equal(1);

      const redeemedAgain = await flows.redeem(node.fetch, redeeming, issued);
      if (redeemed || redeemedAgain.status !== 200) {
        expect([redeemedAgain.status, redeemedAgain.body.error]).to.deep.equal([400, 'invalid_grant']);
      }
      expect(await liveRefreshTokens(redeeming.id)).to.equal(redeemedAgain.status === 200 ? 1 : 0);
      await flows.revoke(node.fetch, refreshing, tokenOf(refreshedAgain, 'refresh_token'));
      if (redeemedAgain.status === 200) {
        await flows.revoke(node.fetch, redeeming, tokenOf(redeemedAgain, 'refresh_token'));
      }
      if (!redeemed) seen[redeemedAgain.status === 200 ? 'lost, then redeemed' : 'lost, then refused'] += 1;
    }

    expect(world.logs()).not.to.match(/"level":"(error|fatal)"/);
    return seen;
  }
});
