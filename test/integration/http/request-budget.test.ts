import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { outsideBudget, withinBudget } from '../../../src/kit/request-budget.ts';
import { tokenRecord } from '../../conformance/token-records.ts';
import { failureOf } from '../../storage/failure-of.ts';
import { openStores } from '../../storage/open-stores.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

describe('the time of a request', () => {
  it('runs from its first statement; after it none begins, and a transaction leaves nothing', async () => {
    await using stores = await openStores({ databaseUrl: 'sqlite::memory:' });
    const [first, second] = [tokenRecord('RefreshToken'), tokenRecord('RefreshToken')];
    await withinBudget(200, async () => {
      await sleep(300);
      expect(await stores.tokens.insert(first)).to.equal(true);
      await sleep(300);
      for (const ask of [
        () => stores.tokens.find(first.kind, first.id),
        () => stores.tokens.insert(second),
        () => stores.tokens.commit({ inserts: [second] }),
      ]) {
        expect(await failureOf(ask())).to.include({ code: 'temporarily_unavailable', retryAfterSeconds: 2 });
      }
      expect(await outsideBudget(() => stores.tokens.find(first.kind, first.id))).to.include({ id: first.id });
    });
    expect(await stores.tokens.find(second.kind, second.id)).to.equal(null);
    await withinBudget(200, async () => expect(await stores.tokens.insert(second)).to.equal(true));
  });

  describe('over HTTP', () => {
    let harness: Harness;
    let slowMs = 0;
    before(async () => {
      harness = await startHarness({
        env: { GATEHOUSE_REQUEST_BUDGET: '1s' },
        adjust: ({ passwords }) => {
          const { verify } = passwords;
          passwords.verify = async (...args) => {
            await sleep(slowMs);
            return verify(...args);
          };
        },
      });
    });
    after(() => harness?.[Symbol.asyncDispose]());

    const login = () =>
      harness.send('/v1/auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery staple' }),
      });

    it('a request that is too slow gets 503 with Retry-After in the shape of its door, leaves nothing and counts as no failure', async () => {
      slowMs = 1200;
      for (let time = 0; time < 6; time += 1) {
        const reply = await login();
        expect(reply.status).to.equal(503);
        expect(reply.headers['retry-after']).to.equal('2');
        expect(reply.headers['content-type']).to.match(/^application\/problem\+json/);
        expect(reply.json()).to.include({ code: 'temporarily_unavailable' });
      }
      slowMs = 0;
      expect((await login()).status).to.equal(200);
    }).timeout(30_000);
  });
});
