import { expect } from 'chai';
import type { Context } from 'koa';
import { readiness } from '../../../src/endpoints/ops/health.ts';
import { AppError } from '../../../src/kit/errors.ts';

const ask = async (handler: (ctx: Context) => Promise<void>): Promise<{ status?: number; body: unknown }> => {
  const ctx = { set() {} } as unknown as Context;
  await handler(ctx);
  return ctx;
};

describe('readiness', () => {
  it('asks the stores once for any number of callers within a second', async () => {
    let asked = 0;
    const ping = async (): Promise<void> => {
      asked += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const handler = readiness({ ping, isDraining: () => false });
    await Promise.all(Array.from({ length: 500 }, () => ask(handler)));
    await ask(handler);
    expect(asked).to.equal(1);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    await ask(handler);
    expect(asked).to.equal(2);
  });

  it('says in a word why it is not, and nothing of the cause', async () => {
    const cause = new Error('password authentication failed');
    const refused = new AppError('temporarily_unavailable', { internal: 'database is read-only', cause });
    const { status, body } = await ask(readiness({ ping: () => Promise.reject(refused), isDraining: () => false }));
    expect([status, body]).to.deep.equal([503, { status: 'unavailable', reason: 'database is read-only' }]);
  });
});
