import { expect } from 'chai';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { MAX_ANONYMOUS_CHARACTERS } from '../../src/endpoints/oauth/adapter.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { newId } from '../../src/kit/ids.ts';
import type { Log } from '../../src/kit/log.ts';
import { openRedis, type RedisConnection } from '../../src/storage/redis/connection.ts';
import { namesOf, type RedisNames } from '../../src/storage/redis/names.ts';
import { createRedisMessages } from '../../src/storage/redis/redis-messages.ts';
import { createRedisRateLimitStore } from '../../src/storage/redis/redis-rate-limit-store.ts';
import { createRedisThrottleStore } from '../../src/storage/redis/redis-throttle-store.ts';
import { createRedisTokenStore, type RedisTokenStore } from '../../src/storage/redis/redis-token-store.ts';
import { createUnreadable } from '../../src/storage/unreadable.ts';
import { rateLimitModel, throttleModel } from '../conformance/models/limits.ts';
import { modelSuite } from '../conformance/models/model.ts';
import { tokenModel } from '../conformance/models/tokens.ts';
import { parallel } from '../conformance/parallel.ts';
import { counterOf, rateLimitStoreSuite } from '../conformance/rate-limit-store.ts';
import { apart, even, growing } from '../conformance/throttle-counters.ts';
import { throttleStoreSuite } from '../conformance/throttle-store.ts';
import { nowSeconds, tokenRecord } from '../conformance/token-records.ts';
import { tokenStoreSuite } from '../conformance/token-store.ts';
import { requirePart } from '../support/requirements.ts';
import type { RedisServer } from '../support/servers/redis.ts';
import { expectUnavailable, failureOf, recoveryMs } from './failure-of.ts';
import { silentLog } from './open-stores.ts';

