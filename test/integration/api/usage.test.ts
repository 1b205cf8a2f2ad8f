import { expect } from 'chai';
import { call, good, type MadeKey, newKey, newPerson, outcome, type Person, verify } from '../../support/api-client.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const HOUR_MS = 3_600_000;

describe('usage', () => {
  let harness: Harness;
  let ada: Person;
  let live: MadeKey;
  let test: MadeKey;
  beforeEach(async () => {
    ada = await newPerson(harness);
    live = await newKey(harness, ada, { environment: 'live' });
    test = await newKey(harness, ada, { environment: 'test' });
  });
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const use = ({ key, environment }: MadeKey, times: number, asked: object = { environment }) =>
    Promise.all(Array.from({ length: times }, () => verify(harness, key, asked)));
  async function usage(query = '', as = ada.token) {
    await harness.services.usage.flush();
    return good(call(harness, `GET /v1/usage${query}`, { as }));
  }

  it('counts every request of a key exactly once, allowed or refused, billable or free', async () => {
    await use(live, 200);
    await use(live, 3, { required_scopes: ['write'] });
    await use(live, 2, { environment: 'test' });
    await use(test, 50);
    const report = await usage();
    expect(report.totals).to.deep.equal({ allowed: 250, refused: 5, billable: 200, free: 50 });
    expect(
      report.keys.map(({ key_id, environment, allowed, refused }: Record<string, unknown>) => [
        key_id,
        environment,
        allowed,
        refused,
      ]),
    ).to.deep.equal([
      [live.id, 'live', 200, 5],
      [test.id, 'test', 50, 0],
    ]);
    expect(Date.parse(report.keys[0].last_used_at)).to.be.closeTo(Date.now(), 60_000);
  });

  it('counts at every door: verify, forward-auth and our own endpoints', async () => {
    await verify(harness, live.key);
    await harness.get('/forward-auth', { 'x-api-key': live.key });
    await call(harness, 'GET /v1/auth/me', { as: live.key });
    await call(harness, 'GET /v1/api-keys', { as: live.key });
    expect((await usage()).totals).to.include({ allowed: 3, refused: 1 });
  });

  it('does not count strangers, nor a key with a wrong secret', async () => {
    await verify(harness, `${live.key.slice(0, -1)}!`);
    await verify(harness, ada.token);
    expect((await usage()).totals).to.deep.equal({ allowed: 0, refused: 0, billable: 0, free: 0 });
  });

  it('costs no write for each request', async () => {
    await use(live, 1);
    const { counters } = harness.services.stores;
    const before = counters.sqlStatements();
    await use(live, 500);
    expect(counters.sqlStatements() - before).to.be.below(20);
    expect((await usage()).totals.allowed).to.equal(501);
  });

  it('is told by hour and by day, and for a time, a key or an environment', async () => {
    await use(live, 2);
    {
      using _ = travel(-26 * 3600);
      await use(live, 5);
      await use(test, 1);
    }
    const from = new Date(Date.now() - 48 * HOUR_MS).toISOString();
    const byHour = await usage(`?interval=hour&from=${from}`);
    expect(byHour.series.map(({ allowed }: { allowed: number }) => allowed)).to.deep.equal([6, 2]);
    const [old, now] = byHour.series.map(({ start }: { start: string }) => Date.parse(start));
    expect([now - old, now % HOUR_MS]).to.deep.equal([26 * HOUR_MS, 0]);
    const byDay = await usage(`?from=${from}`);
    for (const { start } of byDay.series) expect(Date.parse(start) % (24 * HOUR_MS)).to.equal(0);
    expect(byDay.totals).to.deep.equal({ allowed: 8, refused: 0, billable: 7, free: 1 });
    expect((await usage(`?from=${new Date(Date.now() - HOUR_MS).toISOString()}`)).totals.allowed).to.equal(2);
    expect((await usage(`?key_id=${test.id}`)).totals.allowed).to.equal(1);
    expect((await usage('?environment=live')).totals).to.include({ allowed: 7, billable: 7, free: 0 });
  });

  it("is one's own, and of a key its own environment", async () => {
    await use(live, 4);
    await use(test, 2);
    const eve = await newPerson(harness);
    expect((await usage(`?key_id=${live.id}`, eve.token)).totals.allowed).to.equal(0);
    const manager = await newKey(harness, ada, { environment: 'test', scopes: ['manage'] });
    const seen = await usage('?environment=live', manager.key);
    expect(seen.totals.billable).to.equal(0);
    expect(seen.keys.map(({ key_id }: { key_id: string }) => key_id)).to.not.include(live.id);
  });

  it('shows when a key was used last, in its own place too', async () => {
    await use(live, 1);
    await usage();
    const shown = await good(call(harness, `GET /v1/api-keys/${live.id}`, { as: ada.token }));
    expect(Date.parse(shown.last_used_at)).to.be.closeTo(Date.now(), 60_000);
    const unused = await good(call(harness, `GET /v1/api-keys/${test.id}`, { as: ada.token }));
    expect(unused.last_used_at).to.equal(null);
  });

  it('is asked for with times that make sense', async () => {
    for (const query of [
      'from=yesterday',
      'to=0',
      'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
      'from=1000-01-01T00:00:00Z',
      'from=0000-01-01T00:00:00Z&to=0001-01-01T00:00:00Z',
      'interval=minute',
      'interval=hour&from=2020-01-01T00:00:00Z',
      'from=9999-12-31T23:59:59Z',
      'limit=1',
    ]) {
      expect(await outcome(call(harness, `GET /v1/usage?${query}`, { as: ada.token })), query).to.equal(
        '400 invalid_request',
      );
    }
  });
});
