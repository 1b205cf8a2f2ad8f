import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import createKnex, { type Knex } from 'knex';
import { accountFacts } from '../../src/domain/accounts/authentic-accounts.ts';
import { apiKeyFacts } from '../../src/domain/api-keys/authentic-api-keys.ts';
import { clientFacts } from '../../src/domain/clients/authentic-clients.ts';
import { consentFacts } from '../../src/domain/consents/authentic-consents.ts';
import { resourceFacts } from '../../src/domain/resources/authentic-resources.ts';
import { authenticateRows, findUnusableRows } from '../../src/domain/row-macs/authenticate-rows.ts';
import { type AuthenticatedTable, createRowMacs, type RowFacts } from '../../src/domain/row-macs/row-macs.ts';
import { tokenFacts } from '../../src/domain/tokens/authentic-tokens.ts';
import { createDigester } from '../../src/kit/digest.ts';
import { newId } from '../../src/kit/ids.ts';
import { authenticStores } from '../../src/storage/authentic-stores.ts';
import { knexConfig } from '../../src/storage/sql/knex-config.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { accountOf, accountStoreSuite } from '../conformance/account-store.ts';
import { apiKeyStoreSuite } from '../conformance/api-key-store.ts';
import { apiKeyOf, T } from '../conformance/api-keys.ts';
import { clientOf, clientStoreSuite } from '../conformance/client-store.ts';
import { consentOf, consentStoreSuite } from '../conformance/consent-store.ts';
import { durableTokenStoreSuite } from '../conformance/durable-token-store.ts';
import { resourceOf, resourceServerStoreSuite } from '../conformance/resource-server-store.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { tokenStoreSuite } from '../conformance/token-store.ts';
import { requirePart } from '../support/requirements.ts';
import { openStores } from './open-stores.ts';

/** Requirement of issue 8: who can write the database but lacks GATEHOUSE_SECRETS makes no row allow anything else. */

type Key = Readonly<Record<string, string>>;

interface Case {
  /** Columns that authorize nothing. All others do. */
  free: readonly string[];
  /** Writes a row as the server does. */
  write(stores: Stores): Promise<Key>;
  /** What the server makes of a row; null when it does not use it. */
  read(stores: Stores, key: Key): Promise<RowFacts | null>;
}

const factsOf = <Record>(record: Record | null, facts: (record: Record) => RowFacts): RowFacts | null =>
  record === null ? null : facts(record);

