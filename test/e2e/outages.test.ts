import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { SignJWT } from 'jose';
import knex from 'knex';
import {
  type ClientFlows,
  createClientFlows,
  createUserAgent,
  type TokenAnswer,
  tokenOf,
  type UserAgent,
} from '../support/client-flows.ts';
import { startLoad, until } from '../support/e2e-load.ts';
import { CALLBACK, createParties, type Parties } from '../support/e2e-parties.ts';
import {
  createWorld,
  describeOn,
  type Node,
  type SetupName,
  type World,
  type WorldOptions,
} from '../support/e2e-world.ts';

interface Stage {
  world: World;
  node: Node;
  parties: Parties;
  flows: ClientFlows;
  browser: UserAgent;
}

async function setStage(name: SetupName, context: Mocha.Context, options: WorldOptions = {}): Promise<Stage> {
  const world = await createWorld(name, context, options);
  const node = await world.start();
  const parties = await createParties(await world.services());
  const flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
  const browser = createUserAgent(node.fetch, world.issuer);
  await flows.code(browser, parties.basic.id);
  return { world, node, parties, flows, browser };
}

/** A request that needs nothing but the database, and writes to it: each caller on a chain of refreshes of its own. */
async function refreshChains({ flows, browser, node, parties }: Stage, callers: number) {
  const chains: string[] = [];
  for (let caller = 0; caller < callers; caller += 1) {
    const issued = await flows.code(browser, parties.basic.id);
    chains.push(tokenOf(await flows.redeem(node.fetch, parties.basic, issued), 'refresh_token'));
  }
  return async (caller: number): Promise<TokenAnswer> => {
    const answer = await flows.refresh(node.fetch, parties.basic, chains[caller] ?? '');
    if (answer.body.refresh_token) chains[caller] = answer.body.refresh_token;
    return answer;
  };
}

const statusOf = async (node: Node, path: string): Promise<number> => (await fetch(node.url + path)).status;

describeOn(['PostgreSQL and Redis', 'MariaDB'], 'a database that restarts under load', (setup) => {
  let stage: Stage;

  before(async function () {
    this.timeout(120_000);
    stage = await setStage(setup, this, { env: { GATEHOUSE_REFRESH_GRACE: '60s' } });
  });
  after(() => stage?.world.close());

  for (const [how, signal] of [
    ['in order', 'SIGTERM'],
    ['by SIGKILL', 'SIGKILL'],
  ] as const) {
    it(`costs 503s while it is down and nothing after (${how})`, async function () {
      this.timeout(60_000);
      const { node, world } = stage;
      const load = startLoad({ callers: 4, ask: await refreshChains(stage, 4), pauseMs: 20 });
      await sleep(300);
      expect(Object.keys(load.outcomes())).to.deep.equal(['200']);

      // PostgreSQL's own word for a quick orderly end is SIGINT; restart uses it. Here only the way of dying matters.
      if (signal === 'SIGKILL') await world.sql?.kill(signal);
      const restarted = world.sql?.restart();
      await until(
        'unreadiness',
        20,
        async () => (await statusOf(node, '/ready')) === 503 || Boolean(load.outcomes()['503']),
      );
      expect(await statusOf(node, '/health')).to.equal(200);
      await restarted;
      const took = await until('readiness', 10, async () => (await statusOf(node, '/ready')) === 200);
      await sleep(500);
      const during = load.outcomes();
      load.forget();
      await sleep(700);
      await load.stop();
      console.log(`        ready ${took} ms after the database; outcomes ${JSON.stringify(during)}`);
      expect(Object.keys(during)).to.have.members(['200', '503']);
      expect(Object.keys(load.outcomes())).to.deep.equal(['200']);
      expect(node.output()).not.to.match(/unhandledRejection|uncaughtException/i);
    });
  }
});

