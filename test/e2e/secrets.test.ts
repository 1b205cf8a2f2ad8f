import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import {
  type ClientFlows,
  createClientFlows,
  createUserAgent,
  type TokenAnswer,
  tokenOf,
  type UserAgent,
} from '../support/client-flows.ts';
import type { Fetch } from '../support/e2e-fetch.ts';
import { startLoad } from '../support/e2e-load.ts';
import { CALLBACK, createParties, type Parties } from '../support/e2e-parties.ts';
import { createWorld, describeOn, type Node, TWO_SETUPS, type World } from '../support/e2e-world.ts';

describeOn(TWO_SETUPS, 'GATEHOUSE_SECRETS', (setup) => {
  let world: World;
  let node: Node;
  let parties: Parties;
  let flows: ClientFlows;
  let browser: UserAgent;
  let family: TokenAnswer;

  before(async function () {
    world = await createWorld(setup, this);
    node = await world.start();
    // Closed before anything is compared: this process would take leases too.
    parties = await createParties(await world.services());
    flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
    browser = createUserAgent(node.fetch, world.issuer);
    family = await flows.redeem(node.fetch, parties.basic, await flows.code(browser, parties.basic.id));
    expect(await node.stop()).to.equal(0);
  });
  after(() => world?.close());

  /** Every row of every table. */
  async function contents(): Promise<string> {
    const names = await world.query<{ name: string }>(
      world.sql
        ? 'select table_name as name from information_schema.tables where table_schema = current_schema()'
        : "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'",
    );
    expect(names.length).to.be.greaterThan(5);
    const tables = await Promise.all(
      names.map(async ({ name }) => [
        name,
        ...(await world.query(`select * from ${name}${name === 'leases' ? " where name <> 'readiness'" : ''}`))
          .map((row) => JSON.stringify(row))
          .sort(),
      ]),
    );
    // Counters and what the probe of readiness writes end by themselves within seconds.
    const inRedis = ((await world.redis?.dump()) ?? '').split('\n').filter((line) => !/:(?:h:|ready\b)/.test(line));
    return [...tables.map((lines) => lines.join('\n')).sort(), ...inRedis].join('\n');
  }

  for (const [what, env, words] of [
    ['a wrong secret', { GATEHOUSE_SECRETS: 'w'.repeat(44) }, /no secret given opens this database/],
    ['no secret', { GATEHOUSE_SECRETS: '' }, /GATEHOUSE_SECRETS: the database holds sealed keys/],
    ['a short secret', { GATEHOUSE_SECRETS: 'too short' }, /at least 32 characters/],
  ] as const) {
    it(`refuses to start with ${what}, says why and changes nothing`, async () => {
      const before = await contents();
      const refused = await world.startInVain(env);
      expect(refused.code).to.equal(1);
      expect(refused.stderr).to.match(words).and.not.include('    at ');
      expect(await contents()).to.equal(before);
      const cli = await world.cli(['secrets', 'rotate'], { env });
      expect(cli.code).to.equal(1);
      expect(cli.stderr).to.match(words);
      expect(await contents()).to.equal(before);
    });
  }

  // SQLite is for one process.
  if (setup === 'SQLite') return;

  it('can be replaced process by process, while everything keeps working', async function () {
    this.timeout(90_000);
    const [before, next] = [world.secret, randomBytes(32).toString('base64')];
    const start = (ring: string): Promise<Node> => world.start({ env: { GATEHOUSE_SECRETS: ring } });
    const live = [await start(before), await start(before)];

    // A load balancer: to every process in turn.
    let turn = 0;
    const balanced: Fetch = (url, init) => {
      turn += 1;
      return (live[turn % live.length] as Node).fetch(url, init);
    };
    browser.use(balanced);
    let chain = tokenOf(
      await flows.refresh(balanced, parties.basic, tokenOf(family, 'refresh_token')),
      'refresh_token',
    );
    const load = startLoad({
      callers: 2,
      pauseMs: 25,
      async ask(caller) {
        if (caller === 0) {
          const answer = await flows.refresh(balanced, parties.basic, chain);
          chain = tokenOf(answer, 'refresh_token');
          return answer;
        }
        // A silent sign-in with the session from the very start, then what it yields.
        const code = await flows.code(browser, parties.opaque.id);
        const answer = await flows.redeem(balanced, parties.opaque, code);
        for (const { fetch } of [...live]) {
          const active = await flows.isActive(fetch, parties.opaqueApi, tokenOf(answer, 'access_token'));
          if (!active) throw new Error('inactive');
        }
        return answer;
      },
    });
    async function restart(index: number, ring: string): Promise<void> {
      const started = await start(ring);
      const [old] = live.splice(index, 1, started);
      await sleep(100);
      expect(await old?.stop()).to.equal(0);
    }

    await restart(0, `${next},${before}`);
    // A rotation of the signing keys in between: one process cannot open the newest key yet.
    await world.cliJson(['keys', 'rotate', '--now'], { env: { GATEHOUSE_SECRETS: `${next},${before}` } });
    await sleep(500);
    await restart(1, `${next},${before}`);
    const { resealed } = await world.cliJson(['secrets', 'rotate'], {
      env: { GATEHOUSE_SECRETS: `${next},${before}` },
    });
    expect(resealed.dataKeys).to.equal(4);
    expect(resealed.signingKeys).to.be.greaterThan(2);
    await sleep(500);
    await restart(0, next);
    await restart(1, next);
    await sleep(500);
    await load.stop();
    expect(Object.keys(load.outcomes())).to.deep.equal(['200']);
    expect(load.outcomes()['200']).to.be.greaterThan(20);

    expect((await world.startInVain({ GATEHOUSE_SECRETS: before })).code).to.equal(1);
  });
});