describe('storage on Redis', () => {
  let server: RedisServer;
  let connection: RedisConnection;
  let second: RedisConnection;
  let tokens: RedisTokenStore;
  /** Sees the keys themselves. */
  let inspector: Redis;
  before(async function () {
    server = await requirePart('redis', this);
    await server.flush();
    connection = await openRedis({ redisUrl: server.url, log: silentLog() });
    tokens = createRedisTokenStore({ connection, clock: systemClock, unreadable: createUnreadable(silentLog()) });
    second = await openRedis({ redisUrl: server.url, log: silentLog() });
    inspector = new Redis(server.url);
    // Outages are part of these tests.
    inspector.on('error', () => {});
  });
  after(async () => {
    await connection?.close();
    await second?.close();
    inspector?.disconnect();
  });

  tokenStoreSuite(async () => tokens, 'DeviceCode');
  tokenStoreSuite(async () => tokens, 'AccessToken');
  throttleStoreSuite(async () => createRedisThrottleStore({ connection }));
  rateLimitStoreSuite(async () => createRedisRateLimitStore({ connection }));

  describe('models of the stores', () => {
    const each =
      <Part>(partOf: (of: RedisConnection) => Part) =>
      (): readonly [Part, Part] => [partOf(connection), partOf(second)];
    const unreadable = createUnreadable(silentLog());
    const tokensOn = each((of) => createRedisTokenStore({ connection: of, clock: systemClock, unreadable }));
    modelSuite('device codes', tokenModel('DeviceCode'), tokensOn);
    // Those of a client alone end with it without being found: record-indexes.ts.
    modelSuite('access tokens', tokenModel('AccessToken', { alwaysOfGrant: true }), tokensOn);
    modelSuite(
      'throttle',
      throttleModel,
      each((of) => createRedisThrottleStore({ connection: of })),
    );
    modelSuite(
      'rate limits',
      rateLimitModel,
      each((of) => createRedisRateLimitStore({ connection: of })),
    );
  });

  describe('round trips', () => {
    const roundTrips = async (work: () => Promise<unknown>): Promise<number> => {
      const before = connection.roundTrips();
      await work();
      return connection.roundTrips() - before;
    };

    it('are one for each hot operation', async () => {
      const plain = tokenRecord('ClientCredentials', { clientId: newId('client') });
      const grant = { grantId: newId('grant'), accountId: newId('acc'), clientId: newId('client') };
      const granted = tokenRecord('AccessToken', grant);
      expect(await roundTrips(() => tokens.insert(plain))).to.equal(1);
      expect(await roundTrips(() => tokens.insert(granted))).to.equal(1);
      expect(await roundTrips(() => tokens.save(granted))).to.equal(1);
      expect(await roundTrips(() => tokens.find('AccessToken', granted.id))).to.equal(1);
      expect(await roundTrips(() => tokens.findMany([plain, granted]))).to.equal(1);
      expect(await roundTrips(() => tokens.consume('AccessToken', granted.id, 1))).to.equal(1);
      expect(await roundTrips(() => tokens.remove('AccessToken', granted.id))).to.equal(1);
    });

    it('are shared by what happens at the same time', async () => {
      expect(await roundTrips(() => parallel(50, () => tokens.insert(tokenRecord('AccessToken'))))).to.equal(1);
    });
  });

  describe('lifetimes', () => {
    const secondsLeft = async (key: string): Promise<number> => Math.round((await inspector.pttl(key)) / 1000);

    it('outlast the expiry by the tolerance of clocks, and by ten minutes for what a device polls', async () => {
      for (const [kind, seconds] of [
        ['AccessToken', 120],
        ['DeviceCode', 700],
        ['BackchannelAuthenticationRequest', 700],
      ] as const) {
        const record = tokenRecord(kind, { expiresAt: nowSeconds() + 100 });
        await tokens.insert(record);
        expect(await secondsLeft(`gh:t:${kind}:${record.id}`)).to.be.closeTo(seconds, 1);
      }
    });

    it('follow a save, also to no end at all', async () => {
      const record = tokenRecord('Session', { uid: newId('uid') });
      const key = `gh:t:Session:${record.id}`;
      await tokens.insert(record);
      await tokens.save({ ...record, expiresAt: nowSeconds() + 5000 });
      expect(await secondsLeft(key)).to.be.closeTo(5020, 1);
      await tokens.save({ ...record, expiresAt: null });
      expect(await inspector.pttl(key)).to.equal(-1);
      await tokens.save({ ...record, expiresAt: nowSeconds() - 1000 });
      expect(await inspector.pttl(key)).to.be.within(1, 1000);
    });

    it('of an index are those of its longest member, and dead members go', async () => {
      const grantId = newId('grant');
      const key = `gh:g:${grantId}`;
      const long = tokenRecord('AccessToken', { grantId, expiresAt: nowSeconds() + 5000 });
      const dead = tokenRecord('AccessToken', { grantId, expiresAt: nowSeconds() - 5000 });
      await tokens.insert(dead);
      await tokens.insert(long);
      await inspector.zadd(key, Date.now() - 10_000_000, 'AccessToken:long-gone');
      await tokens.insert(tokenRecord('AccessToken', { grantId, expiresAt: nowSeconds() + 10 }));
      expect(await secondsLeft(key)).to.be.at.least(5020);
      expect(await inspector.zrange(key, '0', '-1')).to.not.include('AccessToken:long-gone');
      await tokens.insert(tokenRecord('AccessToken', { grantId, expiresAt: null }));
      expect(await inspector.pttl(key)).to.equal(-1);
    });

    it('of a rate limit counter end when it is full again, and its keys share a hash tag', async () => {
      const [owner, limits] = [newId('owner'), createRedisRateLimitStore({ connection })];
      const [short, long] = [counterOf(10, 100), counterOf(10, 3600)];
      await limits.take(owner, [short, long]);
      await limits.take(owner, [short]);
      expect(await secondsLeft(`gh:r:{${owner}}:${short.id}`)).to.be.closeTo(20, 1);
      expect(await secondsLeft(`gh:r:{${owner}}:${long.id}`)).to.be.closeTo(360, 1);
    });

    it('of a throttle counter are its window, or the time it takes to drain', async () => {
      const [slow, steady] = [growing(), even()];
      const throttle = createRedisThrottleStore({ connection });
      for (let i = 0; i < 3; i += 1) await throttle.take(apart(slow, steady), Date.now());
      expect(await secondsLeft(`gh:h:{${slow.id}}:${slow.id}`)).to.be.closeTo(600, 1);
      expect(await secondsLeft(`gh:h:{${steady.id}}:${steady.id}`)).to.be.within(2, 3);
    });
  });

  it('keeps the largest interaction of nobody in 3 KB', async () => {
    const id = newId('tok').padEnd(43, 'x');
    await tokens.insert(
      tokenRecord('Interaction', { id, payload: 'x'.repeat(MAX_ANONYMOUS_CHARACTERS), clientId: 'c'.repeat(43) }),
    );
    let bytes = 0;
    for (const key of await inspector.keys(`*${id}*`)) bytes += Number(await inspector.memory('USAGE', key));
    expect(bytes).to.be.within(MAX_ANONYMOUS_CHARACTERS, 3072);
  });

  it('goes on when the server has forgotten its scripts', async () => {
    await tokens.insert(tokenRecord('AccessToken'));
    await inspector.script('FLUSH');
    expect(await parallel(3, () => tokens.insert(tokenRecord('AccessToken')))).to.deep.equal([true, true, true]);
  });

  it('tells a fault of ours from an outage, without the values', async () => {
    await inspector.set('gh:wrong', 'a text');
    const failure = await failureOf(connection.run((redis) => redis.hset('gh:wrong', 'name', 'secret')));
    expect(failure.message).to.equal('redis refused a command (WRONGTYPE)');
    expect(`${failure.stack}${JSON.stringify(failure)}`).to.not.include('secret');
    await inspector.del('gh:wrong');
  });

  describe('what another program put there', () => {
    const foreign = async (key: string): Promise<(() => Promise<unknown>)[]> => {
      await inspector.del(key);
      return [
        () => inspector.set(key, 'a text'),
        () => inspector.rpush(key, 'an element'),
        () => inspector.hset(key, 'r', 'no JSON', 'c', 'x', 'n', 'many', 'at', 'then', 'e', 'later'),
        () => inspector.hset(key, 'r', '[]'),
        () => inspector.hset(key, 'r', 'null'),
        () => inspector.hset(key, 'r', '{"payload":7,"createdAt":"x"}'),
        () => inspector.zadd(key, 1, 'a member'),
      ];
    };

    it('in place of a record is no record: it is not found, not used, revoked like one, and replaced by the next save', async () => {
      const unreadable = createUnreadable(silentLog());
      const store = createRedisTokenStore({ connection, clock: systemClock, unreadable });
      const record = tokenRecord('AccessToken', { grantId: newId('grant') });
      const key = `gh:t:AccessToken:${record.id}`;
      for (const plant of await foreign(key)) {
        await store.insert(record);
        await inspector.del(key);
        await plant();
        expect(await store.find('AccessToken', record.id)).to.equal(null);
        expect(await store.findMany([record])).to.deep.equal([]);
        expect(await store.insert(record)).to.equal(false);
        await store.removeByGrant(record.grantId ?? '');
        await inspector.del(key);
        await plant();
        await store.save(record);
        expect(await store.find('AccessToken', record.id)).to.include({ id: record.id, payload: record.payload });
        await inspector.del(key);
      }
      expect(unreadable.counts().record).to.be.greaterThan(5);
      await inspector.set(key, 'a text');
      expect(await store.consume('AccessToken', record.id, 1)).to.equal(false);
      await inspector.del(key);
    });

    it('in place of an index or a counter keeps nobody out and fails nothing', async () => {
      const grantId = newId('grant');
      for (const plant of await foreign(`gh:g:${grantId}`)) {
        await inspector.del(`gh:g:${grantId}`);
        await plant();
        await tokens.removeByGrant(grantId);
        const record = tokenRecord('AccessToken', { grantId });
        await tokens.insert(record);
        await tokens.removeByGrant(grantId);
        expect(await tokens.find('AccessToken', record.id)).to.equal(null);
      }
      const throttle = createRedisThrottleStore({ connection });
      for (const counter of [growing(), even()]) {
        const key = `gh:h:{foreign}:${counter.id}`;
        for (const plant of await foreign(key)) {
          await inspector.del(key);
          await plant();
          const taken = [{ owner: 'foreign', counters: [counter] }];
          expect(await throttle.take(taken, Date.now())).to.deep.equal([0]);
          for (const how of ['give-back', 'forget'] as const) await throttle.settle(taken, how, Date.now());
          await inspector.del(key);
          await plant();
          await throttle.settle(taken, 'give-back', Date.now());
        }
      }
      const limits = createRedisRateLimitStore({ connection });
      const counter = counterOf(10, 100);
      for (const value of ['a text', 'nan', 'inf', '-inf', '1e400']) {
        await inspector.set(`gh:r:{foreign}:${counter.id}`, value);
        expect((await limits.take('foreign', [counter]))[0]).to.include({ allowed: true });
      }
      for (const plant of await foreign(`gh:r:{foreign}:${counter.id}`)) {
        await inspector.del(`gh:r:{foreign}:${counter.id}`);
        await plant();
        expect((await limits.take('foreign', [counter]))[0]).to.include({ allowed: true });
      }
    });
  });

  describe('messages', () => {
    it('that are not understood are dropped and counted', async () => {
      const unreadable = createUnreadable(silentLog());
      const here = createRedisMessages({ connection, log: silentLog(), unreadable });
      const heard: string[] = [];
      try {
        here.subscribe('strange', (body) => {
          heard.push(body);
          if (body === 'bad') throw new Error('a handler fails');
        });
        await recoveryMs(2000, async () => {
          expect(await inspector.pubsub('NUMSUB', 'gh:m:strange')).to.deep.equal(['gh:m:strange', 1]);
        });
        for (const message of [
          '',
          'hello there',
          ' ',
          '\0',
          `process_x ${'y'.repeat(70_000)}`,
          'process_x bad',
          'process_x good',
        ])
          await inspector.publish('gh:m:strange', message);
        await recoveryMs(2000, async () => expect(heard).to.deep.equal(['bad', 'good']));
        expect(unreadable.counts().message).to.equal(5);
      } finally {
        here.close();
      }
    });

    it('of a deployment with a name stay its own; during an upgrade the older version hears and is heard', async () => {
      const open = async (names: RedisNames) => {
        const own = await openRedis({ redisUrl: server.url, log: silentLog() });
        own.names = names;
        const heard: string[] = [];
        const messages = createRedisMessages({
          connection: own,
          log: silentLog(),
          unreadable: createUnreadable(silentLog()),
        });
        messages.subscribe('news', (body) => heard.push(body));
        return { heard, messages, close: () => [messages.close(), own.close()] };
      };
      const own = namesOf({ name: 'one', names: 'own' }, null);
      const upgraded = namesOf({ name: 'two', names: 'shared' }, null);
      const all = await Promise.all([open(own), open(own), open(upgraded), open(upgraded)]);
      const older = new Redis(server.url);
      const heardByOlder: string[] = [];
      older.on('message', (_channel, message: string) => heardByOlder.push(message.replace(/^\S+ /, '')));
      await older.subscribe('gh:m:news');
      try {
        await recoveryMs(2000, async () => {
          expect(await inspector.pubsub('NUMSUB', 'gh:one:m:news', 'gh:m:news')).to.deep.equal([
            'gh:one:m:news',
            2,
            'gh:m:news',
            3,
          ]);
        });
        await all[0]?.messages.publish('news', 'of one');
        await all[2]?.messages.publish('news', 'of two');
        await inspector.publish('gh:m:news', 'process_older of an older one');
        await recoveryMs(2000, async () => {
          expect(all.map(({ heard }) => heard.sort())).to.deep.equal([
            ['of one'],
            ['of one'],
            ['of an older one', 'of two'],
            ['of an older one', 'of two'],
          ]);
          expect(heardByOlder).to.deep.equal(['of two', 'of an older one']);
        });
      } finally {
        older.disconnect();
        for (const each of all) each.close();
      }
    });

    it('reach every process, the own one once and even when Redis does not', async () => {
      const heard: string[] = [];
      const other = await openRedis({ redisUrl: server.url, log: silentLog() });
      const here = createRedisMessages({ connection, log: silentLog(), unreadable: createUnreadable(silentLog()) });
      const there = createRedisMessages({
        connection: other,
        log: silentLog(),
        unreadable: createUnreadable(silentLog()),
      });
      try {
        here.subscribe('topic', (body) => heard.push(`here ${body}`));
        there.subscribe('topic', (body) => heard.push(`there ${body}`));
        await recoveryMs(2000, async () => {
          expect(await inspector.pubsub('NUMSUB', 'gh:m:topic')).to.deep.equal(['gh:m:topic', 2]);
        });
        await here.publish('topic', 'a b');
        await here.publish('another', 'c');
        await recoveryMs(2000, async () => expect(heard.sort()).to.deep.equal(['here a b', 'there a b']));

        await inspector.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        await recoveryMs(5000, async () => {
          expect(await inspector.pubsub('NUMSUB', 'gh:m:topic')).to.deep.equal(['gh:m:topic', 2]);
        });
        heard.length = 0;
        await there.publish('topic', 'again');
        await recoveryMs(2000, async () => expect(heard.sort()).to.deep.equal(['here again', 'there again']));
      } finally {
        here.close();
        there.close();
        await other.close();
      }
    });
  });

  describe('in an outage', () => {
    const logged: string[] = [];
    const recordingLog: Log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });

    it('fails as unavailable in about the command timeout when the server hangs, and recovers', async () => {
      const hung = await openRedis({ redisUrl: server.url, log: silentLog(), commandMs: 100 });
      const store = createRedisTokenStore({
        connection: hung,
        clock: systemClock,
        unreadable: createUnreadable(silentLog()),
      });
      const record = tokenRecord('AccessToken');
      await store.insert(record);
      await server.kill('SIGSTOP');
      try {
        const start = performance.now();
        await expectUnavailable(store.find('AccessToken', record.id), 'redis');
        expect(performance.now() - start).to.be.below(400);
        const later = performance.now();
        await parallel(20, () => expectUnavailable(store.insert(tokenRecord('AccessToken')), 'redis'));
        expect(performance.now() - later).to.be.below(600);
        // Longer than the socket may be silent, so that the connection is made anew.
        await new Promise((resolve) => setTimeout(resolve, 1200));
      } finally {
        await server.kill('SIGCONT');
      }
      await recoveryMs(4000, () => store.find('AccessToken', record.id));
      expect(await store.find('AccessToken', record.id)).to.deep.equal(record);
      await hung.close();
    });

    it('fails at once while the server is down, logs one line, and recovers', async () => {
      const watched = await openRedis({ redisUrl: server.url, log: recordingLog });
      const store = createRedisTokenStore({
        connection: watched,
        clock: systemClock,
        unreadable: createUnreadable(silentLog()),
      });
      await server.kill('SIGKILL');
      try {
        await recoveryMs(1000, () => expectUnavailable(store.find('AccessToken', 'x'), 'redis'));
        const start = performance.now();
        await parallel(50, () => expectUnavailable(store.find('AccessToken', 'x'), 'redis'));
        expect(performance.now() - start).to.be.below(400);
        await new Promise((resolve) => setTimeout(resolve, 700));
      } finally {
        await server.restart();
      }
      await recoveryMs(5000, () => store.find('AccessToken', 'x'));
      expect(logged.filter((line) => line.includes('is not reachable'))).to.have.lengthOf(1);
      expect(logged.filter((line) => line.includes('reachable again'))).to.have.lengthOf(1);
      await watched.close();
    });

    it('opens without a server, and works when it comes', async () => {
      await server.kill('SIGKILL');
      const early = await openRedis({ redisUrl: server.url, log: silentLog() });
      const store = createRedisTokenStore({
        connection: early,
        clock: systemClock,
        unreadable: createUnreadable(silentLog()),
      });
      await expectUnavailable(store.find('AccessToken', 'x'), 'redis');
      await server.restart();
      await recoveryMs(5000, () => store.find('AccessToken', 'x'));
      await early.close();
    });

    it('warns when the server may evict keys', async () => {
      await inspector.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const evicting = await openRedis({ redisUrl: server.url, log: recordingLog });
      await recoveryMs(2000, async () => expect(logged.join()).to.include('set maxmemory-policy to noeviction'));
      await inspector.config('SET', 'maxmemory-policy', 'noeviction');
      await evicting.close();
    });
  });
});