const CASES: Readonly<Record<AuthenticatedTable, Case>> = {
  accounts: {
    free: ['updated_at', 'email_key'],
    async write({ accounts }) {
      const account = accountOf({
        ...{ passwordHash: `hash of ${newId('x')}`, scopes: [newId('scope')], givenName: 'Ada', familyName: 'L' },
        ...{ disabledAt: T, signedOutAt: T },
      });
      await accounts.insert(account);
      return { id: account.id };
    },
    read: async ({ accounts }, { id = '' }) => factsOf(await accounts.find(id), accountFacts),
  },
  api_keys: {
    free: [
      ...['name', 'prefix', 'last_four', 'updated_at', 'revoke_reason', 'version'],
      ...['last_used_at', 'previous_uses', 'previous_used_at', 'warned_days'],
    ],
    async write({ accounts, apiKeys }) {
      const owner = accountOf();
      await accounts.insert(owner);
      const key = apiKeyOf({
        ...{ ownerId: owner.id, environment: newId('env'), importedDigest: newId('digest'), importedEndsAt: T },
        ...{ previous: { mac: newId('mac'), pepperId: newId('pepper'), endsAt: T }, scopes: [newId('scope')] },
        ...{ allowedAddresses: ['192.0.2.1'], limit: { quota: 5, windowSeconds: 60 }, createdBy: newId('acc') },
        ...{
          expiresAt: T,
          revokedAt: T,
          suspendedAt: T,
          rotatedAt: T,
          rotatedBy: newId('key'),
          previousBy: newId('key'),
        },
      });
      await apiKeys.insert(key);
      return { id: key.id };
    },
    async read({ apiKeys }, { id = '' }) {
      return factsOf((await apiKeys.find(id))?.key ?? null, apiKeyFacts);
    },
  },
  clients: {
    free: ['updated_at'],
    async write({ clients }) {
      const client = clientOf({
        ...{ ownerId: newId('acc'), scopes: [newId('scope')], resources: [newId('r')], tokenBinding: 'dpop' },
        ...{ jwks: [{ kty: 'EC', x: newId('x') }], secrets: [{ digest: newId('d'), createdAt: T, expiresAt: T }] },
        ...{ redirectUris: [newId('uri')], grantTypes: ['client_credentials'] },
      });
      await clients.insert(client);
      return { id: client.id };
    },
    read: async ({ clients }, { id = '' }) => factsOf(await clients.find(id), clientFacts),
  },
  consents: {
    free: ['updated_at'],
    async write({ consents }) {
      const consent = consentOf({ scopes: [newId('scope')], resources: { b: ['read'], a: [newId('scope')] } });
      await consents.save(consent);
      return { account_id: consent.accountId, client_id: consent.clientId };
    },
    read: async ({ consents }, { account_id = '', client_id = '' }) =>
      factsOf(await consents.find(account_id, client_id), consentFacts),
  },
  resource_servers: {
    free: [],
    async write({ resources }) {
      const resource = resourceOf({ scopes: [{ name: newId('scope'), description: 'Read' }] });
      await resources.insert(resource);
      return { identifier: resource.identifier };
    },
    read: async ({ resources }, { identifier = '' }) => factsOf(await resources.find(identifier), resourceFacts),
  },
  token_records: {
    free: ['created_at', 'consumed_at', 'receipt', 'receipt_at'],
    async write({ tokens }) {
      const record = tokenRecord('RefreshToken', {
        ...{ payload: JSON.stringify({ scope: newId('scope') }), grantId: newId('grant'), accountId: newId('acc') },
        ...{ clientId: newId('client'), uid: newId('uid'), userCode: newId('code') },
      });
      await tokens.insert(record);
      return { kind: record.kind, id: record.id };
    },
    read: async ({ tokens }, { kind, id = '' }) => factsOf(await tokens.find(kind as never, id), tokenFacts),
  },
};

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-rows-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const BACKENDS: Record<string, (context: Mocha.Context) => Promise<string>> = {
  SQLite: async () => `sqlite:${folder}/gatehouse.sqlite`,
  PostgreSQL: async (context) => (await requirePart('postgres', context)).createDatabase(),
  MariaDB: async (context) => (await requirePart('mariadb', context)).createDatabase(),
};

