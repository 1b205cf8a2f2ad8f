import { createHash, createHmac, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { call, good, isAccepted, newPerson, type Person, verify } from '../../support/api-client.ts';
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

  it('cost those who guess at them 100 looks a second, and those who have one nothing', async () => {
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
    expect(counters.sqlStatements() - before).to.be.at.most(Math.ceil(100 * (1 + seconds)) + 10);
    for (const { status } of replies) expect(status).to.be.oneOf([401, 503]);
    expect(await isAccepted(harness, key)).to.equal(true);
  });
});
