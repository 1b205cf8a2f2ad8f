import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import createKnex, { type Knex } from 'knex';
import { systemClock } from '../../src/kit/clock.ts';
import { newId } from '../../src/kit/ids.ts';
import { openStorage } from '../../src/storage/open-storage.ts';
import { type Dialect, dialectOf } from '../../src/storage/sql/dialect.ts';
import { knexConfig } from '../../src/storage/sql/knex-config.ts';
import { createMigrator } from '../../src/storage/sql/migrator.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { apart, growing } from '../conformance/throttle-counters.ts';
import { requirePart } from '../support/requirements.ts';
import { failureOf } from './failure-of.ts';
import { silentLog } from './open-stores.ts';

const ALL = ['0001-initial', '0002-api-credentials', '0003-row-macs', '0007-deployment', '0010-rotated-by'];

const folders: string[] = [];

const BACKENDS: Record<string, (context: Mocha.Context) => Promise<string>> = {
  SQLite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-migrations-'));
    folders.push(folder);
    return `sqlite:${folder}/gatehouse.sqlite`;
  },
  PostgreSQL: async (context) => (await requirePart('postgres', context)).createDatabase(),
  MariaDB: async (context) => (await requirePart('mariadb', context)).createDatabase(),
};

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

for (const [name, createDatabase] of Object.entries(BACKENDS)) {
  describe(`migrations on ${name}`, () => {
    let databaseUrl: string;
    beforeEach(async function () {
      databaseUrl = await createDatabase(this);
    });

    const withStores = async (use: (...stores: [Stores, Stores]) => Promise<void>): Promise<void> => {
      const open = () => openStorage({ databaseUrl, log: silentLog(), clock: systemClock });
      await using first = await open();
      await using second = await open();
      await use(first, second);
    };

    const withKnex = async <T>(use: (knex: Knex) => Promise<T>): Promise<T> => {
      const knex = createKnex(knexConfig({ databaseUrl, log: () => {} }));
      try {
        return await use(knex);
      } finally {
        await knex.destroy();
      }
    };

    it('bring an empty database up, and then have nothing to do', () =>
      withStores(async ({ migrations }) => {
        expect(await migrations.pending()).to.deep.equal(ALL);
        expect(await migrations.status()).to.deep.equal(ALL.map((each) => ({ name: each, appliedAt: null })));
        expect(await migrations.pending(), 'asking changes nothing').to.deep.equal(ALL);

        expect(await migrations.up()).to.deep.equal(ALL);
        expect(await migrations.pending()).to.deep.equal([]);
        expect(await migrations.up()).to.deep.equal([]);
        const [status] = await migrations.status();
        expect(status?.name).to.equal(ALL[0]);
        expect(status?.appliedAt).to.be.closeTo(Date.now(), 60_000);
      }));

    it('are applied once when two processes start together', async function () {
      for (let round = 0; round < 3; round += 1) {
        databaseUrl = await createDatabase(this);
        await withStores(async (first, second) => {
          const applied = await Promise.all([first.migrations.up(), second.migrations.up()]);
          expect(applied.flat()).to.deep.equal(ALL);
          expect(await second.migrations.pending()).to.deep.equal([]);
        });
      }
    });

    it('go on after one was killed half-way', async () => {
      await withKnex(async (knex) => {
        await withStores(async ({ migrations }) => void (await migrations.up()));
        // As if the process had died in the middle, on a database that commits each definition by itself.
        await knex.raw('drop table leases');
        await knex.raw('drop table audit_events');
        await knex.raw('drop table api_keys');
        await knex.raw('drop table idempotent_requests');
        // MariaDB would not drop the column under its index.
        await knex.schema.alterTable('clients', (table) => table.dropIndex([], 'clients_by_owner_id'));
        await knex.raw('alter table clients drop column owner_id');
        await knex('knex_migrations').del();
      });
      await withStores(async ({ migrations, leases, clients, apiKeys }) => {
        expect(await migrations.up()).to.deep.equal(ALL);
        expect(await leases.acquire('job', 'a', 1, 1)).to.equal(true);
        expect(await clients.listByOwner('acc_1')).to.deep.equal([]);
        expect(await apiKeys.find('key_1')).to.equal(null);
      });
    });

    it('wait for the lock, and say so when it stays taken', async () => {
      await withStores(async ({ migrations }) => void (await migrations.up()));
      await withKnex(async (knex) => {
        await knex('knex_migrations_lock').update({ is_locked: 1 });
        const dialect: Dialect = dialectOf(databaseUrl);
        const impatient = createMigrator({ dialect, withKnex: (use) => use(knex), lockWaitMs: 300 });
        expect((await failureOf(impatient.up())).message).to.match(/another process is still migrating/);

        const waiting = createMigrator({ dialect, withKnex, lockWaitMs: 5000 }).up();
        await new Promise((resolve) => setTimeout(resolve, 300));
        await knex('knex_migrations_lock').update({ is_locked: 0 });
        expect(await waiting).to.deep.equal([]);
      });
    });

    it('let a database that was in use keep how its entries in Redis are named, and give a new one names of its own', async () => {
      await withStores(async (stores) => {
        await stores.migrations.up();
        expect(await stores.storeNames()).to.equal('own');
      });
    });

    it('take a lock over that one left which was killed, and no lock of one that is at work', async () => {
      await withStores(async ({ migrations }) => void (await migrations.up()));
      await withKnex(async (knex) => {
        const dialect: Dialect = dialectOf(databaseUrl);
        await knex('knex_migrations_lock').update({ is_locked: 1 });
        if (dialect !== 'sqlite') {
          const atWork = knex
            .raw(dialect === 'postgres' ? 'select pg_sleep(2)' : 'select sleep(2)')
            .then(() => 'slept');
          const migrated = createMigrator({ dialect, withKnex })
            .up()
            .then(() => 'migrated');
          expect(await Promise.race([atWork, migrated])).to.equal('slept');
          await migrated;
        }
        expect(await createMigrator({ dialect, withKnex }).up()).to.deep.equal([]);
        expect((await knex('knex_migrations_lock').first()).is_locked).to.equal(0);
      });
    });

    it('that are killed at any moment go on with the next start, without a hand', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'gatehouse-kill-'));
      const env = { ...process.env, DATABASE_URL: databaseUrl, GATEHOUSE_DATA_DIR: folder };
      const child = spawn(process.execPath, ['bin/gatehouse.js', 'migrate', 'up'], {
        env,
        stdio: 'ignore',
        detached: true,
      });
      const gone = once(child, 'exit');
      // As soon as something of it is there: MariaDB keeps that.
      await withKnex(async (knex) => {
        for (let tried = 0; tried < 2000 && child.exitCode === null; tried += 1) {
          if (await knex.schema.hasTable('clients').catch(() => false)) break;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      });
      if (child.exitCode === null) process.kill(-(child.pid ?? 0), 'SIGKILL');
      await gone;
      await withStores(async ({ migrations, leases }) => {
        await migrations.up();
        expect(await migrations.pending()).to.deep.equal([]);
        expect(await leases.acquire('job', 'a', 1, 1)).to.equal(true);
      });
      rmSync(folder, { recursive: true });
    });

    it('tolerate a database that a newer version has migrated', async () => {
      await withStores(async ({ migrations }) => void (await migrations.up()));
      await withKnex((knex) => knex('knex_migrations').insert({ name: '9999-future', batch: 2 }));
      await withStores(async ({ migrations }) => {
        expect(await migrations.pending()).to.deep.equal([]);
        expect(await migrations.up()).to.deep.equal([]);
      });
    });

    it('let a version from before go on inserting', async () => {
      await withStores(async ({ migrations, accounts, clients }) => {
        await migrations.up();
        await withKnex(async (knex) => {
          for (const table of ['accounts', 'clients']) await knex(table).insert(INITIAL_ROWS[table]);
        });
        expect((await accounts.find('acc_1'))?.scopes).to.equal(null);
        const { certificateThumbprints, tokenBinding, ownerId } = (await clients.find('client')) ?? {};
        expect({ certificateThumbprints, tokenBinding, ownerId }).to.deep.equal({
          ...{ certificateThumbprints: [], tokenBinding: null, ownerId: null },
        });
      });
    });

    it('keep the rows of the initial schema readable', async () => {
      await withKnex(async (knex) => {
        await knex.migrate.up({ name: '0001-initial' });
        for (const [table, row] of Object.entries(INITIAL_ROWS)) await knex(table).insert(row);
      });
      await withStores(async (stores) => {
        await stores.migrations.up();
        expect(await stores.storeNames()).to.equal('shared');
        expect(await stores.accounts.find('acc_1')).to.include({ email: 'Ada@example.com', scopes: null });
        const client = await stores.clients.find('client');
        expect(client?.redirectUris).to.deep.equal(['https://app.example.com/cb']);
        expect(client).to.deep.include({ certificateThumbprints: [], tokenBinding: null, ownerId: null });
        expect((await stores.resources.list())[0]?.scopes).to.deep.equal([{ name: 'read', description: 'Read' }]);
        expect((await stores.consents.find('acc_1', 'client'))?.scopes).to.deep.equal(['openid']);
        expect(await stores.tokens.find('RefreshToken', 'digest')).to.include({ grantId: 'grant', expiresAt: 2e9 });
        expect((await stores.signingKeys.list())[0]).to.include({ kid: 'kid', state: 'active' });
        expect(await stores.dataKeys.list()).to.deep.equal([{ name: 'seal', sealed: 'v1.x', createdAt: 17e11 }]);
        expect(await stores.throttle.take(apart(growing('key')), 2)).to.deep.equal([2000]);
        expect((await stores.audit.list({ limit: 1 }))[0]).to.include({ id: 'evt_1', type: 'account.created' });
        expect(await stores.leases.acquire('job', 'other', 17e11 - 1, 1)).to.equal(false);
        expect(await stores.leases.acquire(newId('job'), 'other', 1, 1)).to.equal(true);
      });
    });
  });
}

