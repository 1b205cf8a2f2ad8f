import { expect } from 'chai';
import type { LimitRule } from '../../../../src/domain/limits/limit-rule.ts';
import { createRateLimits } from '../../../../src/domain/limits/rate-limits.ts';
import type { Stores } from '../../../../src/storage/stores.ts';
import { openStores } from '../../../storage/open-stores.ts';
import { digester, KEY, TOKEN } from './rate-limit-worlds.ts';

const RULES: LimitRule[] = [
  { name: 'api-keys', per: 'key', method: 'api_key', quota: 100, windowSeconds: 86_400 },
  { name: 'own', per: 'subject', method: 'api_key', quota: 150, windowSeconds: 86_400 },
  { name: 'app', per: 'client', quota: 100, windowSeconds: 86_400 },
];

describe('rate limits on SQLite', () => {
  let stores: Stores;
  before(async () => {
    stores = await openStores({ databaseUrl: 'sqlite::memory:' });
  });
  after(() => stores[Symbol.asyncDispose]());

  /** Each as a process has it; none may fall back, so that what passes is what the store let pass. */
  const limitsOf = (count: number) =>
    Array.from({ length: count }, () =>
      createRateLimits({
        rules: RULES,
        store: stores.rateLimits,
        fallback: {
          take: () => Promise.reject(new Error('the store was given up')),
          fill: () => undefined,
          purge: async () => 0,
        },
        processes: count,
        digester,
        budgetMs: 20_000,
      }),
    );

  it('let exactly the quota pass of 200 at once through two doors, whichever counter is the smaller', async () => {
    const doors = limitsOf(2);
    const passing = async (keyId: string) => {
      const taken = doors.flatMap((limits) => Array.from({ length: 100 }, () => limits.take({ ...KEY, keyId })));
      return (await Promise.all(taken)).filter(({ allowed }) => allowed).length;
    };
    expect(await passing('key_one')).to.equal(100);
    // 50 are left to the account, and the refused hundred took none of them.
    expect(await passing('key_two')).to.equal(50);
  });

  it("count a client's requests together, whoever sits in front of it", async () => {
    const [limits] = limitsOf(1);
    const taken = Array.from({ length: 200 }, (_, i) => limits?.take({ ...TOKEN, subject: `acc_${i % 20}` }));
    expect((await Promise.all(taken)).filter((decision) => decision?.allowed)).to.have.length(100);
  });
});
