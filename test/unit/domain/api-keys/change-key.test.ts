import { expect } from 'chai';
import { refreshDigest } from '../../../../src/domain/api-keys/key-digests.ts';
import { addPepper } from '../../../../src/domain/data-keys/peppers.ts';
import { createSealer } from '../../../../src/kit/seal.ts';
import { parallel } from '../../../conformance/parallel.ts';
import { createWorld, DAY_MS, refusalOf, type World } from './world.ts';

describe('changing an API key', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());

  describe('rotating', () => {
    it('keeps the id, and lets the secret before work until the overlap ends', async () => {
      const first = await world.issue();
      const second = await world.manage.rotate(first.key.id, 3600, world.asAda);
      expect(second.key.id).to.equal(first.key.id);
      expect(second.key).to.include({ lastFour: second.secret.slice(-4), rotatedAt: world.clock.atMs });
      expect(await world.stores.apiKeys.find(first.key.id)).to.deep.include({ key: second.key });
      expect([await world.works(first.secret), await world.works(second.secret)]).to.deep.equal([true, true]);
      world.clock.atMs += 3_599_999;
      expect(await world.works(first.secret)).to.equal(true);
      world.clock.atMs += 1;
      expect([await world.works(first.secret), await world.works(second.secret)]).to.deep.equal([false, true]);
    });

    it('without overlap ends the secret before at once', async () => {
      const first = await world.issue();
      const second = await world.manage.rotate(first.key.id, 0, world.asAda);
      expect(second.key.previous).to.equal(null);
      expect([await world.works(first.secret), await world.works(second.secret)]).to.deep.equal([false, true]);
    });

    it('again during an overlap cuts nobody off who was promised time, unless it is to end every secret', async () => {
      const first = await world.issue();
      const second = await world.manage.rotate(first.key.id, 3600, world.asAda);
      world.clock.atMs += 1000;
      expect(await refusalOf(world.manage.rotate(first.key.id, 3600, world.asAda))).to.include({ code: 'conflict' });
      expect(await Promise.all([first, second].map(({ secret }) => world.works(secret)))).to.deep.equal([true, true]);
      const third = await world.manage.rotate(first.key.id, 0, world.asAda);
      const works = await Promise.all([first, second, third].map(({ secret }) => world.works(secret)));
      expect(works).to.deep.equal([false, false, true]);
      await world.manage.rotate(first.key.id, 3600, world.asAda);
    });

    it('under one Idempotency-Key is one rotation with one answer, for 50 at once and for a later retry', async () => {
      const { key } = await world.issue();
      const repeatable = { idempotencyKey: 'once', content: '{"overlap_seconds":3600}' };
      const rotate = () => world.manage.rotate(key.id, 3600, world.asAda, repeatable);
      const answers = await Promise.allSettled(Array.from({ length: 50 }, rotate));
      const secrets = new Set(
        answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value.secret] : [])),
      );
      expect(secrets.size).to.equal(1);
      const late = await rotate();
      expect(late.repeated).to.equal(true);
      expect([...secrets]).to.deep.equal([late.secret]);
      expect(await world.works(late.secret)).to.equal(true);
      const other = { ...repeatable, content: '{"overlap_seconds":0}' };
      expect(await refusalOf(world.manage.rotate(key.id, 0, world.asAda, other))).to.include({
        code: 'idempotency_mismatch',
      });
    });

    it('takes an overlap of 0 to 7 days', async () => {
      const { key } = await world.issue();
      for (const bad of [-1, 7 * 86_400 + 1, 1.5, Number.NaN]) {
        expect(await refusalOf(world.manage.rotate(key.id, bad, world.asAda))).to.deep.include({
          ...{ code: 'invalid_request', fields: ['overlap_seconds'] },
        });
      }
      await world.manage.rotate(key.id, 7 * 86_400, world.asAda);
    });

    it('hands nobody the secret of a key that may do more than they may', async () => {
      const { key, secret } = await world.issue({ scopes: ['admin'] });
      const weak = world.actor(world.ada, { id: 'key_weak', scopes: ['read', 'write'] });
      expect(await refusalOf(world.manage.rotate(key.id, 0, weak))).to.include({
        ...{ code: 'insufficient_scope', scope: 'admin' },
      });
      expect(await world.works(secret)).to.equal(true);
    });

    it('leaves a key alone that is revoked or expired, or whose owner is disabled', async () => {
      const revoked = await world.issue();
      await world.manage.revoke(revoked.key.id, 'lost', world.asAda);
      expect((await refusalOf(world.manage.rotate(revoked.key.id, 0, world.asAda))).code).to.equal('conflict');
      const { key } = await world.issue({ expiresInDays: 1 });
      await world.stores.accounts.update(world.ada.id, { disabledAt: world.clock.atMs }, world.clock.atMs);
      expect((await refusalOf(world.manage.rotate(key.id, 0, world.asAda))).code).to.equal('conflict');
      await world.stores.accounts.update(world.ada.id, { disabledAt: null }, world.clock.atMs);
      world.clock.atMs += DAY_MS;
      expect((await refusalOf(world.manage.rotate(key.id, 0, world.asAda))).code).to.equal('conflict');
    });

    it('50 times at once tells nobody a secret that is dead already', async () => {
      const first = await world.issue();
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, () => world.manage.rotate(first.key.id, 3600, world.asAda)),
      );
      const told = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.secret);
      expect(told).to.have.length(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).to.deep.include({ code: 'conflict' });
      }
      expect(await world.works(told[0] ?? '')).to.equal(true);
      expect(await world.works(first.secret)).to.equal(true);
      expect(await world.events('api_key.rotated', first.key.id)).to.have.length(1);
    });
  });

  describe('revoking', () => {
    it('ends both secrets at once, whatever the overlap', async () => {
      const first = await world.issue();
      const second = await world.manage.rotate(first.key.id, 3600, world.asAda);
      const revoked = await world.manage.revoke(first.key.id, 'found in a log', world.asAda);
      expect(revoked).to.deep.include({ revokedAt: world.clock.atMs, revokeReason: 'found in a log', previous: null });
      expect([await world.works(first.secret), await world.works(second.secret)]).to.deep.equal([false, false]);
      expect(world.announced.at(-1)).to.equal(`key:${first.key.id}`);
    });

    it('again changes nothing and records nothing', async () => {
      const { key } = await world.issue();
      const first = await world.manage.revoke(key.id, 'one', world.asAda);
      world.clock.atMs += 1000;
      expect(await world.manage.revoke(key.id, 'two', world.asAda)).to.deep.equal(first);
      const answers = await parallel(50, () => world.manage.revoke(key.id, 'three', world.asAda));
      for (const answer of answers) expect(answer).to.deep.equal(first);
      expect(await world.events('api_key.revoked', key.id)).to.have.length(1);
    });

    it('is allowed to whoever may see the key, however little else they may do', async () => {
      const { key } = await world.issue({ scopes: ['admin'] });
      const weak = world.actor(world.ada, { id: 'key_weak', scopes: [] });
      expect((await world.manage.revoke(key.id, '', weak)).revokedAt).to.equal(world.clock.atMs);
    });

    it('cannot be undone', async () => {
      const { key } = await world.issue();
      await world.manage.revoke(key.id, 'lost', world.asAda);
      const refusals = await Promise.all(
        [
          world.manage.resume(key.id, world.asAda),
          world.manage.rotate(key.id, 0, world.asAda),
          world.manage.update(key.id, { name: 'x' }, world.asAda),
        ].map(refusalOf),
      );
      for (const { code } of refusals) expect(code).to.equal('conflict');
    });

    it('against rotations and changes at the same moment never leaves a secret that works', async () => {
      for (let round = 0; round < 10; round += 1) {
        const { key, secret } = await world.issue();
        const secrets = [secret];
        const results = await Promise.allSettled(
          Array.from({ length: 50 }, async (_, index) => {
            if (index === 10 + round) await world.manage.revoke(key.id, 'race', world.asAda);
            else if (index % 3 === 0) await world.manage.update(key.id, { name: `name ${index}` }, world.asAda);
            else secrets.push((await world.manage.rotate(key.id, 3600, world.asAda)).secret);
          }),
        );
        expect(results[10 + round]?.status).to.equal('fulfilled');
        for (const each of secrets) expect(await world.works(each)).to.equal(false);
        expect((await world.manage.get(key.id, world.asAda)).revokedAt).not.to.equal(null);
      }
    });
  });

  describe('updating', () => {
    it('changes what is named and leaves the rest', async () => {
      const { key, secret } = await world.issue({ limit: { quota: 5, windowSeconds: 60 } });
      world.clock.atMs += 5000;
      const named = await world.manage.update(key.id, { name: 'Better' }, world.asAda);
      expect(named).to.deep.equal({ ...key, name: 'Better', updatedAt: world.clock.atMs, version: 2 });
      const limited = await world.manage.update(key.id, { limit: null, allowedAddresses: ['10.0.0.0/8'] }, world.asAda);
      expect(limited).to.deep.equal({ ...named, limit: null, allowedAddresses: ['10.0.0.0/8'], version: 3 });
      expect(await world.manage.get(key.id, world.asAda)).to.deep.equal(limited);
      expect(await world.works(secret)).to.equal(true);
      const wrong = { name: '', allowedAddresses: ['home'], limit: { quota: 0, windowSeconds: 1 } };
      expect((await refusalOf(world.manage.update(key.id, wrong, world.asAda))).fields).to.have.length(3);
      expect(await world.manage.update(key.id, {}, world.asAda)).to.deep.equal(limited);
    });

    it('loses none of 20 changes at once', async () => {
      const { key } = await world.issue();
      await parallel(20, (index) => world.manage.update(key.id, { name: `name ${index}` }, world.asAda));
      expect((await world.manage.get(key.id, world.asAda)).version).to.equal(21);
    });

    it('does not let a weak key take the limits of a better one away', async () => {
      const { key } = await world.issue({ scopes: ['admin'], allowedAddresses: ['10.0.0.1'] });
      const weak = world.actor(world.ada, { id: 'key_weak', scopes: ['read'] });
      const attempt = world.manage.update(key.id, { allowedAddresses: [] }, weak);
      expect((await refusalOf(attempt)).code).to.equal('insufficient_scope');
    });
  });

  it('makes the digest anew after a new pepper without losing a revocation', async () => {
    const { key, secret } = await world.issue();
    const sealer = createSealer(['a key-encryption secret of the tests']);
    await addPepper({ store: world.stores.dataKeys, sealer, clock: world.clock, audit: async () => {} });
    await world.peppers.reload();
    const refreshed = refreshDigest(world.digests, key, secret);
    expect(refreshed?.current?.pepperId).to.equal('api-key.2');
    if (refreshed) expect(await world.stores.apiKeys.update(refreshed)).to.equal(true);
    expect(await world.works(secret)).to.equal(true);
    await world.manage.revoke(key.id, 'lost', world.asAda);
    // A process that read the key before the revocation is too late.
    if (refreshed) expect(await world.stores.apiKeys.update({ ...refreshed, version: 2 })).to.equal(false);
    expect(await world.works(secret)).to.equal(false);
  });
});