const [time, json] = [17e11, '[]'];

/** As version 0001 wrote them: never edited, like the migration. */
const INITIAL_ROWS: Record<string, Record<string, string | number | boolean | null>> = {
  accounts: {
    ...{ id: 'acc_1', email: 'Ada@example.com', email_key: 'ada@example.com', email_verified: true },
    ...{ password_hash: null, given_name: 'Ada', family_name: null, disabled_at: null },
    ...{ created_at: time, updated_at: time },
  },
  clients: {
    ...{ id: 'client', name: 'A client', application_type: 'web', auth_method: 'none', grant_types: json },
    ...{ redirect_uris: '["https://app.example.com/cb"]', post_logout_redirect_uris: json, scopes: json },
    ...{ resources: json, allowed_origins: json, require_pkce: true, jwks: json, secrets: json },
    ...{ created_at: time, updated_at: time },
  },
  resource_servers: {
    ...{ identifier: 'https://api.example.com', name: 'An API', scopes: '[{"name":"read","description":"Read"}]' },
    ...{ access_token_format: 'jwt', access_token_lifetime_seconds: 600, client_id: 'rs', created_at: time },
  },
  consents: {
    ...{ account_id: 'acc_1', client_id: 'client', scopes: '["openid"]', claims: json, resources: '{}' },
    ...{ updated_at: time },
  },
  token_records: {
    ...{ kind: 'RefreshToken', id: 'digest', payload: '{}', grant_id: 'grant', account_id: 'acc_1' },
    ...{ client_id: 'client', uid: null, user_code: null, created_at: 1e9, expires_at: 2e9 },
    ...{ consumed_at: null, receipt: null, receipt_at: null },
  },
  signing_keys: {
    ...{ kid: 'kid', algorithm: 'ES256', state: 'active', public_jwk: '{}', sealed_private_jwk: 'v1.x' },
    ...{ created_at: time, state_since: time },
  },
  data_keys: { name: 'seal', sealed: 'v1.x', created_at: time },
  throttle_counters: { id: 'key', attempts: 3, previous_at: 1, last_at: 2, ends_at: time },
  audit_events: {
    ...{ id: 'evt_1', type: 'account.created', at: time, account_id: 'acc_1', client_id: null, ip: null },
    ...{ request_id: null, details: '{}' },
  },
  leases: { name: 'job', holder: 'one', ends_at: time },
};
