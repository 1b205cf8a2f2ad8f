import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { auditOf, call, good, isAccepted, newKey, newPerson, outcome, type Person } from '../../support/api-client.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

describe('reporting a leaked key', () => {
  let harness: Harness;
  let suspending: Harness;
  let ada: Person;
  let eve: Person;
  before(async () => {
    harness = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' } });
    suspending = await startHarness({ env: { GATEHOUSE_LEAK_POLICY: 'suspend' } });
    [ada, eve] = [await newPerson(harness), await newPerson(suspending)];
  });
  after(async () => {
    await harness?.[Symbol.asyncDispose]();
    await suspending?.[Symbol.asyncDispose]();
  });

  const report = async (at: Harness, key: string, more: object = {}): Promise<string> =>
    (await good(call(at, 'POST /v1/leaks', { body: { key, ...more } }))).outcome;

  it('ends the key at once, whoever reports it, and records who told', async () => {
    const { id, key } = await newKey(harness, ada);
    expect(await isAccepted(harness, key)).to.equal(true);
    const where = { source: 'scanner\u0000\nof somebody', url: `https://paste.example/?q=${key}` };
    expect(await report(harness, key, where)).to.equal('revoked');
    expect(await isAccepted(harness, key)).to.equal(false);
    const [event] = await auditOf(harness, 'api_key.leak_reported', ada.id);
    expect(event?.details).to.include({ keyId: id, outcome: 'revoked', source: 'scanner of somebody' });
    expect(event?.details.url).to.equal('https://paste.example/');
    const shown = await good(call(harness, `GET /v1/api-keys/${id}`, { as: ada.token }));
    expect(shown.state).to.equal('revoked');
  });

  it('keeps none of the other credentials that stood where the key was found', async () => {
    const { key } = await newKey(harness, ada);
    const other = await newKey(harness, ada);
    const url = `https://me:${key}@paste.example/${other.key}/x?access_token=${ada.token}&rt=${ada.refreshToken}&pw=hunter2hunter2`;
    const source = `a scanner that saw ${ada.refreshToken} at ${url}`.slice(0, 120);
    await report(harness, key, { url, source });
    const [event] = await auditOf(harness, 'api_key.leak_reported', ada.id);
    expect(event?.details.url).to.equal('https://paste.example/***/x');
    expect(event?.details.source).to.equal('a scanner that saw *** at https://me:***');
    const kept = JSON.stringify(await harness.services.stores.audit.list({ limit: 1000 }));
    for (const secret of [key, other.key, ada.token, ada.refreshToken, 'hunter2']) expect(kept).to.not.contain(secret);
  });

  it('needs all of the key: its id, a part or one with another secret does nothing', async () => {
    const { id, key } = await newKey(harness, ada);
    const other = await newKey(harness, ada);
    // Unlike a key, an id may be in the audit trail.
    const byId = await harness.sendRaw('/v1/leaks', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key: id }),
    });
    expect(byId.json().outcome).to.equal('unknown');
    for (const text of [key.slice(0, -1), key.slice(0, 24), `${key.slice(0, 24)}${other.key.slice(24)}`, 'x']) {
      expect(await report(harness, text)).to.equal('unknown');
    }
    expect(await isAccepted(harness, key)).to.equal(true);
    expect(await isAccepted(harness, other.key)).to.equal(true);
  });

  it('of a secret that is over does not end the one after it', async () => {
    const old = await newKey(harness, ada);
    const body = { overlap_seconds: 0 };
    const fresh = await good(call(harness, `POST /v1/api-keys/${old.id}/rotate`, { as: ada.token, body }));
    expect(await report(harness, old.key)).to.equal('unknown');
    expect(await isAccepted(harness, fresh.key)).to.equal(true);
    // In its overlap it still opens the door, so it ends the key.
    const next = await good(
      call(harness, `POST /v1/api-keys/${old.id}/rotate`, { as: ada.token, body: { overlap_seconds: 60 } }),
    );
    expect(await report(harness, fresh.key)).to.equal('revoked');
    expect(await isAccepted(harness, next.key)).to.equal(false);
  });

  it('ends a key that was brought along, which may look like ours', async () => {
    const key = `gh_live_${randomBytes(16).toString('hex')}`;
    harness.keepSecret(key);
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha256').update(key).digest('hex');
    await harness.services.manageApiKeys.importMany([
      { owner: ada.email, name: 'From before', algorithm: 'sha256', digest },
    ]);
    expect(await isAccepted(harness, key)).to.equal(true);
    expect(await report(harness, key)).to.equal('revoked');
    expect(await isAccepted(harness, key)).to.equal(false);
  });

  it('counts 50 reports at once as one leak', async () => {
    const { id, key } = await newKey(harness, ada);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        call(harness, 'POST /v1/leaks', { body: { key }, headers: { 'x-forwarded-for': `198.51.100.${i}` } }),
      ),
    );
    // Whoever comes after the first finds a key that is over, or the same answer.
    for (const reply of answers) expect(reply.json().outcome).to.be.oneOf(['revoked', 'unknown']);
    const events = await auditOf(harness, 'api_key.leak_reported', ada.id);
    expect(events.filter(({ details }) => details.keyId === id)).to.have.length(1);
  });

  it('is for few reports from one address', async () => {
    const from = { 'x-forwarded-for': '203.0.113.9' };
    const replies = await Promise.all(
      Array.from({ length: 60 }, () => call(harness, 'POST /v1/leaks', { body: { key: 'x' }, headers: from })),
    );
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).to.be.within(29, 30);
    expect(Number(refused[0]?.headers['retry-after'])).to.be.greaterThan(0);
  });

  it('suspends where the operator wants that, until the owner resumes it in person', async () => {
    const { id, key } = await newKey(suspending, eve, { scopes: ['manage'] });
    const manager = await newKey(suspending, eve, { scopes: ['manage'] });
    expect(await report(suspending, key)).to.equal('suspended');
    expect(await isAccepted(suspending, key)).to.equal(false);
    expect((await good(call(suspending, `GET /v1/api-keys/${id}`, { as: eve.token }))).state).to.equal('suspended');
    const byKey = call(suspending, `POST /v1/api-keys/${id}/resume`, { as: manager.key });
    expect(await outcome(byKey)).to.equal('403 insufficient_scope');
    // A rotation with overlap would let the leaked secret in again.
    const body = { overlap_seconds: 60 };
    const rotated = call(suspending, `POST /v1/api-keys/${id}/rotate`, { as: eve.token, body });
    expect(await outcome(rotated)).to.equal('409 conflict');
    await good(call(suspending, `POST /v1/api-keys/${id}/resume`, { as: eve.token }));
    expect(await isAccepted(suspending, key)).to.equal(true);
  });
});
