import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { openDatabase } from '../../src/storage/sql/database.ts';
import type { Dialect } from '../../src/storage/sql/dialect.ts';
import { knexConfig, SQL_TIMEOUTS } from '../../src/storage/sql/knex-config.ts';
import { parallel } from '../conformance/parallel.ts';
import { requirePart } from '../support/requirements.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const POOL = 6;
type Opened = ReturnType<typeof openDatabase>;

const TRICKS = {
  postgres: {
    readOnly: 'set session characteristics as transaction read only',
    id: 'select pg_backend_pid() as id, pg_sleep(0.2)',
    end: (id: number) => `select pg_terminate_backend(${id})`,
  },
  mariadb: {
    readOnly: 'set session transaction read only',
    id: 'select connection_id() as id, sleep(0.2)',
    end: (id: number) => `kill ${id}`,
  },
} as const;

for (const dialect of ['postgres', 'mariadb'] as const) {
  describe(`connections to ${dialect}`, () => {
    const trick = TRICKS[dialect];
    let databaseUrl: string;
    let database: Opened;
    const open = (url = databaseUrl, timeouts = SQL_TIMEOUTS) =>
      openDatabase({ dialect: dialect as Dialect, config: knexConfig({ databaseUrl: url, poolSize: POOL, timeouts }) });
    before(async function () {
      databaseUrl = await (await requirePart(dialect, this)).createDatabase();
      database = open();
      await database.affected('create table marks (id varchar(20) primary key)', []);
    });
    afterEach(async () => {
      await database?.affected('delete from marks', []);
    });
    after(() => database?.close());

    const insert = (id: string) => database.affected('insert into marks (id) values (?)', [id]);
    /** Every connection of the pool, at once. */
    const everyConnection = <T>(work: () => Promise<T>) => parallel(POOL, work);
    const ids = async () =>
      new Set((await everyConnection(() => database.rows<{ id: number }>(trick.id, []))).map(([row]) => row?.id ?? 0));

    it('are given up as soon as one says that its server is read-only: no write fails for an old primary', async () => {
      await ids();
      await everyConnection(() => database.affected(`${trick.readOnly}`, []));
      await parallel(POOL, (index) => insert(`w${index}`));
      await sleep(1100);
      await ids();
      await everyConnection(() => database.affected(`${trick.readOnly}`, []));
      await database.transaction(async (tx) => {
        await tx.affected('insert into marks (id) values (?)', ['t']);
        await tx.affected('delete from marks where id = ?', ['w0']);
      });
      const kept = await database.rows<{ id: string }>('select id from marks order by id', []);
      expect(kept.map(({ id }) => id)).to.deep.equal(['t', 'w1', 'w2', 'w3', 'w4', 'w5']);
    });

    it('that ended cost no read and no transaction anything, and what was not sent is sent', async () => {
      for (const waitMs of [0, 0, 30]) {
        const other = open();
        for (const id of await ids()) await other.rows(trick.end(id), []).catch(() => undefined);
        await other.close();
        if (waitMs > 0) await sleep(waitMs);
        await everyConnection(() => database.rows('select 1 as one', []));
        await parallel(POOL, (index) =>
          database.transaction(async (tx) => {
            await tx.affected('insert into marks (id) values (?)', [`${waitMs}-${index}`]);
            await tx.affected('delete from marks where id = ?', [`${waitMs}-${index}`]);
          }),
        );
      }
      expect(await database.rows('select id from marks', [])).to.deep.equal([]);
    });

    it('that went dumb while they were idle are noticed before they are used, and replaced', async () => {
      const proxy = await startTcpProxy(Number(new URL(databaseUrl).port));
      const behind = open(proxy.through(databaseUrl));
      try {
        const own = async () => (await behind.rows<{ id: number }>(trick.id, []))[0]?.id;
        const before = await own();
        await sleep(1100);
        await proxy.pause();
        const after = own();
        await sleep(700);
        await proxy.restore();
        expect(await after)
          .to.be.a('number')
          .and.not.equal(before);
      } finally {
        await behind.close();
        await proxy.close();
      }
    });
  });
}
