import { expect } from 'chai';
import { until } from '../../support/e2e-load.ts';
import { createWorld, describeOn, type Node, type World } from '../../support/e2e-world.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import {
  type Answer,
  type ApiCalls,
  type Asked,
  between,
  createApiCalls,
  type NewKey,
  type SignedIn,
  tally,
} from './api-calls.ts';

const QUOTA = 100;
const HOURLY = { limit: { quota: QUOTA, window_seconds: 3600 } };
const CROWD = 200;
/** Milliseconds: what the limiter may wait for its store, and what else a request takes on a busy machine. */
const DECIDED = 150;

interface Stage {
  world: World;
  calls: ApiCalls;
  nodes: [Node, Node];
  person: SignedIn;
}

async function setStage(world: World, start: (which: number) => Promise<Node> = () => world.start()): Promise<Stage> {
  const nodes: [Node, Node] = [await start(0), await start(1)];
  const calls = createApiCalls(world);
  return { world, nodes, calls, person: await calls.newPerson(nodes[0]) };
}

/** The caller's address can be chosen: what one test counts against it is not held against the next. */
const OUTAGE_ENV = { GATEHOUSE_PROCESSES: '2', GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' };

/** A key that both processes know already. */
async function warmKey({ calls, nodes, person }: Stage, input: object = HOURLY): Promise<NewKey> {
  const key = await calls.createKey(nodes[0], person, input);
  for (const node of nodes) {
    const { status } = await calls.verify(node, key.text, { required_scopes: ['manage'] });
    // Refused for its scopes before anything is counted.
    expect(status).to.equal(403);
  }
  return key;
}

const expectExact = async ({ calls, nodes }: Stage, { text }: NewKey): Promise<void> => {
  const answers = await between(nodes, CROWD, (node) => calls.verify(node, text));
  expect(tally(answers)).to.deep.equal({ 200: QUOTA, 429: CROWD - QUOTA });
  const refused = answers.find(({ status }) => status === 429) as Answer;
  // One more every 36 seconds.
  expect(Number(refused.headers.get('retry-after'))).to.be.within(1, 36);
  console.log(`        slowest of ${CROWD}: ${Math.round(Math.max(...answers.map(({ ms }) => ms)))} ms`);
};

describeOn(['PostgreSQL', 'MariaDB', 'PostgreSQL and Redis'], `${CROWD} requests at once at two processes`, (setup) => {
  let stage: Stage;

  before(async function () {
    this.timeout(120_000);
    stage = await setStage(await createWorld(setup, this, { env: { GATEHOUSE_PROCESSES: '2' } }));
  });
  after(() => stage?.world.close());

  it(`get exactly the ${QUOTA} that a key may have in an hour`, async () => {
    // Twice: connections to the store are opened the first time.
    for (let round = 0; round < 2; round += 1) await expectExact(stage, await warmKey(stage));
    const notes = stage.nodes.map((node) => node.output()).join('\n');
    expect(notes).not.to.include('rate limits are counted in this process alone');
  });

  it('are counted by a new limit everywhere as soon as it is set', async () => {
    const { calls, nodes, person, world } = stage;
    const { id, text } = await warmKey(stage, { limit: { quota: 1000, window_seconds: 3600 } });
    for (const node of nodes) expect((await calls.verify(node, text)).status).to.equal(200);
    const body = { limit: { quota: 3, window_seconds: 3600 } };
    const path = `/v1/api-keys/${id}`;
    await calls.must(200, calls.ask(nodes[0], 'PATCH', path, { credential: person.accessToken, body }));
    // Without Redis nobody tells it; it looks again by itself.
    await until('the other process', world.redis ? 1 : 5.5, async () => {
      const { headers } = await calls.verify(nodes[1], text);
      return /q=3\b/.test(headers.get('ratelimit-policy') ?? '');
    });
    const answers = await between(nodes, 10, (node) => calls.verify(node, text));
    expect(tally(answers)[200] ?? 0).to.be.at.most(2);
  });
});

describeOn(['PostgreSQL and Redis'], 'a Redis that fails', (setup) => {
  let stage: Stage;
  let proxy: TcpProxy;

  before(async function () {
    this.timeout(120_000);
    const world = await createWorld(setup, this, { ownRedis: true, env: OUTAGE_ENV });
    const redisUrl = world.env.REDIS_URL ?? '';
    proxy = await startTcpProxy(Number(new URL(redisUrl).port));
    stage = await setStage(world, () => world.start({ env: { REDIS_URL: proxy.through(redisUrl) } }));
  });
  after(async () => {
    await stage?.world.close();
    await proxy?.close();
  });

  for (const [index, [how, fail, mend]] of (
    [
      ['is killed', () => stage.world.redis?.kill('SIGKILL'), () => stage.world.redis?.restart()],
      ['hangs', () => stage.world.redis?.kill('SIGSTOP'), () => stage.world.redis?.kill('SIGCONT')],
      ['answers late', () => proxy.delay(150), () => proxy.restore()],
      ['cannot be reached', () => proxy.cut(), () => proxy.restore()],
    ] as const
  ).entries()) {
    it(`and ${how}: every process allows its share and no more, at once, and 5xx never comes of it`, async function () {
      this.timeout(60_000);
      const { calls, nodes, world, person } = stage;
      const keys = [await warmKey(stage), await warmKey(stage)] as const;
      const answers: Answer[] = [];
      await fail();
      try {
        // One after the other first, to see how long each takes; the breaker tries the store once in a second.
        for (let time = 0; time < 60; time += 1) {
          answers.push(await calls.verify(nodes[time % 2] as Node, keys[0].text));
        }
        const times = answers.map(({ ms }) => ms).sort((one, other) => one - other);
        console.log(`        verify: median ${times[30]?.toFixed(1)} ms, longest ${times.at(-1)?.toFixed(1)} ms`);
        expect(times.at(-1)).to.be.lessThan(DECIDED);
        expect(tally(answers)).to.deep.equal({ 200: 60 });

        answers.splice(0, Infinity, ...(await between(nodes, CROWD, (node) => calls.verify(node, keys[1].text))));
        // Half of the crowd at each, half of the quota for each.
        expect(tally(answers)).to.deep.equal({ 200: QUOTA, 429: CROWD - QUOTA });
        const atOne = answers.filter(({ status }, index) => status === 200 && index % 2 === 0);
        expect(atOne).to.have.length(QUOTA / 2);

        // Guessing at a login is no freer than before: half of the usual attempts at each process.
        const victim = await calls.newAccount();
        const login = (node: Asked, host: number, body: object): Promise<Answer> =>
          calls.ask(node, 'POST', '/v1/auth/login', {
            headers: { 'x-forwarded-for': `192.0.2.${10 * index + host}` },
            body,
          });
        const guesses = await between(nodes, 30, (node, guess) =>
          login(node, 1, { email: victim.email, password: `a wrong password ${guess}` }),
        );
        expect(Object.keys(tally(guesses))).to.have.members(['401', '429']);
        expect(tally(guesses)[401]).to.be.at.most(6);
        const { email, password } = await calls.newAccount();
        expect((await login(nodes[0], 2, { email, password })).status).to.equal(200);
      } finally {
        await mend();
      }
      await until('Redis', 15, async () =>
        (await Promise.all(nodes.map((node) => node.fetch(`${world.issuer}/ready`)))).every(
          (response) => response.status === 200,
        ),
      );
      const probe = await calls.createKey(nodes[0], person, { limit: { quota: 10_000, window_seconds: 3600 } });
      await until('shared counting', 5, async () => {
        await Promise.all(nodes.map((node) => calls.verify(node, probe.text)));
        return nodes.every((node) => lastNote(node)?.includes('shared again'));
      });
      await expectExact(stage, await warmKey(stage));
    });
  }

  it('says so once when it goes and once when it is back', () => {
    for (const node of stage.nodes) {
      const count = (words: string): number => node.output().split(words).length - 1;
      expect(count('rate limits are counted in this process alone')).to.equal(4);
      expect(count('rate limits are shared again')).to.equal(4);
    }
  });
});

const lastNote = (node: Node): string | undefined =>
  node
    .output()
    .split('\n')
    .findLast((line) => line.includes('rate limits are'));
