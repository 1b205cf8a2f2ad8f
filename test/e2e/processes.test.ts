import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { expect } from 'chai';
import { type ClientFlows, createClientFlows, createUserAgent, tokenOf } from '../support/client-flows.ts';
import { startLoad, until } from '../support/e2e-load.ts';
import { CALLBACK, createParties, type Parties } from '../support/e2e-parties.ts';
import { createWorld, describeOn, type Node, TWO_SETUPS, type World } from '../support/e2e-world.ts';
import { freePort } from '../support/free-port.ts';

/** Process id to parent's process id and resident memory in MiB. */
function processTable(): Map<number, { parent: number; mebibytes: number }> {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss='], { encoding: 'utf8' }).trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [pid = 0, parent = 0, kibibytes = 0] = line.trim().split(/\s+/).map(Number);
      return [pid, { parent, mebibytes: Math.round(kibibytes / 1024) }];
    }),
  );
}

const childrenOf = (pid: number): number[] =>
  [...processTable()].filter(([, { parent }]) => parent === pid).map(([child]) => child);

describeOn(TWO_SETUPS, 'the processes of a deployment', (setup) => {
  let world: World;
  let parties: Parties;
  let flows: ClientFlows;

  before(async function () {
    world = await createWorld(setup, this);
    parties = await createParties(await world.services());
    flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
  });
  after(() => world?.close());

  it('one web process is ready soon and rests small', async () => {
    const started = performance.now();
    const node = await world.start();
    const readyMs = Math.round(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    console.log(`        ready after ${readyMs} ms, ${processTable().get(node.pid)?.mebibytes} MiB at rest`);
    expect(readyMs).to.be.lessThan(5000);
    await node.kill();
  });

  for (const workers of ['1', '2']) {
    it(`the start ends with a reason when the port is taken, with ${workers} worker(s)`, async () => {
      const inTheWay = createServer();
      await new Promise<void>((resolve) => inTheWay.listen(world.issuerPort, '127.0.0.1', resolve));
      try {
        const { code, stdout, stderr } = await world.startInVain({ WEB_CONCURRENCY: workers });
        expect(code).to.equal(1);
        expect(stdout + stderr).to.include(String(world.issuerPort));
        expect(stdout).not.to.include('Gatehouse is ready');
      } finally {
        await new Promise((resolve) => inTheWay.close(resolve));
      }
    });
  }

  describe('WEB_CONCURRENCY=2', () => {
    let node: Node;
    let metricsPort: number;

    before(async () => {
      metricsPort = await freePort();
      node = await world.start({
        env: {
          PORT: String(world.issuerPort),
          WEB_CONCURRENCY: '2',
          GATEHOUSE_METRICS_PORT: String(metricsPort),
        },
      });
      await until('both workers', 10, () => (node.output().match(/"msg":"ready"/g)?.length ?? 0) === 2);
    });

    const requestsSeen = async (route: string): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const lines = text
        .split('\n')
        .filter((line) => line.startsWith('gatehouse_http_request_duration_seconds_count') && line.includes(route));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };

    it('serves every flow whichever worker answers', async () => {
      expect(childrenOf(node.pid)).to.have.length(2);
      const browser = createUserAgent(node.fetch, world.issuer);
      for (let time = 0; time < 5; time += 1) {
        const issued = await flows.code(browser, parties.opaque.id);
        const answer = await flows.redeem(node.fetch, parties.opaque, issued);
        const next = await flows.refresh(node.fetch, parties.opaque, tokenOf(answer, 'refresh_token'));
        expect(await flows.isActive(node.fetch, parties.opaqueApi, tokenOf(next, 'access_token'))).to.equal(true);
      }
    });

    it('adds up the metrics of both on a port of their own', async () => {
      const before = await requestsSeen('client_credentials');
      await Promise.all(Array.from({ length: 40 }, () => flows.clientCredentials(node.fetch, parties.basic)));
      expect((await requestsSeen('client_credentials')) - before).to.equal(40);
    });

    it('replaces a worker that was killed, and the other one serves meanwhile', async () => {
      const [victim = 0, survivor = 0] = childrenOf(node.pid);
      const load = startLoad({
        callers: 4,
        pauseMs: 10,
        ask: () => flows.clientCredentials(node.fetch, parties.basic),
      });
      process.kill(victim, 'SIGKILL');
      await until('a new worker', 10, () => {
        const now = childrenOf(node.pid);
        return now.length === 2 && !now.includes(victim) && now.includes(survivor);
      });
      await until('its readiness', 10, () => (node.output().match(/"msg":"ready"/g)?.length ?? 0) === 3);
      await load.stop();
      const { 200: good = 0, ...rest } = load.outcomes();
      expect(good).to.be.greaterThan(20);
      // What the dead one had in hand is lost; nothing else is.
      expect(Object.keys(rest).filter((outcome) => !['ECONNRESET', 'EPIPE'].includes(outcome))).to.deep.equal([]);
      expect(Object.values(rest).reduce((sum, n) => sum + n, 0)).to.be.at.most(4);
    });

    it('ends with all its workers on SIGTERM', async () => {
      const workers = childrenOf(node.pid);
      expect(await node.stop()).to.equal(0);
      const left = processTable();
      expect(workers.filter((pid) => left.has(pid))).to.deep.equal([]);
      const refused = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).catch((error: Error) => error);
      expect(refused).to.be.an('error');
    });
  });

  // SQLite is for one process.
  if (setup === 'SQLite') return;

  it('SIGTERM ends even a cluster with a worker that hangs, which the others do not wait for', async function () {
    this.timeout(40_000);
    const node = await world.start({ env: { WEB_CONCURRENCY: '2', GATEHOUSE_DRAIN: '2s' } });
    await until('both workers', 10, () => (node.output().match(/"msg":"ready"/g)?.length ?? 0) === 2);
    const [hanging = 0, other = 0] = childrenOf(node.pid);
    process.kill(hanging, 'SIGSTOP');
    const stopped = node.stop();
    const took = await until('the end of the other worker', 5, () => !processTable().has(other));
    expect(await stopped).to.equal(1);
    console.log(`        the other ended after ${took} ms`);
    expect(processTable().has(hanging)).to.equal(false);
    expect(node.output()).to.contain('a worker did not stop in time and is killed');
  });

  describe('a worker beside web processes that run no jobs', () => {
    it('removes what has expired, serves nothing and ends in order', async () => {
      const { stores, clock } = await world.services();
      const expired = (id: string, secondsAgo: number) => ({
        kind: 'AuthorizationCode' as const,
        id,
        payload: '{}',
        grantId: null,
        accountId: null,
        clientId: parties.basic.id,
        uid: null,
        userCode: null,
        createdAt: clock.nowSeconds() - 9999,
        expiresAt: clock.nowSeconds() - secondsAgo,
        consumedAt: null,
        receipt: null,
      });
      for (let i = 0; i < 700; i += 1) await stores.tokens.insert(expired(`long-ago-${i}`, 4000));
      await stores.tokens.insert(expired('not-yet', -4000));
      const count = async (): Promise<number> =>
        (await world.query(`select id from token_records where client_id = '${parties.basic.id}' and id like 'long-%'`))
          .length;
      const web = await world.start({ env: { GATEHOUSE_JOBS: 'off' } });
      expect(await count()).to.equal(700);

      const worker = await world.start({ args: ['worker'], readyWhen: /worker ready/ });
      const took = await until('the purge', 15, async () => (await count()) === 0);
      console.log(`        700 expired rows gone ${took} ms after the worker was ready`);
      expect(await stores.tokens.find('AuthorizationCode', 'not-yet')).not.to.equal(null);
      const refused = await fetch(`${worker.url}/health`).catch((error: Error) => error);
      expect(refused).to.be.an('error');
      expect(await worker.stop()).to.equal(0);
      await web.kill();
    });
  });
});
