import { createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { call, good, isAccepted, newKey, newPerson, type Person, verify } from '../../support/api-client.ts';
import { basic, DEMO, introspect } from '../../support/builders.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const HMAC_KEY = 'the HMAC key of the system that keys were imported from';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (text: string): string => createHmac('sha256', HMAC_KEY).update(text).digest('base64url');

describe('keys that a product brings along', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  function madeElsewhere(prefix = 'sk-old-'): string {
    const key = prefix + randomBytes(18).toString('hex');
    harness.keepSecret(key);
    return key;
  }
  const line = (key: string, more: object = {}) => ({
    owner: ada.email,
    name: 'From before',
    algorithm: 'sha256' as const,
    digest: sha256(key),
    scopes: ['read'],
    ...more,
  });
  async function imported(...lines: ReturnType<typeof line>[]): Promise<string[]> {
    const outcomes = await harness.services.manageApiKeys.importMany(lines);
    return outcomes.map((outcome) => ('id' in outcome ? outcome.id : outcome.problem));
  }

  it('work from the moment they are imported, by SHA-256 or HMAC, and say whose they are', async () => {
    const [one, two] = [madeElsewhere(), madeElsewhere()];
    // Asked about before: that answer must not be believed any more.
    for (const key of [one, two]) expect(await isAccepted(harness, key)).to.equal(false);
    const ids = await imported(
      line(one),
      line(two, { algorithm: 'hmac-sha256', digest: hmac(two), environment: 'test' }),
    );
    expect((await verify(harness, one)).json()).to.include({
      method: 'api_key',
      subject: ada.id,
      key_id: ids[0],
      environment: 'live',
    });
    expect((await verify(harness, two, { environment: 'test' })).json()).to.include({
      key_id: ids[1],
      environment: 'test',
    });
    expect(await isAccepted(harness, two.toUpperCase())).to.equal(false);
  });

  it('may look like those made here', async () => {
    const key = madeElsewhere('gh_live_');
    const [id] = await imported(line(key));
    expect((await verify(harness, key)).json().key_id).to.equal(id);
    expect(await isAccepted(harness, `${key}0`)).to.equal(false);
  });

  it('are never the digest itself: whoever has a dump of the other system has no key', async () => {
    const key = madeElsewhere();
    await imported(line(key));
    for (const text of [sha256(key), hmac(key), sha256(sha256(key))])
      expect(await isAccepted(harness, text)).to.equal(false);
  });

  it('become keys of ours when they are rotated, and work until the overlap ends', async () => {
    const key = madeElsewhere();
    const [id] = await imported(line(key));
    const fresh = await good(
      call(harness, `POST /v1/api-keys/${id}/rotate`, { as: ada.token, body: { overlap_seconds: 60 } }),
    );
    expect(fresh.key).to.match(/^gh_live_/);
    const old = await verify(harness, key);
    expect(old.headers).to.have.property('x-api-key-replaced');
    expect(old.json().key_id).to.equal(id);
    expect((await verify(harness, fresh.key)).json().key_id).to.equal(id);
    using _ = travel(61);
    expect(await isAccepted(harness, key)).to.equal(false);
    expect(await isAccepted(harness, fresh.key)).to.equal(true);
  });

  it('end like any other: revoked, and at the time they came with', async () => {
    const [revoked, ending] = [madeElsewhere(), madeElsewhere()];
    const [id] = await imported(line(revoked));
    await imported(line(ending, { expiresAt: Math.floor(Date.now() / 1000) + 100 }));
    for (const key of [revoked, ending]) expect(await isAccepted(harness, key)).to.equal(true);
    await good(call(harness, `DELETE /v1/api-keys/${id}`, { as: ada.token }));
    expect(await isAccepted(harness, revoked)).to.equal(false);
    using _ = travel(101);
    expect(await isAccepted(harness, ending)).to.equal(false);
  });

  /** Headers, a body, introspection: wherever a key of ours is taken. */
  async function everyWay(key: string): Promise<Record<string, unknown>> {
    const { data: _, ...ways } = {
      data: null,
      header: (await harness.get('/v1/auth/verify', { 'x-api-key': key })).status,
      bearer: (await harness.get('/v1/auth/verify', { authorization: `Bearer ${key}` })).status,
      body: (await call(harness, 'POST /v1/auth/verify', { body: { credential: key } })).status,
      forwardAuth: (await harness.get('/forward-auth', { 'x-api-key': key })).status,
      forwardBearer: (await harness.get('/forward-auth', { authorization: `Bearer ${key}` })).status,
      own: (await call(harness, 'GET /v1/api-keys', { as: key })).status,
      introspection: (await introspect(harness, DEMO.api, key)).json().active,
      resolve: (
        await call(harness, 'POST /v1/provider-keys/resolve', {
          body: { provider: 'openai', credential: key },
          headers: { authorization: basic(DEMO.gateway.id, DEMO.gateway.secret) },
        })
      ).json().code,
    };
    return ways;
  }
  /** `own`: it is known, and lacks a scope. */
  const ALL = {
    header: 200,
    bearer: 200,
    body: 200,
    forwardAuth: 200,
    forwardBearer: 200,
    own: 403,
    introspection: true,
  };
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString('base64url');

  it('work in every way in, whatever they look like: a JWT, our opaque tokens, our own keys', async () => {
    const own = await newKey(harness, ada);
    const random = () => randomBytes(24).toString('base64url');
    const shapes: Record<string, string> = {
      'a JWT that another system signed': `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: ada.id, iss: 'https://old.example.com' })}.${random()}`,
      'a JWT that says it is ours': `${part({ alg: 'ES256', typ: 'at+jwt', kid: 'old' })}.${part({ iss: harness.issuer, sub: ada.id, exp: 4e9 })}.${random()}`,
      'two parts': `eyJrZXkiOjF9.${random()}`,
      'five parts': `${part({ alg: 'dir' })}.${random()}.${random()}.${random()}.${random()}`,
      'an opaque access token': `gat_${randomBytes(32).toString('base64url')}`,
      'an opaque refresh token': `grt_${randomBytes(32).toString('base64url')}`,
      'a key of ours with another checksum': `${own.key.slice(0, -6)}000000`,
      'a key of ours with another environment': own.key.replace('gh_live_', 'gh_test_'),
      'very long': `eyJ${'a'.repeat(6000)}.b.c`,
    };
    for (const [what, key] of Object.entries(shapes)) {
      harness.keepSecret(key);
      const before = await everyWay(key);
      expect(before, what).to.include({ header: 401, bearer: 401, body: 401, introspection: false });
      await imported(line(key, { name: what, scopes: undefined }));
      expect(await everyWay(key), what)
        .to.include(ALL)
        .and.to.have.property('resolve', 'provider_key_missing');
      expect((await verify(harness, `${key}x`)).status, what).to.equal(401);
    }
  });

  it('are looked for no more in the place of a token that was made here and is over', async () => {
    const login = await newPerson(harness);
    await imported(line(madeElsewhere()));
    await good(call(harness, 'POST /v1/auth/logout', { as: login.token }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await isAccepted(harness, login.token)).to.equal(false);
    const { counters } = harness.services.stores;
    const before = counters.sqlStatements();
    for (let time = 0; time < 300; time += 1) {
      const { status } = await harness.get('/v1/auth/verify', { authorization: `Bearer ${login.token}` });
      expect(status).to.equal(401);
    }
    expect(counters.sqlStatements() - before).to.be.at.most(40);
  });

  it('cost a dozen statements a second, however many are made up, and those who have one nothing', async () => {
    const key = madeElsewhere();
    await imported(line(key));
    expect(await isAccepted(harness, key)).to.equal(true);
    const { counters } = harness.services.stores;
    const before = counters.sqlStatements();
    const started = performance.now();
    const replies = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => harness.get('/forward-auth', { 'x-api-key': `sk-old-${i}` })),
    );
    const seconds = (performance.now() - started) / 1000;
    expect(counters.sqlStatements() - before).to.be.at.most(Math.ceil(12 * (1 + seconds)));
    for (const { status } of replies) expect(status).to.be.oneOf([401, 503]);
    expect(await isAccepted(harness, key)).to.equal(true);
  });

  it('are found by 50 owners at once who all come after a start, with a few statements', async () => {
    const keys = Array.from({ length: 50 }, () => madeElsewhere());
    await imported(...keys.map((key) => line(key)));
    const { counters } = harness.services.stores;
    const before = counters.sqlStatements();
    expect(await Promise.all(keys.map((key) => isAccepted(harness, key)))).to.deep.equal(Array(50).fill(true));
    expect(counters.sqlStatements() - before).to.be.at.most(8);
  });
});
