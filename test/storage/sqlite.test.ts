import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { newId } from '../../src/kit/ids.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { everySuite } from './every-suite.ts';
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

  it('keeps what was written when it is opened again', async () => {
    const record = tokenRecord('Grant');
    await stores.tokens.insert(record);
    await stores[Symbol.asyncDispose]();
    stores = await openStores({ databaseUrl });
    expect(await stores.tokens.find('Grant', record.id)).to.deep.equal(record);
  });
});
