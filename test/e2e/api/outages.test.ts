import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { startLoad, until } from '../../support/e2e-load.ts';
import { createWorld, describeOn, type Node, type World } from '../../support/e2e-world.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { type Answer, type ApiCalls, createApiCalls, type SignedIn } from './api-calls.ts';

/** Milliseconds. */
const BOUND = 5000;

describeOn(['PostgreSQL and Redis', 'MariaDB'], 'verify without its database', (setup) => {
  let world: World;
  let calls: ApiCalls;
  let person: SignedIn;
  /** Keeps its database, and changes things in it. */
  let other: Node;
  let node: Node;
  let proxy: TcpProxy;

  before(async function () {
    this.timeout(120_000);
    world = await createWorld(setup, this);
    const databaseUrl = world.env.DATABASE_URL ?? '';
    proxy = await startTcpProxy(Number(new URL(databaseUrl).port));
    other = await world.start();
    node = await world.start({ env: { DATABASE_URL: proxy.through(databaseUrl) } });
    calls = createApiCalls(world);
    person = await calls.newPerson(other);
  });
  after(async () => {
    await world?.close();
    await proxy?.close();
  });

  const isReady = async (): Promise<boolean> => (await node.fetch(`${world.issuer}/ready`)).status === 200;

  for (const [how, fail] of [
    ['refuses connections', () => proxy.cut()],
    ['is silent', () => proxy.pause()],
  ] as const) {
    // How a driver hears of it is the driver's affair; once is enough for what follows.
    if (how === 'is silent' && setup === 'MariaDB') continue;
    it(`that ${how} goes on with what it knows for 5 s at most, then says 503, and recovers by itself`, async function () {
      this.timeout(60_000);
      const [good, revoked, limited] = [
        await calls.createKey(other, person),
        await calls.createKey(other, person),
        await calls.createKey(other, person, { limit: { quota: 1000, window_seconds: 60 } }),
      ];
      // What is read while the word of a change comes in is not kept: let that of the new keys come in first.
      await sleep(300);
      const warm = [good.text, revoked.text, limited.text, person.accessToken];
      // All at one moment, from which the bound counts.
      for (const text of warm) expect((await calls.verify(node, text)).status).to.equal(200);
      await fail();
      const failed = performance.now();
      // Told by Redis where there is one. Nobody can tell on MariaDB alone: then the bound holds.
      expect((await calls.revokeKey(other, person, revoked)).status).to.equal(200);
      const ended = performance.now();

      const seen: Record<string, { at: number; answer: Answer }[]> = {};
      const watch = async (text: string): Promise<void> => {
        seen[text] = [];
        while (performance.now() - failed < BOUND + 1500) {
          const at = performance.now();
          const answer = await calls.verify(node, text);
          seen[text].push({ at, answer });
          await sleep(100);
        }
      };
      await Promise.all(warm.map(watch));
      await proxy.restore();

      for (const [text, answers] of Object.entries(seen)) {
        for (const { at, answer } of answers) {
          expect(answer.status).to.be.oneOf([200, 503]);
          if (answer.status === 503) expect(Number(answer.headers.get('retry-after'))).to.be.greaterThan(0);
          else {
            expect(at - failed, 'a good answer after the bound').to.be.lessThan(BOUND);
            // A process that was told forgets at once; nothing is known of the key then.
            const mostMs = setup.includes('Redis') ? 1000 : BOUND;
            if (text === revoked.text) expect(at - ended, 'a revoked key').to.be.lessThan(mostMs);
          }
        }
        expect(answers.at(-1)?.answer.status).to.equal(503);
      }
      const goodFor = (text: string): number => {
        const last = seen[text]?.findLast(({ answer }) => answer.status === 200);
        return last ? Math.round(last.at - failed) : 0;
      };
      console.log(`        good for ${warm.map(goodFor).join(', ')} ms (warm, revoked, limited, login)`);
      // What is warm needs no database for some time: it is what the cache is for.
      for (const text of [good.text, limited.text]) expect(goodFor(text)).to.be.greaterThan(2500);

      await until('readiness', 15, isReady);
      for (const text of [good.text, limited.text, person.accessToken]) {
        expect((await calls.verify(node, text)).status).to.equal(200);
      }
      expect((await calls.verify(node, revoked.text)).status).to.equal(401);
    });
  }

  it('costs nothing but 503s under load while it is away, and nothing after', async function () {
    this.timeout(60_000);
    const keys = await Promise.all(Array.from({ length: 4 }, () => calls.createKey(other, person)));
    const load = startLoad({
      callers: 8,
      pauseMs: 20,
      ask: (caller) => calls.verify(node, (keys[caller % keys.length] as { text: string }).text),
    });
    try {
      await sleep(300);
      await proxy.cut();
      await until('503s', 10, () => Boolean(load.outcomes()['503']));
      await sleep(500);
      await proxy.restore();
      await until('readiness', 15, isReady);
      await sleep(500);
      expect(Object.keys(load.outcomes())).to.have.members(['200', '503']);
      load.forget();
      await sleep(500);
    } finally {
      await load.stop();
    }
    expect(Object.keys(load.outcomes())).to.deep.equal(['200']);
    expect(node.output()).not.to.match(/unhandledRejection|uncaughtException/i);
  });
});
