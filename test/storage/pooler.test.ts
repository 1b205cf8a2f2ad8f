import { expect } from 'chai';
import { newId } from '../../src/kit/ids.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { parallel } from '../conformance/parallel.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { requirePart } from '../support/requirements.ts';
import type { ServerProcess } from '../support/servers/server-process.ts';
import { failureOf } from './failure-of.ts';
import { openStores } from './open-stores.ts';

describe('PostgreSQL behind PgBouncer', () => {
  const WAYS = [
    { mode: 'session', word: '' },
    { mode: 'transaction', word: '?pooler=transaction' },
    { mode: 'transaction', word: '?prepared=false' },
  ] as const;

  for (const { mode, word } of WAYS) {
    describe(`by ${mode}, ${word || 'without a word in the address'}`, () => {
      let pooler: ServerProcess & { url: string };
      let stores: Stores;
      let other: Stores;
      before(async function () {
        const [postgres, startPgbouncer] = [await requirePart('postgres', this), await requirePart('pgbouncer', this)];
        pooler = await startPgbouncer({ databaseUrl: await postgres.createDatabase(), mode });
        stores = await openStores({ databaseUrl: pooler.url + word, poolSize: 5 });
        other = await openStores({ databaseUrl: pooler.url + word, poolSize: 5 });
      });
      after(async () => {
        await stores?.[Symbol.asyncDispose]();
        await other?.[Symbol.asyncDispose]();
        await pooler?.stop();
      });

      it('migrations are applied, statements and transactions work, 50 at once and from two processes', async () => {
        expect(await stores.migrations.pending()).to.deep.equal([]);
        const record = tokenRecord('AuthorizationCode');
        expect(await stores.tokens.insert(record)).to.equal(true);
        const used = await parallel(50, (index) =>
          (index % 2 ? stores : other).tokens.commit({
            consume: { kind: record.kind, id: record.id, atMs: 17e11, receipt: 'r' },
            inserts: [tokenRecord('RefreshToken')],
          }),
        );
        expect(used.filter(Boolean)).to.have.length(1);
        const job = newId('job');
        const leases = await parallel(50, (index) =>
          (index % 2 ? stores : other).leases.acquire(job, `${index}`, 60_000, Date.now()),
        );
        expect(leases.filter(Boolean)).to.have.length(1);
      });
    });
  }

  it('by transaction without the word: the failure says which word is missing', async function () {
    const [postgres, startPgbouncer] = [await requirePart('postgres', this), await requirePart('pgbouncer', this)];
    const databaseUrl = await postgres.createDatabase();
    await using _migrated = await openStores({ databaseUrl });
    const pooler = await startPgbouncer({ databaseUrl, mode: 'transaction' });
    try {
      await using stores = await openStores({ databaseUrl: `${pooler.url}?pooler=session`, poolSize: 5 });
      const failures = await parallel(50, (index) =>
        failureOf(stores.accounts.find(`acc_${index}`)).catch(() => new Error('none')),
      );
      expect(failures.map((failure) => (failure as { internal?: string }).internal ?? '').join()).to.include(
        'add ?pooler=transaction to DATABASE_URL',
      );
    } finally {
      await pooler.stop();
    }
  });
});
