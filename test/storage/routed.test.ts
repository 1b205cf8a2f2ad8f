import { expect } from 'chai';
import { newId } from '../../src/kit/ids.ts';
import type { Stores } from '../../src/storage/stores.ts';
import { durableTokenStoreSuite } from '../conformance/durable-token-store.ts';
import { counterOf, rateLimitStoreSuite } from '../conformance/rate-limit-store.ts';
import { apart, even, growing } from '../conformance/throttle-counters.ts';
import { throttleStoreSuite } from '../conformance/throttle-store.ts';
import { tokenRecord } from '../conformance/token-records.ts';
import { tokenStoreSuite } from '../conformance/token-store.ts';
import { requirePart } from '../support/requirements.ts';
import type { RedisServer } from '../support/servers/redis.ts';
import { expectUnavailable } from './failure-of.ts';
import { openStores } from './open-stores.ts';

describe('storage on SQL with Redis', () => {
  let server: RedisServer;
  let stores: Stores;
  before(async function () {
    server = await requirePart('redis', this);
    await server.flush();
    stores = await openStores({ databaseUrl: 'sqlite::memory:', redisUrl: server.url });
  });
  after(() => stores?.[Symbol.asyncDispose]());

  tokenStoreSuite(async () => stores.tokens, 'DeviceCode');
  tokenStoreSuite(async () => stores.tokens, 'RefreshToken');
  durableTokenStoreSuite(async () => stores.tokens);
  throttleStoreSuite(async () => stores.throttle);
  rateLimitStoreSuite(async () => stores.rateLimits);

  it('keeps short-lived kinds out of SQL and the others out of Redis', async () => {
    const sql = () => stores.counters.sqlStatements();
    const redis = () => stores.counters.redisRoundTrips();
    const [sqlBefore, redisBefore] = [sql(), redis()];
    await stores.tokens.save(tokenRecord('Session', { uid: newId('uid') }));
    await stores.tokens.insert(tokenRecord('Interaction'));
    await stores.throttle.take(apart(growing(), even()), 1);
    await stores.rateLimits.take(newId('owner'), [counterOf(1, 60), counterOf(1, 60)]);
    expect([sql() - sqlBefore, redis() - redisBefore]).to.deep.equal([0, 4]);
    await stores.tokens.insert(tokenRecord('AuthorizationCode'));
    await stores.tokens.insert(tokenRecord('RevokedToken'));
    await stores.tokens.insert(tokenRecord('ReplayMarker'));
    expect([sql() - sqlBefore, redis() - redisBefore]).to.deep.equal([3, 4]);
  });

  it('gives a conflicting commit its short-lived inserts back', async () => {
    const used = tokenRecord('RefreshToken', { consumedAt: 1 });
    await stores.tokens.insert(used);
    const orphan = tokenRecord('AccessToken');
    const consume = { kind: used.kind, id: used.id, atMs: 2 };
    expect(await stores.tokens.commit({ consume, inserts: [orphan, tokenRecord('RefreshToken')] })).to.equal(false);
    expect(await server.dump()).to.not.include(`gh:t:AccessToken:${orphan.id} `);
  });

  it('consumes nothing when Redis does not answer', async () => {
    const used = tokenRecord('RefreshToken');
    await stores.tokens.insert(used);
    const consume = { kind: used.kind, id: used.id, atMs: 2 };
    await server.kill('SIGSTOP');
    try {
      await expectUnavailable(stores.tokens.commit({ consume, inserts: [tokenRecord('AccessToken')] }), 'redis');
    } finally {
      await server.kill('SIGCONT');
    }
    expect(await stores.tokens.find(used.kind, used.id)).to.deep.equal(used);
  });
});
