import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { ApiKey } from '../../../../src/domain/api-keys/api-key.ts';
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
    const url = `https://me:${other}@paste.test/${other}/a?a=${secret}&b=${other}#\n${'x'.repeat(5000)}`;
    await report(secret, { source: `scan\u0000ner${' of things'.repeat(20)}`, url });
    const [event] = await world.events('api_key.leak_reported', key.id);
    const { source, url: seen } = event as unknown as Record<string, string>;
    expect(event).to.include({ outcome: 'revoked', by: 'leak-report', accountId: world.ada.id });
    expect(source)
      .to.match(/^scan ner/)
      .and.to.have.length(64);
    expect(seen).to.equal('https://paste.test/***/a');
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

  describe('of a key that made others', () => {
    const by = (key: ApiKey) => world.actor(world.ada, { id: key.id, keyId: key.id });
    /** A key, what it made, and what that made. */
    async function family(at: World) {
      const root = await at.issue();
      const child = await at.issue({}, by(root.key));
      const grandchild = await at.issue({}, by(child.key));
      return { root, child, grandchild, unrelated: await at.issue() };
    }
    const alive = async (at: World, made: Awaited<ReturnType<typeof family>>) => {
      const works = Object.entries(made).map(async ([name, { secret }]) => ((await at.works(secret)) ? name : null));
      return (await Promise.all(works)).filter((name) => name !== null);
    };

    it('ends those too, at any distance, even when one between has ended before, and says so of each', async () => {
      const made = await family(world);
      await world.manage.revoke(made.child.key.id, 'lost', world.asAda);
      expect(await report(made.root.secret)).to.equal('revoked');
      expect(await alive(world, made)).to.deep.equal(['unrelated']);
      const [event] = await world.events('api_key.revoked', made.grandchild.key.id);
      expect(event).to.include({ reason: 'leaked', by: 'leak-report', descendsFrom: made.root.key.id });
      expect(await world.manage.get(made.child.key.id, world.asAda)).to.include({ revokeReason: 'lost' });
    });

    it('goes on where an earlier report broke off', async () => {
      const made = await family(world);
      const { listMadeByOthers } = world.stores.apiKeys;
      world.stores.apiKeys.listMadeByOthers = () => Promise.reject(new Error('the store is away'));
      await report(made.root.secret).then(
        () => expect.fail('it was answered as done'),
        () => undefined,
      );
      world.stores.apiKeys.listMadeByOthers = listMadeByOthers;
      expect(await alive(world, made)).to.deep.equal(['child', 'grandchild', 'unrelated']);
      expect(await report(made.root.secret)).to.equal('unknown');
      expect(await alive(world, made)).to.deep.equal(['unrelated']);
    });

    it('suspends them where leaked keys are suspended', async () => {
      const mild = await createWorld({ leakPolicy: 'suspend' });
      const made = await family(mild);
      expect(await mild.manage.reportLeak(made.root.secret, REPORT)).to.equal('suspended');
      expect(await alive(mild, made)).to.deep.equal(['unrelated']);
      expect(await mild.events('api_key.suspended')).to.have.length(2);
      await mild.manage.resume(made.root.key.id, mild.asAda);
      expect(await alive(mild, made), 'each is resumed by itself').to.deep.equal(['root', 'unrelated']);
      await mild.close();
    });

    it('leaves them where the operator wants that', async () => {
      const lenient = await createWorld({ leakTakesDescendants: false });
      const made = await family(lenient);
      expect(await lenient.manage.reportLeak(made.root.secret, REPORT)).to.equal('revoked');
      expect(await alive(lenient, made)).to.deep.equal(['child', 'grandchild', 'unrelated']);
      await lenient.close();
    });

    it('is what its owner may ask for, also when the key has ended before', async () => {
      const made = await family(world);
      await world.manage.revoke(made.root.key.id, 'lost', world.asAda);
      expect(await alive(world, made)).to.deep.equal(['child', 'grandchild', 'unrelated']);
      const { descendants } = await world.manage.revokeFamily(made.root.key.id, 'stolen', world.asAda);
      expect(descendants.map(({ id }) => id)).to.have.members([made.child.key.id, made.grandchild.key.id]);
      expect(await alive(world, made)).to.deep.equal(['unrelated']);
    });

    it('leaves none of 50 alive that are made at the same moment', async () => {
      const { key, secret } = await world.issue();
      const made = await parallel(51, (index) =>
        index === 20 ? report(secret).then(() => null) : world.issue({}, by(key)).catch(() => null),
      );
      for (const child of made) if (child) expect(await world.works(child.secret)).to.equal(false);
    });
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
