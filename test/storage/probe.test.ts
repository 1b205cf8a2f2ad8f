import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import createKnex from 'knex';
import { AppError } from '../../src/kit/errors.ts';
import { createLog } from '../../src/kit/log.ts';
import { knexConfig } from '../../src/storage/sql/knex-config.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { requirePart } from '../support/requirements.ts';
import { failureOf } from './failure-of.ts';
import { openStores } from './open-stores.ts';

const saidBy = async (stores: Stores): Promise<string | undefined> => {
  const failure = await failureOf(stores.ping());
  return failure instanceof AppError ? failure.internal : failure.message;
};

describe('a SQLite file that is gone or replaced', () => {
  let folder: string;
  let file: string;
  let stores: Stores;
  const lines: string[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gatehouse-gone-'));
    file = join(folder, 'gatehouse.sqlite');
    lines.length = 0;
    const log = createLog({ level: 'info', destination: { write: (line: string) => void lines.push(line) } });
    stores = await openStores({ databaseUrl: `sqlite:${file}`, log });
    await stores.ping();
  });
  afterEach(async () => {
    await stores[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const writes = () => [
    stores.tokens.insert(tokenRecord('Grant')),
    stores.leases.acquire('job', 'a', 1, 1),
    stores.tokens.commit({ inserts: [tokenRecord('Grant')] }),
    stores.accounts.find('acc_1'),
  ];

  for (const [how, remove] of Object.entries({
    removed: () => rmSync(file),
    replaced: () => {
      rmSync(file);
      writeFileSync(file, '');
    },
  })) {
    it(`is never used again when it was ${how}: no write is acknowledged, and one line says so`, async () => {
      remove();
      for (let round = 0; round < 5; round += 1) {
        for (const outcome of await Promise.allSettled(writes())) {
          expect(outcome.status).to.equal('rejected');
          expect((outcome as PromiseRejectedResult).reason.code).to.equal('temporarily_unavailable');
        }
      }
      expect(await saidBy(stores)).to.equal('database is not available');
      expect(lines.filter((line) => line.includes('database file is gone'))).to.have.length(1);
    });
  }

  it('serves again when it is put back', async () => {
    renameSync(file, `${file}.away`);
    expect(await saidBy(stores)).to.equal('database is not available');
    renameSync(`${file}.away`, file);
    await Promise.all(writes());
    await stores.ping();
  });
});

for (const dialect of ['postgres', 'mariadb'] as const) {
  describe(`readiness of ${dialect}`, () => {
    let databaseUrl: string;
    let stores: Stores;
    before(async function () {
      databaseUrl = await (await requirePart(dialect, this)).createDatabase();
      stores = await openStores({ databaseUrl });
    });
    after(() => stores?.[Symbol.asyncDispose]());

    it('ends while a table of it is gone from sight, and comes back by itself', async () => {
      const knex = createKnex(knexConfig({ databaseUrl }));
      try {
        await stores.ping();
        await knex.raw('alter table leases rename to leases_away');
        expect(await saidBy(stores)).to.be.a('string');
        await knex.raw('alter table leases_away rename to leases');
        await stores.ping();
      } finally {
        await knex.destroy();
      }
    });

    if (dialect === 'postgres') {
      it('ends while it is read-only, in a word, and comes back by itself', async () => {
        const name = new URL(databaseUrl).pathname.slice(1);
        const knex = createKnex(knexConfig({ databaseUrl }));
        try {
          await knex.raw(`alter database ${name} set default_transaction_read_only = on`);
          const fresh = await openStorageOf(databaseUrl);
          expect(await saidBy(fresh)).to.equal('database is read-only');
          await knex.raw(`alter database ${name} reset default_transaction_read_only`);
          await new Promise((resolve) => setTimeout(resolve, 1100));
          await fresh.ping().catch(() => undefined);
          await fresh.ping();
          await fresh[Symbol.asyncDispose]();
        } finally {
          await knex.destroy();
        }
      });
    }
  });
}

const openStorageOf = async (databaseUrl: string): Promise<Stores> => {
  const { openStorage } = await import('../../src/storage/open-storage.ts');
  const { systemClock } = await import('../../src/kit/clock.ts');
  return openStorage({ databaseUrl, log: createLog({ level: 'silent' }), clock: systemClock });
};

describe('readiness of redis', () => {
  it('ends while it is full, in a word, and comes back by itself', async function () {
    const server = await requirePart('redis', this);
    const stores = await openStores({ databaseUrl: 'sqlite::memory:', redisUrl: server.url });
    const { Redis } = await import('ioredis');
    const admin = new Redis(server.url);
    try {
      await stores.ping();
      await admin.config('SET', 'maxmemory', '1');
      expect(await saidBy(stores)).to.equal('redis is full');
      await admin.config('SET', 'maxmemory', '0');
      await stores.ping();
    } finally {
      await admin.config('SET', 'maxmemory', '0');
      await admin.quit();
      await stores[Symbol.asyncDispose]();
    }
  });
});
