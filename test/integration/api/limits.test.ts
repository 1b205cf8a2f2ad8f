import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { LimitRule } from '../../../src/domain/limits/limit-rule.ts';
import { call, good, newKey, newPerson, outcome, type Person, verify } from '../../support/api-client.ts';
import { createClient, DEMO, type TestClient, token } from '../../support/builders.ts';
import { type Harness, type Reply, startHarness, travel } from '../../support/harness.ts';

const HOUR = 3600;
const RULES: LimitRule[] = [
  { name: 'keys', per: 'key', method: 'api_key', environment: 'live', quota: 100, windowSeconds: HOUR },
  { name: 'test-keys', per: 'key', method: 'api_key', environment: 'test', quota: 5, windowSeconds: HOUR },
  { name: 'oauth', per: 'client', method: 'access_token', quota: 7, windowSeconds: HOUR },
  { name: 'logins', per: 'subject', method: 'login', quota: 60, windowSeconds: HOUR },
];

describe('rate limits', () => {
  let directory: string;
  let harness: Harness;
  let ada: Person;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'gatehouse-limits-'));
    const file = join(directory, 'limits.config.mjs');
    writeFileSync(file, `export default { limits: ${JSON.stringify(RULES)} };`);
    harness = await startHarness({ env: { GATEHOUSE_CONFIG: file } });
    ada = await newPerson(harness);
  });
  after(async () => {
    await harness?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  // Rules are for environments: these resource servers take keys of any.
  const ask = (credential: string): Promise<Reply> => verify(harness, credential, { environment: '*' });
  const spend = (credential: string, times: number): Promise<Reply[]> =>
    Promise.all(Array.from({ length: times }, () => ask(credential)));
  const allowed = (replies: readonly Reply[]): number => replies.filter(({ status }) => status === 200).length;

  it('let exactly 100 of 200 requests at once pass', async () => {
    const { key } = await newKey(harness, ada);
    const replies = await spend(key, 200);
    expect(allowed(replies)).to.equal(100);
    for (const reply of replies) expect(await outcome(reply)).to.be.oneOf(['200', '429 rate_limit_exceeded']);
  });

  it('say in the headers of the draft what is allowed, what is left and when to come back', async () => {
    const { key } = await newKey(harness, ada, { environment: 'test' });
    const [first] = await spend(key, 1);
    expect(first?.headers['ratelimit-policy']).to.equal('"test-keys";q=5;w=3600');
    expect(first?.headers.ratelimit).to.match(/^"test-keys";r=4;t=\d+$/);
    expect(first?.headers['cache-control']).to.equal('no-store');
    await spend(key, 4);
    const refused = await ask(key);
    expect(refused.status).to.equal(429);
    expect(refused.headers.ratelimit).to.match(/^"test-keys";r=0;t=\d+$/);
    expect(Number(refused.headers['retry-after'])).to.be.within(1, 720);
    expect(refused.headers).to.not.have.property('x-ratelimit-limit');
    expect(refused.json()).to.include({ code: 'rate_limit_exceeded', status: 429 });
  });

  it('are per key: one that is spent leaves the others alone, of the same owner too', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => newKey(harness, ada, { environment: 'test' })));
    if (!one || !two) throw new Error('no keys');
    expect(allowed(await spend(one.key, 8))).to.equal(5);
    expect(allowed(await spend(two.key, 8))).to.equal(5);
  });

  it('are per environment, by the rule for it', async () => {
    const live = await newKey(harness, ada, { environment: 'live' });
    expect(allowed(await spend(live.key, 20))).to.equal(20);
  });

  it('are per client, however many tokens it has', async () => {
    const machine: TestClient = await createClient(harness, { grantTypes: ['client_credentials'] });
    const tokenOf = async (client: TestClient): Promise<string> =>
      (await token(harness, client, { grant_type: 'client_credentials' })).json().access_token;
    const replies = [...(await spend(await tokenOf(machine), 5)), ...(await spend(await tokenOf(machine), 5))];
    expect(allowed(replies)).to.equal(7);
    expect(allowed(await spend(await tokenOf(DEMO.machine), 1))).to.equal(1);
  });

  it('hold at our own endpoints, at verify and at forward-auth together', async () => {
    const { key } = await newKey(harness, ada, { environment: 'test', scopes: ['manage'] });
    const replies = [
      await ask(key),
      await harness.get('/forward-auth?environment=test', { 'x-api-key': key }),
      await call(harness, 'GET /v1/auth/me', { as: key }),
      await call(harness, 'GET /v1/api-keys', { as: key }),
      await call(harness, 'GET /v1/auth/verify', { as: key }),
    ];
    expect(allowed(replies)).to.equal(5);
    expect(replies[2]?.headers['ratelimit-policy']).to.contain('test-keys');
    expect(await outcome(call(harness, 'GET /v1/auth/me', { as: key }))).to.equal('429 rate_limit_exceeded');
    expect((await harness.get('/forward-auth?environment=test', { 'x-api-key': key })).status).to.equal(429);
  });

  it('of a key itself come on top, the strictest first, and change at once', async () => {
    const { id, key } = await newKey(harness, ada, { limit: { quota: 2, window_seconds: 60 } });
    const first = await verify(harness, key);
    expect(first.headers['ratelimit-policy']).to.equal('"key";q=2;w=60, "keys";q=100;w=3600');
    expect(allowed(await spend(key, 4))).to.equal(1);
    const patch = (limit: object | null) =>
      good(call(harness, `PATCH /v1/api-keys/${id}`, { as: ada.token, body: { limit } }));
    await patch({ quota: 3, window_seconds: 60 });
    expect(allowed(await spend(key, 6))).to.equal(3);
    await patch(null);
    // What the key's own limit refused did not cost the rule anything.
    expect((await verify(harness, key)).headers.ratelimit).to.match(/^"keys";r=9[45];/);
  });

  it('take no notice of the clock of this process, wherever it jumps', async () => {
    const { key } = await newKey(harness, ada, { environment: 'test' });
    expect(allowed(await spend(key, 6))).to.equal(5);
    for (const seconds of [7200, -7200]) {
      using _ = travel(seconds);
      const reply = await ask(key);
      expect(reply.status).to.equal(429);
      expect(Number(reply.headers['retry-after'])).to.be.within(1, 720);
    }
  });

  it('do not let strangers spend what belongs to a key', async () => {
    const { key } = await newKey(harness, ada, { environment: 'test' });
    await Promise.all(Array.from({ length: 20 }, () => ask(`${key.slice(0, -1)}!`)));
    expect(allowed(await spend(key, 5))).to.equal(5);
  });

  it('that are reached keep nobody from signing out', async () => {
    const person = await newPerson(harness);
    const replies = await spend(person.token, 70);
    expect(allowed(replies)).to.equal(60);
    const reply = await call(harness, 'POST /v1/auth/logout', { as: person.token });
    expect(await outcome(reply)).to.equal('204');
    const refreshed = call(harness, 'POST /v1/auth/refresh', { body: { refresh_token: person.refreshToken } });
    expect(await outcome(refreshed)).to.equal('401 invalid_refresh_token');
  });

  it('that cannot be counted in the store are counted in this process, without a server error', async () => {
    const { key } = await newKey(harness, ada, { environment: 'test' });
    const { rateLimits } = harness.services.stores;
    const { take } = rateLimits;
    try {
      rateLimits.take = () => Promise.reject(new Error('the store is away'));
      const replies = await spend(key, 20);
      expect(allowed(replies)).to.equal(5);
      for (const reply of replies) expect(reply.status).to.be.oneOf([200, 429]);
    } finally {
      rateLimits.take = take;
    }
  });
});
