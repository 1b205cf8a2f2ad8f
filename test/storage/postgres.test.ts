import { expect } from 'chai';
import createKnex, { type Knex } from 'knex';
import type { Stores } from '../../src/storage/stores.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { requirePart } from '../support/requirements.ts';
import type { SqlServer } from '../support/servers/sql-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { everyModel } from './every-model.ts';
import { everySuite } from './every-suite.ts';
import { expectUnavailable, failureOf, recoveryMs } from './failure-of.ts';
import { openStores } from './open-stores.ts';

describe('storage on PostgreSQL', () => {
  let server: SqlServer;
  let databaseUrl: string;
  let stores: Stores;
  let second: Stores;
  before(async function () {
    server = await requirePart('postgres', this);
    databaseUrl = await server.createDatabase();
    stores = await openStores({ databaseUrl });
    second = await openStores({ databaseUrl });
  });
  after(async () => {
    await second?.[Symbol.asyncDispose]();
    await stores?.[Symbol.asyncDispose]();
  });

  everySuite(() => stores);
  everyModel(() => [stores, second]);

  it('commits in one statement', async () => {
    const used = tokenRecord('RefreshToken');
    await stores.tokens.insert(used);
    const before = stores.counters.sqlStatements();
    const consume = { kind: used.kind, id: used.id, atMs: 1, receipt: 'sealed' };
    await stores.tokens.commit({ consume, inserts: [tokenRecord('RefreshToken'), tokenRecord('AccessToken')] });
    expect(stores.counters.sqlStatements() - before).to.equal(1);
  });

  it('tells a fault of ours from an outage, without the values', async () => {
    const failure = await failureOf(stores.tokens.insert(tokenRecord('Grant', { id: 'secret'.repeat(100) })));
    expect(failure.name).to.equal('DatabaseError');
    expect(`${failure.stack}${JSON.stringify(failure)}`)
      .to.include('22001')
      .and.not.include('secret');
  });

  describe('in an outage', () => {
    it('fails as unavailable while the server is down, and works again without a restart of ours', async () => {
      try {
        await server.kill('SIGINT');
        await expectUnavailable(stores.ping(), 'database');
        await expectUnavailable(stores.tokens.insert(tokenRecord('Grant')), 'database');
        await expectUnavailable(stores.tokens.commit({ inserts: [tokenRecord('Grant')] }), 'database');
        await expectUnavailable(stores.signingKeys.transition([], 1), 'database');
        await expectUnavailable(stores.migrations.pending(), 'database');
      } finally {
        await server.restart();
      }
      expect(await recoveryMs(3000, () => stores.ping())).to.be.below(3000);
      await Promise.all(Array.from({ length: 20 }, () => stores.tokens.insert(tokenRecord('Grant'))));
    });

    it('fails as unavailable within its time limits when nothing answers, and frees its connections', async () => {
      const proxy = await startTcpProxy(Number(new URL(databaseUrl).port));
      const timeouts = { connectMs: 300, acquireMs: 300, statementMs: 300 };
      const through = await openStores({ databaseUrl: proxy.through(databaseUrl), poolSize: 2, timeouts });
      try {
        await through.ping();
        await proxy.pause();
        const start = performance.now();
        await Promise.all(Array.from({ length: 6 }, () => expectUnavailable(through.ping(), 'database')));
        await expectUnavailable(through.signingKeys.transition([], 1), 'database');
        expect(performance.now() - start).to.be.below(6000);
        await proxy.restore();
        await recoveryMs(3000, () => through.ping());
      } finally {
        await proxy.restore();
        await through[Symbol.asyncDispose]();
        await proxy.close();
      }
    });

    it('fails as unavailable when a lock is held for too long', async () => {
      const impatient = await openStores({ databaseUrl, timeouts: { lockMs: 200 } });
      const knex: Knex = createKnex({ client: 'pg', connection: databaseUrl });
      const record = tokenRecord('RefreshToken');
      await stores.tokens.insert(record);
      try {
        await knex.transaction(async (trx) => {
          await trx.raw('select 1 from token_records where id = ? for update', [record.id]);
          await expectUnavailable(impatient.tokens.consume('RefreshToken', record.id, 1), 'database');
        });
        expect(await impatient.tokens.consume('RefreshToken', record.id, 1)).to.equal(true);
      } finally {
        await impatient[Symbol.asyncDispose]();
        await knex.destroy();
      }
    });
  });
});