for (const [name, createDatabase] of Object.entries(BACKENDS)) {
  describe(`rows that authorize, on ${name}`, () => {
    let stored: Stores;
    let knex: Knex;
    let stores: Stores;
    let closed = true;
    const reported: string[] = [];
    const macs = createRowMacs({
      digester: createDigester(Buffer.alloc(32, 7)),
      isClosed: () => closed,
      onUnusable: (table, id) => reported.push(`${table} ${id}`),
    });

    before(async function () {
      const databaseUrl = await createDatabase(this);
      stored = await openStores({ databaseUrl });
      stores = authenticStores(stored, macs);
      knex = createKnex(knexConfig({ databaseUrl, log: () => {} }));
    });
    after(async () => {
      await knex?.destroy();
      await stored?.[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      closed = true;
    });

    const rowOf = async (table: string, key: Key): Promise<Record<string, unknown>> =>
      (await knex(table).where(key).first()) as Record<string, unknown>;

    for (const [table, { free, write, read }] of Object.entries(CASES)) {
      it(`a row of ${table} is used as it was written, and not after any column that authorizes was changed`, async () => {
        const columns = Object.keys(await rowOf(table, await write(stores)));
        for (const column of columns) {
          for (const change of changes) {
            const key = await write(stores);
            const written = await read(stores, key);
            expect(written, 'as written').not.to.equal(null);
            const row = await rowOf(table, key);
            const value = change(row[column], column);
            if (value === undefined || value === row[column]) continue;
            // What the database itself refuses, nobody can write.
            if (
              !(await knex(table)
                .where(key)
                .update({ [column]: value })
                .catch(() => 0))
            )
              continue;
            const now = { ...key, ...(column in key ? { [column]: String(value) } : {}) };
            const found = await read(stores, now);
            if (free.includes(column)) expect(found, `${column} is free`).to.deep.equal(written);
            else expect(found, `${column}: ${String(row[column])} -> ${String(value)}`).to.equal(null);
          }
        }
      });

      it(`no exchange of columns between two rows of ${table} gives one what the other has`, async () => {
        const columns = Object.keys(await rowOf(table, await write(stores)));
        await fc.assert(
          fc.asyncProperty(fc.subarray(columns, { minLength: 1 }), async (exchanged) => {
            const keys = [await write(stores), await write(stores)] as const;
            const written = [await read(stores, keys[0]), await read(stores, keys[1])];
            const rows = [await rowOf(table, keys[0]), await rowOf(table, keys[1])] as const;
            const pick = (row: Record<string, unknown>) =>
              Object.fromEntries(exchanged.map((each) => [each, row[each]]));
            const swapped = [
              { ...rows[0], ...pick(rows[1]) },
              { ...rows[1], ...pick(rows[0]) },
            ] as const;
            for (const key of keys) await knex(table).where(key).delete();
            for (const row of swapped) await knex(table).insert(row);
            const whole = columns.every((column) => free.includes(column) || exchanged.includes(column));
            for (const [index, key] of keys.entries()) {
              const found = await read(stores, key);
              // The whole row is the row, wherever it stands in the table.
              if (found !== null || whole) expect(found).to.deep.equal(written[index]);
            }
          }),
          { numRuns: 25 },
        );
      });

      it(`a row of ${table} without a MAC counts while the window is open, gets one when it closes, and does not count after`, async () => {
        // What the tests before this one broke is not to be counted.
        for (const each of Object.keys(CASES)) await knex(each).delete();
        const [before, after] = [await write(stores), await write(stores)];
        const written = [await read(stores, before), await read(stores, after)];
        await knex(table).where(before).update({ row_mac: null });
        closed = false;
        expect(await read(stores, before)).to.deep.equal(written[0]);
        await authenticateRows(stored.rowMacs, macs);
        closed = true;
        expect(await read(stores, before)).to.deep.equal(written[0]);
        expect(await findUnusableRows(stored.rowMacs, macs)).to.deep.equal([]);

        await knex(table).where(after).update({ row_mac: null });
        expect(await read(stores, after)).to.equal(null);
        const [found] = await findUnusableRows(stored.rowMacs, macs);
        expect(found).to.deep.equal({ table, count: 1, ids: [Object.values(after).join(' ')] });
        // An operator who changed it themselves says so, of this row.
        await authenticateRows(stored.rowMacs, macs, { ids: new Set(['another']) });
        expect(await read(stores, after)).to.equal(null);
        await authenticateRows(stored.rowMacs, macs, { ids: new Set([Object.values(after).join(' ')]) });
        expect(await read(stores, after)).to.deep.equal(written[1]);
      });
    }

    it('a row that is not used is reported once', async () => {
      const key = await CASES.clients.write(stores);
      await knex('clients').where(key).update({ owner_id: 'acc_another' });
      for (let time = 0; time < 3; time += 1) await CASES.clients.read(stores, key);
      expect(reported.filter((each) => each === `clients ${key.id}`)).to.have.length(1);
    });

    it('a key whose owner was changed is not used, by its id or as an imported one', async () => {
      const { id = '' } = await CASES.api_keys.write(stores);
      const found = await stores.apiKeys.find(id);
      await knex('accounts').where({ id: found?.owner.id }).update({ scopes: '["all"]' });
      expect(await stores.apiKeys.find(id)).to.equal(null);
      expect(await stores.apiKeys.findImported(found?.key.importedDigest ?? '')).to.equal(null);
    });

    it('an account is found by its own address only', async () => {
      const [mine, hers] = [accountOf({ passwordHash: 'mine' }), accountOf()];
      for (const account of [mine, hers]) await stores.accounts.insert(account);
      const address = hers.email.toLowerCase();
      await knex('accounts').where({ id: hers.id }).update({ email_key: 'moved@example.com' });
      await knex('accounts').where({ id: mine.id }).update({ email_key: address });
      expect(await stores.accounts.findByEmail(address)).to.equal(null);
    });

    it('a row of somebody else fills no list, and hides nothing behind it', async () => {
      const ownerId = newId('acc');
      const keys = Array.from({ length: 7 }, (_, index) => apiKeyOf({ ownerId, createdAt: T + index }));
      for (const key of keys) await stores.apiKeys.insert(key);
      const moved = keys.slice(2, 6).map(({ id }) => id);
      await knex('api_keys').whereIn('id', moved).update({ scopes: '["admin"]' });
      const page = await stores.apiKeys.list({ ownerId, limit: 2 });
      expect(page.map(({ createdAt }) => createdAt)).to.deep.equal([T + 6, T + 1]);
      expect(await stores.apiKeys.list({ ownerId, limit: 10 })).to.have.length(3);
    });

    it('a namespace is nobody’s by a row that the server did not write', async () => {
      const [mine, hers] = [apiKeyOf(), apiKeyOf()];
      for (const key of [mine, hers]) await stores.apiKeys.insert(key);
      await knex('api_keys').where({ id: mine.id }).update({ namespace: hers.namespace });
      expect(await stores.apiKeys.listOfNamespace(mine.ownerId, 'live', hers.namespace, 1)).to.deep.equal([]);
      expect(await stores.apiKeys.listOfNamespace(hers.ownerId, 'live', hers.namespace, 1)).to.have.length(1);
    });

    it('50 changes of one account at once all count, and leave it as the server wrote it', async () => {
      const account = accountOf();
      await stores.accounts.insert(account);
      const fields = ['givenName', 'familyName', 'passwordHash'] as const;
      const done = await Promise.allSettled(
        Array.from({ length: 50 }, (_, index) =>
          stores.accounts.update(account.id, { [fields[index % 3] as string]: `v${index}` }, T + index),
        ),
      );
      const found = await stores.accounts.find(account.id);
      expect(found).not.to.equal(null);
      for (const field of fields) expect(found?.[field]).to.match(/^v\d+$/);
      expect(done.filter(({ status }) => status === 'fulfilled')).to.have.length(50);
    });

    it('what refuses by being there refuses whoever wrote it', async () => {
      for (const kind of ['ReplayMarker', 'EndedSession', 'RevokedToken'] as const) {
        const record = tokenRecord(kind);
        await stores.tokens.insert(record);
        await knex('token_records').where({ kind, id: record.id }).update({ payload: '{"x":1}', client_id: 'other' });
        expect(await stores.tokens.find(kind, record.id), kind).not.to.equal(null);
      }
    });
  });
}

/** What an intruder might do to a column. `undefined`: nothing that fits. */
const changes: readonly ((value: unknown, column: string) => unknown)[] = [
  (value) => (value === null ? undefined : null),
  (value) => (typeof value === 'number' ? Number(!value) : undefined),
  (value) => (typeof value === 'boolean' ? !value : undefined),
  (value) => (typeof value === 'string' && !value.startsWith('[') ? `${value}x` : undefined),
  (value) => (typeof value === 'string' && value.startsWith('[') ? '["provider-keys:use"]' : undefined),
  (value) => (typeof value === 'string' && value.startsWith('[') ? '[' : undefined),
];

describe('the stores with authenticated rows', () => {
  let stores: Stores;
  let close: () => Promise<void>;
  before(async () => {
    const stored = await openStores({ databaseUrl: 'sqlite::memory:' });
    const digester = createDigester(Buffer.alloc(32, 7));
    stores = authenticStores(stored, createRowMacs({ digester, isClosed: () => true, onUnusable: () => {} }));
    close = () => stored[Symbol.asyncDispose]();
  });
  after(() => close());

  accountStoreSuite(async () => stores.accounts);
  clientStoreSuite(async () => stores.clients);
  resourceServerStoreSuite(async () => stores.resources);
  consentStoreSuite(async () => stores.consents);
  apiKeyStoreSuite(async () => stores);
  tokenStoreSuite(async () => stores.tokens, 'RefreshToken');
  durableTokenStoreSuite(async () => stores.tokens);
});
