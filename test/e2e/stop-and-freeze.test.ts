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
import { startLoad } from '../support/e2e-load.ts';
import { CALLBACK, createParties, type Parties } from '../support/e2e-parties.ts';
import { createWorld, describeOn, type Node, TWO_SETUPS, type World } from '../support/e2e-world.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

describeOn(TWO_SETUPS, 'stopping and freezing', (setup) => {
  let world: World;
  let node: Node;
  let parties: Parties;
  let flows: ClientFlows;
  let browser: UserAgent;

  before(async function () {
    world = await createWorld(setup, this, { env: { GATEHOUSE_REFRESH_GRACE: '60s' } });
    node = await world.start();
    parties = await createParties(await world.services());
    flows = createClientFlows({ issuer: world.issuer, redirectUri: CALLBACK });
    browser = createUserAgent(node.fetch, world.issuer);
    await flows.code(browser, parties.basic.id);
  });
  after(() => world?.close());

  for (const workers of ['1', '2']) {
    it(`SIGTERM under load fails no request and ends in order, with ${workers} worker(s)`, async () => {
      const stopping = await world.start({ env: { WEB_CONCURRENCY: workers } });
      // Each caller on a chain of refreshes of its own, which a lost answer would break.
      const chains = await Promise.all(
        Array.from({ length: 6 }, async () => {
          const issued = await flows.code(browser, parties.basic.id);
          return tokenOf(await flows.redeem(stopping.fetch, parties.basic, issued), 'refresh_token');
        }),
      );
      const load = startLoad({
        callers: chains.length,
        untilRefused: true,
        async ask(caller) {
          const answer = await flows.refresh(stopping.fetch, parties.basic, chains[caller] ?? '');
          chains[caller] = answer.body.refresh_token ?? '';
          return answer;
        },
      });
      await sleep(700);
      const started = performance.now();
      const code = await stopping.stop();
      await load.stop();
      expect(code).to.equal(0);
      expect(performance.now() - started).to.be.lessThan(10_000);
      expect(Object.keys(load.outcomes())).to.deep.equal(['200']);
      expect(load.outcomes()['200']).to.be.greaterThan(20);
    });
  }

  it('SIGTERM resets nobody who comes back at once, time and again', async function () {
    this.timeout(60_000);
    for (const workers of ['1', '2', '2', '2']) {
      const stopping = await world.start({ env: { WEB_CONCURRENCY: workers } });
      const load = startLoad({
        callers: 16,
        pauseMs: 1,
        untilRefused: true,
        ask: () => stopping.fetch(`${world.issuer}/.well-known/openid-configuration`),
      });
      await sleep(300);
      expect(await stopping.stop()).to.equal(0);
      await load.stop();
      expect(Object.keys(load.outcomes())).to.deep.equal(['200']);
    }
  });

  describe('a process frozen in the middle of a request', () => {
    let frozen: Node;
    let proxy: TcpProxy | undefined;

    before(async () => {
      const databaseUrl = world.env.DATABASE_URL ?? '';
      if (world.sql) {
        // A slow database makes the middle long enough to be hit.
        proxy = await startTcpProxy(Number(new URL(databaseUrl).port));
        frozen = await world.start({ env: { DATABASE_URL: proxy.through(databaseUrl) } });
        await proxy.delay(10);
      } else {
        frozen = await world.start();
      }
    });
    after(() => proxy?.close());

    /** Asks the process that freezes, then the other one, then wakes the first: both answers. */
    async function raced(
      ask: (via: Node) => Promise<TokenAnswer>,
      { freezeAfterMs, frozenMs }: { freezeAfterMs: number; frozenMs: number },
    ): Promise<[TokenAnswer, TokenAnswer]> {
      const slow = ask(frozen);
      await sleep(freezeAfterMs);
      frozen.pause();
      try {
        const quick = await ask(node);
        await sleep(frozenMs);
        frozen.resume();
        return [await slow, quick];
      } finally {
        frozen.resume();
      }
    }

    const TIMES = 5;
    const LONG = 2;
    const freeze = (time: number, longestMs: number) => ({
      // Spread over the request: a few milliseconds, or a few slow statements.
      freezeAfterMs: (proxy ? 25 : 4) * time,
      frozenMs: time === LONG && proxy ? longestMs : 200,
    });

    const outcomeOf = ({ status, body }: TokenAnswer): string => [status, body.error].filter(Boolean).join(' ');
    /** Frozen for longer than a statement may take it says so; and SQLite has one lock, which may be frozen as well. */
    const BUSY = '503 temporarily_unavailable';

    it('uses no code a second time after it wakes', async () => {
      const winners: string[] = [];
      for (let time = 0; time < TIMES; time += 1) {
        const issued = await flows.code(browser, parties.basic.id);
        const [slow, quick] = await raced((via) => flows.redeem(via.fetch, parties.basic, issued), freeze(time, 4000));
        const outcomes = [slow, quick].map(outcomeOf);
        if (outcomes.includes(BUSY) && (time === LONG || !proxy)) {
          expect(outcomes.filter((outcome) => outcome === '200').length).to.be.at.most(1);
          expect(outcomes.filter((outcome) => !['200', BUSY, '400 invalid_grant'].includes(outcome))).to.deep.equal([]);
        } else {
          expect([...outcomes].sort()).to.deep.equal(['200', '400 invalid_grant']);
        }
        winners.push(slow.status === 200 ? 'frozen' : quick.status === 200 ? 'other' : 'nobody');
      }
      console.log(`        won by: ${winners.join(' ')}`);
    });

    it('answers a refresh with the successor that the other process made meanwhile', async () => {
      const issued = await flows.code(browser, parties.basic.id);
      let token = tokenOf(await flows.redeem(node.fetch, parties.basic, issued), 'refresh_token');
      for (let time = 0; time < TIMES; time += 1) {
        const answers = await raced((via) => flows.refresh(via.fetch, parties.basic, token), freeze(time, 1000));
        const retry = await flows.refresh(node.fetch, parties.basic, token);
        expect(outcomeOf(retry)).to.equal('200');
        for (const answer of answers) {
          if (outcomeOf(answer) === BUSY && (time === LONG || !proxy)) continue;
          expect(answer).to.deep.include({ status: 200, body: retry.body });
        }
        token = tokenOf(retry, 'refresh_token');
      }
    });
  });
});
