import { expect } from 'chai';
import { Browser } from '../../support/browser.ts';
import {
  API,
  authorization,
  authorize,
  createAccount,
  createClient,
  createResource,
  DEMO,
  introspect,
  redeem,
  refresh,
  type TestClient,
  token,
} from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';
import { requirePart } from '../../support/requirements.ts';

/**
 * What each flow costs the stores, with PostgreSQL and Redis and the caches of clients and resource servers warm. BEGIN and
 * COMMIT count. The numbers are exact, so that a change is a decision; the targets in brackets are the promise.
 */
describe('the cost of a flow in round trips', () => {
  let harness: Harness;
  let web: TestClient;
  let opaque: { identifier: string; api: TestClient };
  let opaqueMachine: TestClient;
  before(async function () {
    const postgres = await requirePart('postgres', this);
    const redis = await requirePart('redis', this);
    harness = await startHarness({ env: { DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url } });
    // No more reading of the signing keys every two seconds.
    harness.app.stop();
    opaque = await createResource(harness);
    web = await createClient(harness, { resources: [API, opaque.identifier] });
    opaqueMachine = await createClient(harness, { grantTypes: ['client_credentials'], resources: [opaque.identifier] });
  });
  after(() => harness?.[Symbol.asyncDispose]());

  /** The second of two runs: the first fills the caches. */
  async function costOf<T>(
    prepare: () => Promise<T>,
    run: (input: T) => Promise<unknown>,
  ): Promise<{ sql: number; redis: number }> {
    const { counters } = harness.services.stores;
    let cost = { sql: 0, redis: 0 };
    for (let i = 0; i < 2; i += 1) {
      const input = await prepare();
      const [sql, redis] = [counters.sqlStatements(), counters.redisRoundTrips()];
      await run(input);
      cost = { sql: counters.sqlStatements() - sql, redis: counters.redisRoundTrips() - redis };
    }
    return cost;
  }
  const nothing = async (): Promise<void> => {};
  const offline = { scope: 'openid read offline_access' };
  const tokensFor = async (resource: string) =>
    (await redeem(harness, web, await authorize(harness, web, { ...offline, resource }))).json();

  it('code for JWT access token, refresh token and id token (at most 5 SQL)', async () => {
    const cost = await costOf(
      () => authorize(harness, web, { ...offline, resource: API }),
      (authorized) => redeem(harness, web, authorized),
    );
    expect(cost).to.deep.equal({ sql: 3, redis: 0 });
  });

  it('code for opaque access token (at most 5 SQL)', async () => {
    const cost = await costOf(
      () => authorize(harness, web, { ...offline, resource: opaque.identifier }),
      (authorized) => redeem(harness, web, authorized),
    );
    expect(cost).to.deep.equal({ sql: 3, redis: 1 });
  });

  it('refresh (at most 4 SQL)', async () => {
    const cost = await costOf(
      () => tokensFor(API),
      ({ refresh_token }) => refresh(harness, web, refresh_token),
    );
    expect(cost).to.deep.equal({ sql: 4, redis: 0 });
  });

  it('a retried refresh', async () => {
    const cost = await costOf(
      async () => {
        const { refresh_token } = await tokensFor(API);
        await refresh(harness, web, refresh_token);
        return refresh_token;
      },
      (value) => refresh(harness, web, value),
    );
    expect(cost).to.deep.equal({ sql: 3, redis: 0 });
  });

  it('client credentials (at most one round trip in all)', async () => {
    const jwt = await costOf(nothing, () => token(harness, DEMO.machine, { grant_type: 'client_credentials' }));
    expect(jwt).to.deep.equal({ sql: 0, redis: 0 });
    const stored = await costOf(nothing, () => token(harness, opaqueMachine, { grant_type: 'client_credentials' }));
    expect(stored).to.deep.equal({ sql: 0, redis: 1 });
  });

  it('introspection of a JWT and of an opaque token', async () => {
    const jwt = await costOf(
      () => tokensFor(API),
      ({ access_token }) => introspect(harness, DEMO.api, access_token),
    );
    expect(jwt).to.deep.equal({ sql: 1, redis: 0 });
    const stored = await costOf(
      () => tokensFor(opaque.identifier),
      ({ access_token }) => introspect(harness, opaque.api, access_token),
    );
    expect(stored).to.deep.equal({ sql: 1, redis: 1 });
    const unknown = await costOf(nothing, () => introspect(harness, opaque.api, 'garbage'));
    expect(unknown).to.deep.equal({ sql: 0, redis: 0 });
  });

  it('a request with wrong client credentials costs the audit trail once, and one more look at the client', async () => {
    const wrong = { ...web, secret: 'wrong' };
    const cost = await costOf(nothing, () =>
      token(harness, wrong, { grant_type: 'refresh_token', refresh_token: 'x' }),
    );
    // It may have a new secret that this process was not told of; three times a second at most.
    expect(cost.sql).to.equal(1);
  });

  it('a whole first sign-in and consent (at most 16 SQL)', async () => {
    const cost = await costOf(
      () => createAccount(harness),
      async (who) => {
        const page = await new Browser(harness).complete(
          authorization(harness, web, { ...offline, resource: API }).url,
          who,
        );
        expect(page.answer.get('code')).to.match(/^gac_/);
      },
    );
    expect(cost).to.deep.equal({ sql: 10, redis: 26 });
  });

  it('a silent authorization of somebody who is signed in and has consented', async () => {
    const { browser } = await authorize(harness, web, { scope: 'openid', who: { ...(await createAccount(harness)) } });
    const cost = await costOf(nothing, () =>
      browser.open(authorization(harness, web, { scope: 'openid', prompt: 'none' }).url),
    );
    expect(cost).to.deep.equal({ sql: 3, redis: 4 });
  });

  it('public documents and pages cost nothing', async () => {
    for (const path of [
      '/oauth2/jwks',
      '/.well-known/openid-configuration',
      '/health',
      '/',
      '/nothing-here',
      '/oauth2/token',
    ]) {
      expect(await costOf(nothing, () => harness.get(path)), path).to.deep.equal({ sql: 0, redis: 0 });
    }
  });
});
