import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { parallel } from '../../../conformance/parallel.ts';
import { createWorld, refusalOf, type World } from './world.ts';

const REPORT = { source: 'github', url: 'https://github.test/a/b', ip: '198.51.100.7', requestId: 'req_9' };

describe('reporting a leaked API key', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());
  const report = (text: string, change = {}) => world.manage.reportLeak(text, { ...REPORT, ...change });

  it('revokes it, by the secret of now or by the one before while that works', async () => {
    const first = await world.issue();
    const second = await world.manage.rotate(first.key.id, 3600, world.asAda);
    expect(await report(first.secret)).to.equal('revoked');
    for (const { secret } of [first, second]) expect(await world.works(secret)).to.equal(false);
    const { key } = await world.issue();
    expect(await report((await world.manage.rotate(key.id, 0, world.asAda)).secret)).to.equal('revoked');
    expect(await world.manage.get(key.id, world.asAda)).to.deep.include({ revokeReason: 'leaked', previous: null });
    expect(world.announced.at(-1)).to.equal(`key:${key.id}`);
  });

  it('does nothing for a text that opens nothing, however close it comes', async () => {
    const { key, secret } = await world.issue();
    const second = await world.manage.rotate(key.id, 0, world.asAda);
    const nobodys = world.format.mint('live').text;
    const wrongSecret = world.format.secretFor(key.id, 'live').text;
    for (const text of [secret, nobodys, wrongSecret, key.id, '', 'x'.repeat(100_000), second.secret.slice(0, -1)]) {
      expect(await report(text), text.slice(0, 80)).to.equal('unknown');
    }
    expect(await world.works(second.secret)).to.equal(true);
    expect(await world.events('api_key.leak_reported', key.id)).to.deep.equal([]);
  });

  it('does nothing for a key that has ended already', async () => {
    const { key, secret } = await world.issue();
    await world.manage.revoke(key.id, 'lost', world.asAda);
    expect(await report(secret)).to.equal('unknown');
    expect((await world.manage.get(key.id, world.asAda)).revokeReason).to.equal('lost');
  });

  it('records who told it and where it was seen, in one line each and without any key', async () => {
    const { key, secret } = await world.issue();
    const other = world.format.mint('test').text;
    const url = `https://paste.test/?a=${secret}&b=${other}#\n${'x'.repeat(5000)}`;
    await report(secret, { source: `scan\u0000ner${'y'.repeat(100)}`, url });
    const [event] = await world.events('api_key.leak_reported', key.id);
    const { source, url: seen } = event as unknown as Record<string, string>;
    expect(event).to.include({ outcome: 'revoked', by: 'leak-report', accountId: world.ada.id });
    expect(source)
      .to.match(/^scan ner/)
      .and.to.have.length(64);
    expect(seen)
      .to.match(/^https:\/\/paste\.test\/\?a=\*\*\*&b=\*\*\*# x/)
      .and.to.have.length(500);
    expect(await world.events('api_key.revoked', key.id)).to.have.length(1);
  });

  it('50 times at once is recorded once', async () => {
    const { key, secret } = await world.issue();
    const outcomes = await parallel(50, () => report(secret));
    expect(outcomes).to.include('revoked');
    expect(await world.events('api_key.leak_reported', key.id)).to.have.length(1);
  });

  it('works for a key that was imported, by its own text', async () => {
    // The other system used the same prefix.
    const text = 'mem_live_of_another_system';
    const digest = createHash('sha256').update(text).digest('hex');
    expect(await report(text)).to.equal('unknown');
    const [line] = await world.manage.importMany([
      { owner: 'ada@example.com', name: 'Old', algorithm: 'sha256', digest },
    ]);
    const id = line && 'id' in line ? line.id : '';
    expect(await report(`${text}x`)).to.equal('unknown');
    const rotated = await world.manage.rotate(id, 3600, world.asAda);
    expect(await report(text)).to.equal('revoked');
    expect(await world.works(rotated.secret)).to.equal(false);
  });

  it('does nothing by an imported text that a rotation has ended', async () => {
    const text = 'sk-other-system-2';
    const digest = createHash('sha256').update(text).digest('hex');
    const [line] = await world.manage.importMany([
      { owner: 'ada@example.com', name: 'Old', algorithm: 'sha256', digest },
    ]);
    const id = line && 'id' in line ? line.id : '';
    const { secret } = await world.manage.rotate(id, 0, world.asAda);
    expect(await report(text)).to.equal('unknown');
    expect(await world.works(secret)).to.equal(true);
  });

  describe('where leaked keys are suspended', () => {
    let mild: World;
    before(async () => {
      mild = await createWorld({ leakPolicy: 'suspend' });
    });
    after(() => mild.close());

    it('refuses the key until its owner resumes it', async () => {
      const { key, secret } = await mild.issue();
      expect(await mild.manage.reportLeak(secret, REPORT)).to.equal('suspended');
      expect(await mild.works(secret)).to.equal(false);
      expect(await mild.manage.reportLeak(secret, REPORT)).to.equal('suspended');
      expect(await mild.events('api_key.leak_reported', key.id)).to.have.length(1);
      await mild.manage.resume(key.id, mild.asAda);
      expect(await mild.works(secret)).to.equal(true);
      const resumed = await mild.manage.get(key.id, mild.asAda);
      expect(await mild.manage.resume(key.id, mild.asAda)).to.deep.equal(resumed);
      expect(await mild.events('api_key.resumed', key.id)).to.have.length(1);
    });

    it('lets the key be rotated without overlap only, and resumed with the new secret alone', async () => {
      const { key, secret } = await mild.issue();
      await mild.manage.reportLeak(secret, REPORT);
      expect((await refusalOf(mild.manage.rotate(key.id, 60, mild.asAda))).code).to.equal('conflict');
      const second = await mild.manage.rotate(key.id, 0, mild.asAda);
      expect(await mild.works(second.secret)).to.equal(false);
      await mild.manage.resume(key.id, mild.asAda);
      expect([await mild.works(secret), await mild.works(second.secret)]).to.deep.equal([false, true]);
    });

    it('is not ended by a key that may do less', async () => {
      const { key, secret } = await mild.issue({ scopes: ['admin'] });
      await mild.manage.reportLeak(secret, REPORT);
      const weak = mild.actor(mild.ada, { id: 'key_weak', scopes: ['read'] });
      expect((await refusalOf(mild.manage.resume(key.id, weak))).code).to.equal('insufficient_scope');
    });
  });
});
