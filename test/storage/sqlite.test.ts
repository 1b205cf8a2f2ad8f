import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import createKnex from 'knex';
import { newId } from '../../src/kit/ids.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { everyModel } from './every-model.ts';
import { everySuite } from './every-suite.ts';
import { failureOf } from './failure-of.ts';
import { openStores } from './open-stores.ts';

describe('storage on SQLite in memory', () => {
  let stores: Stores;
  before(async () => {
    stores = await openStores({ databaseUrl: 'sqlite::memory:' });
  });
  after(() => stores[Symbol.asyncDispose]());

  everySuite(() => stores);
});

describe('storage in a SQLite file', () => {
  let folder: string;
  let databaseUrl: string;
  let stores: Stores;

  describe('opened twice', () => {
    let both: [Stores, Stores];
    before(async () => {
      both = [await openStores({ databaseUrl }), await openStores({ databaseUrl })];
    });
    after(async () => {
      for (const each of both) await each[Symbol.asyncDispose]();
    });
    everyModel(() => both);
  });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-sqlite-'));
    databaseUrl = `sqlite:${join(folder, 'data', 'gatehouse.sqlite')}`;
    stores = await openStores({ databaseUrl });
  });
  after(async () => {
    await stores[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('is readable by its owner alone, the log beside it too', async () => {
    await stores.tokens.insert(tokenRecord('Grant'));
    const rights = (path: string) => (statSync(join(folder, path)).mode & 0o777).toString(8);
    expect(rights('data')).to.equal('700');
    expect(rights('data/gatehouse.sqlite')).to.equal('600');
    expect(rights('data/gatehouse.sqlite-wal')).to.equal('600');
  });

  it('lets two pools write at once without refusing one', async () => {
    const other = await openStores({ databaseUrl });
    try {
      const record = tokenRecord('RefreshToken');
      await stores.tokens.insert(record);
      const both = [stores, other];
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          both[index % 2]?.tokens.commit({
            consume: { kind: 'RefreshToken', id: record.id, atMs: index + 1 },
            inserts: [tokenRecord('RefreshToken', { grantId: newId('grant') })],
          }),
        ),
      );
      expect(results.filter(Boolean)).to.have.lengthOf(1);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('waits for another process that writes, instead of failing', async () => {
    const knex = createKnex({
      client: 'sqlite3',
      connection: databaseUrl.replace('sqlite:', ''),
      useNullAsDefault: true,
    });
    try {
      const record = tokenRecord('RefreshToken');
      await stores.tokens.insert(record);
      await knex.raw('begin immediate');
      let done = false;
      const consume = { kind: record.kind, id: record.id, atMs: 1 };
      const waiting = stores.tokens.commit({ consume, inserts: [tokenRecord('Grant')] }).finally(() => {
        done = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      expect(done).to.equal(false);
      await knex.raw('commit');
      expect(await waiting).to.equal(true);
    } finally {
      await knex.destroy();
    }
  });

  it('refuses a value of the wrong type, without repeating it', async () => {
    const wrong = { ...tokenRecord('Grant'), createdAt: 'secret' as unknown as number };
    const failure = await failureOf(stores.tokens.insert(wrong));
    expect(failure.name).to.equal('DatabaseError');
    expect(`${failure.stack}${JSON.stringify(failure)}`)
      .to.include('SQLITE_CONSTRAINT')
      .and.not.include('secret');
  });

  it('keeps what was written when it is opened again', async () => {
    const record = tokenRecord('Grant');
    await stores.tokens.insert(record);
    await stores[Symbol.asyncDispose]();
    expect(readdirSync(join(folder, 'data')), 'an orderly end leaves no log').to.deep.equal(['gatehouse.sqlite']);
    stores = await openStores({ databaseUrl });
    expect(await stores.tokens.find('Grant', record.id)).to.deep.equal(record);
  });
});