describeOn(['PostgreSQL and Redis'], 'a Redis that fails', (setup) => {
  let stage: Stage;

  before(async function () {
    this.timeout(120_000);
    stage = await setStage(setup, this, { ownRedis: true });
  });
  after(() => stage?.world.close());

  it('and hangs, is answered with 503 in time; what needs no Redis goes on; recovery comes by itself', async function () {
    this.timeout(60_000);
    const { node, world, flows, parties, browser } = stage;
    const opaque = tokenOf(await flows.clientCredentials(node.fetch, parties.opaque), 'access_token');
    await world.redis?.kill('SIGSTOP');
    try {
      const timed = async (ask: () => Promise<{ status: number; headers: Headers }>) => {
        const started = performance.now();
        const { status, headers } = await ask();
        return { status, retryAfter: headers.get('retry-after'), ms: performance.now() - started };
      };
      for (let round = 0; round < 2; round += 1) {
        for (const [what, ask] of Object.entries({
          'a stored token': () => flows.clientCredentials(node.fetch, parties.opaque),
          introspection: () => flows.introspect(node.fetch, parties.opaqueApi, opaque),
          'an authorization request': async () => {
            const stop = await browser.open(flows.authorizationUrl(parties.basic.id, 'v'.repeat(43)));
            if (!('page' in stop)) throw new Error('it went through');
            return stop.page;
          },
        })) {
          const { status, retryAfter, ms } = await timed(ask);
          expect(status, what).to.equal(503);
          expect(Number(retryAfter), what).to.be.greaterThan(0);
          // One time limit of a command, or two: the limiter asks first, and what follows on its connection waits for that.
          expect(ms, what).to.be.lessThan(2500);
        }
        expect((await flows.clientCredentials(node.fetch, parties.basic)).status).to.equal(200);
        expect(await statusOf(node, '/health')).to.equal(200);
        expect(await statusOf(node, '/ready')).to.equal(503);
      }
    } finally {
      await world.redis?.kill('SIGCONT');
    }
    const took = await until('recovery', 10, async () => (await statusOf(node, '/ready')) === 200);
    console.log(`        recovered in ${took} ms`);
    expect(await flows.isActive(node.fetch, parties.opaqueApi, opaque)).to.equal(true);
    await flows.code(browser, parties.basic.id);
  });

  it('and comes back empty, revives nothing; people sign in again', async function () {
    this.timeout(60_000);
    const { node, world, flows, parties, browser } = stage;
    const used = await flows.code(browser, parties.basic.id);
    const family = await flows.redeem(node.fetch, parties.basic, used);
    const revoked = {
      'a revoked opaque token': [parties.opaqueApi, await flows.clientCredentials(node.fetch, parties.opaque)],
      'a revoked JWT': [parties.jwtApi, await flows.clientCredentials(node.fetch, parties.basic)],
    } as const;
    for (const [, answer] of Object.values(revoked)) {
      const client = tokenOf(answer, 'access_token').startsWith('gat_') ? parties.opaque : parties.basic;
      await flows.revoke(node.fetch, client, tokenOf(answer, 'access_token'));
    }
    const ended = await flows.code(browser, parties.opaque.id);
    const endedFamily = await flows.redeem(node.fetch, parties.opaque, ended);
    await flows.revoke(node.fetch, parties.opaque, tokenOf(endedFamily, 'refresh_token'));

    await world.redis?.kill('SIGKILL');
    await until('unreadiness', 10, async () => (await statusOf(node, '/ready')) === 503);
    await world.redis?.restart();
    await until('recovery', 10, async () => (await statusOf(node, '/ready')) === 200);
    expect(await world.redis?.dump()).not.to.include('Session');

    for (const [what, [api, answer]] of Object.entries(revoked)) {
      expect(await flows.isActive(node.fetch, api, tokenOf(answer, 'access_token')), what).to.equal(false);
    }
    expect(await flows.isActive(node.fetch, parties.opaqueApi, tokenOf(endedFamily, 'access_token'))).to.equal(false);
    const dead = await flows.refresh(node.fetch, parties.opaque, tokenOf(endedFamily, 'refresh_token'));
    expect(dead.body.error).to.equal('invalid_grant');

    // Offline access is in SQL and survives; the sign-in does not.
    const alive = await flows.refresh(node.fetch, parties.basic, tokenOf(family, 'refresh_token'));
    expect(alive.status).to.equal(200);
    const silent = await browser.open(flows.authorizationUrl(parties.basic.id, 'v'.repeat(43), { prompt: 'none' }));
    expect('left' in silent && silent.left.searchParams.get('error')).to.equal('login_required');
    const reused = await flows.redeem(node.fetch, parties.basic, used);
    expect(reused.body.error).to.equal('invalid_grant');
    await flows.code(browser, parties.basic.id);
  });

  it('and comes back empty, accepts no client assertion a second time', async () => {
    const { node, world, flows, parties } = stage;
    const { id, privateKey } = parties.jwt;
    if (!privateKey) throw new Error('no key');
    const assertion = await new SignJWT({ jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256', kid: 'first' })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(world.issuer)
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey);
    const present = () =>
      flows.clientCredentials(node.fetch, parties.jwt, {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      });
    expect((await present()).status).to.equal(200);
    await world.redis?.flush();
    expect((await present()).body.error).to.equal('invalid_client');
  });
});

describe('a SQLite file that another process keeps locked', () => {
  let stage: Stage;

  before(async function () {
    stage = await setStage('SQLite', this);
  });
  after(() => stage?.world.close());

  it('costs a 503, and the next answers see what the other process wrote', async function () {
    this.timeout(60_000);
    const { node, world, flows, parties, browser } = stage;
    const issued = await flows.code(browser, parties.basic.id);
    const family = await flows.redeem(node.fetch, parties.basic, issued);
    const token = tokenOf(family, 'refresh_token');
    const other = knex({
      client: 'sqlite3',
      connection: { filename: world.sqliteFile ?? '' },
      useNullAsDefault: true,
      pool: { min: 1, max: 1 },
    });
    try {
      await other.raw('begin immediate');
      await other.raw("delete from token_records where kind = 'Grant'");
      const refused = await flows.refresh(node.fetch, parties.basic, token);
      expect(refused.status).to.equal(503);
      expect(Number(refused.headers.get('retry-after'))).to.be.greaterThan(0);
      // Reads may have to wait for a write that waits: any answer will do, if it comes.
      for (let reads = 0; reads < 3; reads += 1) {
        const { status } = await flows.introspect(node.fetch, parties.basic, token);
        expect(status).to.be.oneOf([200, 503]);
      }
      await other.raw('commit');
    } finally {
      await other.destroy();
    }
    await until('an answer', 10, async () => (await flows.introspect(node.fetch, parties.basic, token)).status === 200);
    expect(await flows.isActive(node.fetch, parties.basic, token)).to.equal(false);
    const again = await flows.code(browser, parties.basic.id);
    expect((await flows.redeem(node.fetch, parties.basic, again)).status).to.equal(200);
  });
});
