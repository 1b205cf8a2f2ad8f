import { inspect } from 'node:util';
import { expect } from 'chai';
import createKnex from 'knex';
import type { Stores } from '../../src/storage/stores.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { requirePart } from '../support/requirements.ts';
import type { SqlServer } from '../support/servers/sql-server.ts';
import { everyModel } from './every-model.ts';
import { everySuite } from './every-suite.ts';
import { expectUnavailable, failureOf, recoveryMs } from './failure-of.ts';
import { openStores } from './open-stores.ts';

describe('storage on MariaDB', () => {
  let server: SqlServer;
  let databaseUrl: string;
  let stores: Stores;
  let second: Stores;
  before(async function () {
    server = await requirePart('mariadb', this);
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

  it('opens under both schemes', async () => {
    const scheme = databaseUrl.startsWith('mysql:') ? 'mariadb:' : 'mysql:';
    const other = await openStores({ databaseUrl: databaseUrl.replace(/^\w+:/, scheme) });
    await other.ping();
    await other[Symbol.asyncDispose]();
  });

  it('refuses a value that does not fit, without repeating it', async () => {
    const failure = await failureOf(stores.tokens.insert(tokenRecord('Grant', { id: 'secret'.repeat(100) })));
    expect(failure.name).to.equal('DatabaseError');
    expect(`${failure.stack}${JSON.stringify(failure)}`)
      .to.include('ER_DATA_TOO_LONG')
      .and.not.include('secret');
  });

  describe('in an outage', () => {
    it('fails as unavailable when a lock is held for too long, without the values', async () => {
      const record = tokenRecord('RefreshToken');
      await stores.tokens.insert(record);
      const knex = createKnex({ client: 'mysql2', connection: databaseUrl });
      // MariaDB counts lock waits in whole seconds: here the statement's own limit comes first, there the lock's.
      for (const timeouts of [{ statementMs: 300 }, { statementMs: 3000, lockMs: 1000 }]) {
        const impatient = await openStores({ databaseUrl, timeouts });
        try {
          await knex.transaction(async (trx) => {
            await trx.raw('select 1 from token_records where id = ? for update', [record.id]);
            const failure = await failureOf(impatient.tokens.consume('RefreshToken', record.id, 1));
            expect(failure.name).to.equal('StoreUnavailableError');
            expect(inspect(failure))
              .to.match(/1969|1205/)
              .and.not.include(record.id);
          });
        } finally {
          await impatient[Symbol.asyncDispose]();
        }
      }
      await knex.destroy();
      expect(await stores.tokens.consume('RefreshToken', record.id, 1)).to.equal(true);
    });

    it('fails as unavailable while the server is down, and works again without a restart of ours', async () => {
      try {
        await server.kill('SIGTERM');
        await expectUnavailable(stores.ping(), 'database');
        await expectUnavailable(stores.tokens.insert(tokenRecord('Grant')), 'database');
        await expectUnavailable(stores.signingKeys.transition([], 1), 'database');
        await expectUnavailable(stores.migrations.pending(), 'database');
      } finally {
        await server.restart();
      }
      expect(await recoveryMs(3000, () => stores.ping())).to.be.below(3000);
      await Promise.all(Array.from({ length: 20 }, () => stores.tokens.insert(tokenRecord('Grant'))));
    });

    it('fails as unavailable within its time limits when the server hangs, and frees its connections', async () => {
      const timeouts = { connectMs: 300, acquireMs: 300, statementMs: 300 };
      const hasty = await openStores({ databaseUrl, poolSize: 2, timeouts });
      try {
        await hasty.ping();
        await server.kill('SIGSTOP');
        const start = performance.now();
        await Promise.all(Array.from({ length: 6 }, () => expectUnavailable(hasty.ping(), 'database')));
        await expectUnavailable(hasty.signingKeys.transition([], 1), 'database');
        expect(performance.now() - start).to.be.below(6000);
        await server.kill('SIGCONT');
        await recoveryMs(3000, () => hasty.ping());
      } finally {
        await server.kill('SIGCONT');
        await hasty[Symbol.asyncDispose]();
      }
    });
  });
});
