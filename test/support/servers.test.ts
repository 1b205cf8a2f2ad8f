import { expect } from 'chai';
import { Redis } from 'ioredis';
import { isAvailable, requirePart } from './requirements.ts';
import { startRedis } from './servers/redis.ts';
import { type SqlServer, withConnection } from './servers/sql-server.ts';

for (const [name, client, binaryType] of [
  ['postgres', 'pg', 'bytea'],
  ['mariadb', 'mysql2', 'blob'],
] as const) {
  describe(`throwaway ${name}`, () => {
    let server: SqlServer;

    before(async function () {
      server = await requirePart(name, this);
    });

    it('gives each suite an empty database of its own', async () => {
      const [first, second] = [await server.createDatabase(), await server.createDatabase()];
      await withConnection(client, first, (db) => db.schema.createTable('note', (table) => table.text('body')));
      expect(await withConnection(client, first, (db) => db.schema.hasTable('note'))).to.equal(true);
      expect(await withConnection(client, second, (db) => db.schema.hasTable('note'))).to.equal(false);
    });

    it('keeps what was committed and forgets what was not when it is killed', async () => {
      const url = await server.createDatabase();
      await withConnection(client, url, (db) => db.schema.createTable('note', (table) => table.text('body')));
      await withConnection(client, url, async (db) => {
        await db('note').insert({ body: 'committed' });
        const transaction = await db.transaction();
        await transaction('note').insert({ body: 'open' });
        await server.kill('SIGKILL');
        await transaction.rollback().catch(() => {});
      });
      await server.restart();
      const rows = await withConnection(client, url, (db) => db('note').select('body'));
      expect(rows.map((row) => row.body)).to.deep.equal(['committed']);
    });

    it('dumps text and bytes so that a secret is found', async () => {
      const url = await server.createDatabase();
      await withConnection(client, url, async (db) => {
        await db.schema.createTable('note', (table) => {
          table.text('body');
          table.specificType('bytes', binaryType);
        });
        await db('note').insert({ body: 'plain-secret', bytes: Buffer.from('byte-secret') });
      });
      const dump = await server.dump(url);
      expect(dump).to.include('plain-secret').and.include('byte-secret');
      expect(await server.dump()).not.to.include('plain-secret');
    });
  });
}

describe('throwaway redis', () => {
  it('evicts nothing, dumps every kind of value and forgets on flush', async function () {
    const server = await requirePart('redis', this);
    const redis = new Redis(server.url);
    try {
      expect(await redis.config('GET', 'maxmemory-policy')).to.deep.equal(['maxmemory-policy', 'noeviction']);
      await redis.set('text', 'text-secret');
      await redis.hset('hash', 'field', 'hash-secret');
      await redis.rpush('list', 'list-secret');
      await redis.sadd('set', 'set-secret');
      await redis.zadd('sorted', 1, 'sorted-secret');
      await redis.xadd('stream', '*', 'field', 'stream-secret');
      await redis.select(3);
      await redis.set('elsewhere', 'other-database-secret');
      const dump = await server.dump();
      for (const kind of ['text', 'hash', 'list', 'set', 'sorted', 'stream', 'other-database']) {
        expect(dump).to.include(`${kind}-secret`);
      }
      await server.flush();
      expect(await server.dump()).to.equal('');
    } finally {
      redis.disconnect();
    }
  });

  it('takes further settings', async function () {
    if (!isAvailable('redis')) await requirePart('redis', this);
    const server = await startRedis({ extraArgs: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    try {
      const before = new Redis(server.url);
      await before.set('kept', 'yes');
      before.disconnect();
      await server.restart();
      expect(await server.dump()).to.include('kept yes');
    } finally {
      await server.stop();
    }
  });
});

describe('throwaway nginx', () => {
  it('serves the given locations', async function () {
    const startNginx = await requirePart('nginx', this);
    const server = await startNginx({ locations: 'location / { return 200 "hello"; }' });
    try {
      expect(await (await fetch(server.url)).text()).to.equal('hello');
    } finally {
      await server.stop();
    }
  });
});

describe('chromium', () => {
  it('renders a page', async function () {
    const browser = await requirePart('chromium', this);
    const page = await browser.newPage();
    try {
      await page.setContent('<h1>hello</h1>');
      expect(await page.textContent('h1')).to.equal('hello');
    } finally {
      await page.close();
    }
  });
});
