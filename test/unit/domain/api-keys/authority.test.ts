import { expect } from 'chai';
import type { ApiKey } from '../../../../src/domain/api-keys/api-key.ts';
import { boundsBeyond, createAuthorityOf } from '../../../../src/domain/api-keys/authority.ts';
import { createKeyScopes } from '../../../../src/domain/api-keys/key-scopes.ts';
import { parallel } from '../../../conformance/parallel.ts';
import { createWorld, DAY_MS, refusalOf, SCOPES, type World } from './world.ts';

const BOUND = {
  scopes: ['admin', 'write', 'read'],
  expiresInDays: 1,
  allowedAddresses: ['10.0.0.0/8', '2001:db8::/32'],
  limit: { quota: 5, windowSeconds: 3600 },
};
/** Each is wider than BOUND in one thing only. */
const WIDER: Readonly<Record<string, object>> = {
  expires_at: { ...BOUND, expiresInDays: 2 },
  allowed_addresses: { ...BOUND, allowedAddresses: ['10.0.0.0/7'] },
  limit: { ...BOUND, limit: { quota: 6, windowSeconds: 3600 } },
};

describe('no more than the actor has: a bounded key', () => {
  let world: World;
  let bounded: ApiKey;
  before(async () => {
    world = await createWorld();
  });
  beforeEach(async () => {
    bounded = (await world.issue(BOUND)).key;
  });
  after(() => world.close());
  const by = (key: ApiKey) => world.actor(world.ada, { id: key.id, keyId: key.id, scopes: key.scopes });
  const asApp = () => world.actor(world.ada, { id: 'cli_app', isApp: true, scopes: ['admin', 'write', 'read'] });

  it('gets no secret of a key that is wider in anything, and one of its equals', async () => {
    for (const [name, given] of Object.entries({ ...WIDER, 'all of them': {} })) {
      const { key, secret } = await world.issue(given);
      const refusal = await refusalOf(world.manage.rotate(key.id, 0, by(bounded)));
      expect(refusal.code, name).to.equal('insufficient_scope');
      if (name in WIDER) expect(refusal.text).to.match(new RegExp(`Beyond it: ${name}\\.$`));
      expect(await world.works(secret), name).to.equal(true);
    }
    const equal = await world.issue(BOUND);
    expect(await world.works((await world.manage.rotate(equal.key.id, 0, by(bounded))).secret)).to.equal(true);
    expect(await world.works((await world.manage.rotate(bounded.id, 0, by(bounded))).secret)).to.equal(true);
  });

  it('makes a key with no more, whatever it asks for', async () => {
    const { key } = await world.issue({}, by(bounded));
    expect(key).to.deep.include({
      ...{ expiresAt: bounded.expiresAt, allowedAddresses: bounded.allowedAddresses, limit: bounded.limit },
      createdBy: bounded.id,
    });
    const tooMuch: [object, string][] = [
      [{ expiresInDays: 2 }, 'expires_in_days'],
      [{ expiresAt: Math.floor((world.clock.atMs + 2 * DAY_MS) / 1000) }, 'expires_at'],
      [{ allowedAddresses: ['10.0.0.0/7'] }, 'allowed_addresses'],
      [{ allowedAddresses: ['10.1.0.0/16', '0.0.0.0/0'] }, 'allowed_addresses'],
      [{ allowedAddresses: ['::/0'] }, 'allowed_addresses'],
      [{ allowedAddresses: ['::ffff:0:0/96'] }, 'allowed_addresses'],
      // The same rate, and a burst of a day at once.
      [{ limit: { quota: 120, windowSeconds: 86_400 } }, 'limit'],
      // The same quota, and twice as often.
      [{ limit: { quota: 5, windowSeconds: 1800 } }, 'limit'],
    ];
    for (const [given, field] of tooMuch) {
      const { code, fields } = await refusalOf(world.issue(given, by(bounded)));
      expect({ code, fields }, JSON.stringify(given)).to.deep.equal({ code: 'invalid_request', fields: [field] });
    }
    const narrower = {
      ...{ expiresAt: Math.floor(world.clock.atMs / 1000) + 60, limit: { quota: 1, windowSeconds: 7200 } },
      allowedAddresses: ['10.1.2.3', '::ffff:10.2.0.0/112', '2001:db8:1::/48'],
    };
    expect((await world.issue(narrower, by(bounded))).key.allowedAddresses).to.have.length(3);
  });

  it('holds two halves of a network for the whole of it', async () => {
    const halves = (await world.issue({ ...BOUND, allowedAddresses: ['10.0.0.0/9', '10.128.0.0/9'] })).key;
    expect((await world.issue({ allowedAddresses: ['10.0.0.0/8'] }, by(halves))).key.id).to.match(/^key_/);
    const gap = (await world.issue({ ...BOUND, allowedAddresses: ['10.0.0.0/9', '10.192.0.0/10'] })).key;
    expect((await refusalOf(world.issue({ allowedAddresses: ['10.0.0.0/8'] }, by(gap)))).fields).to.deep.equal([
      'allowed_addresses',
    ]);
  });

  it('widens no key: neither its maker, nor what it made, nor a sibling', async () => {
    const child = (await world.issue({ scopes: ['admin'] }, by(bounded))).key;
    const sibling = (await world.issue(BOUND)).key;
    for (const [actor, id] of [
      [child, bounded.id],
      [bounded, child.id],
      [bounded, sibling.id],
    ] as const) {
      for (const change of [
        { limit: null },
        { limit: { quota: 6, windowSeconds: 3600 } },
        { limit: { quota: 5, windowSeconds: 60 } },
        { allowedAddresses: [] },
        { allowedAddresses: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1'] },
        // Tighter in one thing does not buy more of another.
        { limit: { quota: 1, windowSeconds: 3600 }, allowedAddresses: [] },
      ]) {
        const { code } = await refusalOf(world.manage.update(id, change, by(actor)));
        expect(code, JSON.stringify(change)).to.equal('insufficient_scope');
      }
    }
    expect(await world.manage.get(bounded.id, world.asAda)).to.deep.equal(bounded);
  });

  it('narrows a key, and widens one again as far as it goes itself', async () => {
    const child = (await world.issue({ scopes: ['read'] }, by(bounded))).key;
    const tight = { limit: { quota: 1, windowSeconds: 3600 }, allowedAddresses: ['10.0.0.1'] };
    expect(await world.manage.update(child.id, tight, by(bounded))).to.deep.include(tight);
    const wide = { limit: bounded.limit, allowedAddresses: ['10.0.0.0/8'] };
    expect(await world.manage.update(child.id, wide, by(bounded))).to.deep.include(wide);
  });

  it('is beyond by what has no end, no address or no limit where it has one itself', () => {
    const own = { expiresAt: 1000, allowedAddresses: ['10.0.0.1'], limit: { quota: 1, windowSeconds: 60 } };
    const free = { expiresAt: null, allowedAddresses: [], limit: null };
    expect(boundsBeyond(own, own)).to.deep.equal([]);
    expect(boundsBeyond(own, free)).to.deep.equal([]);
    expect(boundsBeyond(free, own)).to.deep.equal(['expires_at', 'allowed_addresses', 'limit']);
    for (const [name, value] of Object.entries(free)) {
      expect(boundsBeyond({ ...own, [name]: value }, own), name).to.have.length(1);
    }
  });

  it('gets no secret of a key that never ends', async () => {
    const { key, secret } = await world.issue(BOUND);
    await world.stores.apiKeys.update({ ...key, expiresAt: null });
    const refusal = await refusalOf(world.manage.rotate(key.id, 0, by(bounded)));
    expect(refusal.text).to.match(/Beyond it: expires_at\.$/);
    expect(await world.works(secret)).to.equal(true);
  });

  it('hands on nothing of another environment than its own', async () => {
    const of = createAuthorityOf({
      apiKeys: world.stores.apiKeys,
      keyScopes: createKeyScopes({ scopes: SCOPES, defaultScopes: ['read'] }),
      clock: world.clock,
    });
    const { requireWithin } = await of({ ...by(bounded), environment: bounded.environment });
    requireWithin(bounded, world.ada);
    expect(() => requireWithin({ ...bounded, environment: 'test' }, world.ada)).to.throw(/Beyond it: environment\.$/);
  });

  it('ends no suspension of a wider key', async () => {
    const { key, secret } = await world.issue();
    await world.stores.apiKeys.update({ ...key, suspendedAt: world.clock.atMs });
    expect((await refusalOf(world.manage.resume(key.id, by(bounded)))).code).to.equal('insufficient_scope');
    expect(await world.works(secret)).to.equal(false);
  });

  it('is measured as it is now: bounded after it made a key, it is told that secret no more', async () => {
    const wide = (await world.issue({ scopes: BOUND.scopes })).key;
    const once = { idempotencyKey: 'again', content: '{}' };
    const ask = () => world.manage.issue({ name: 'Child' }, by(wide), once);
    const first = await ask();
    expect((await ask()).secret).to.equal(first.secret);
    const rotation = () => world.manage.rotate(first.key.id, 0, by(wide), once);
    await rotation();
    await world.manage.update(wide.id, { limit: { quota: 1, windowSeconds: 60 } }, world.asAda);
    expect((await refusalOf(ask())).code).to.equal('insufficient_scope');
    expect((await refusalOf(rotation())).code).to.equal('insufficient_scope');
  });

  it('that has ended since it was let in does nothing', async () => {
    const actor = by(bounded);
    await world.manage.revoke(bounded.id, 'stolen', world.asAda);
    const sibling = (await world.issue(BOUND)).key;
    const attempts = [
      world.issue({}, actor),
      world.manage.rotate(sibling.id, 0, actor),
      world.manage.update(sibling.id, { limit: BOUND.limit }, actor),
    ];
    for (const { code } of await Promise.all(attempts.map(refusalOf))) expect(code).to.equal('unauthenticated');
  });

  it('makes nothing wider once its own bounds are tighter, at whatever moment of 50 creations they change', async () => {
    const wide = (await world.issue({ scopes: BOUND.scopes })).key;
    const children = async () =>
      (await world.stores.apiKeys.listMadeByOthers(world.ada.id)).filter(({ createdBy }) => createdBy === wide.id);
    let seen = Number.NaN;
    const made = await parallel(51, async (index) => {
      if (index !== 20) return world.issue({}, by(wide)).then(({ key }) => key);
      await world.manage.update(wide.id, { limit: { quota: 2, windowSeconds: 60 } }, world.asAda);
      seen = (await children()).length;
      return null;
    });
    const unlimited = made.filter((key) => key?.limit === null);
    expect(await children()).to.have.length(50);
    expect(unlimited.length).to.be.at.most(seen);
  });

  it('leaves no secret behind when it is ended with what it made, at whatever moment of 50 rotations', async () => {
    const thief = (await world.issue({ scopes: BOUND.scopes })).key;
    const siblings = await Promise.all(Array.from({ length: 50 }, () => world.issue({ scopes: ['read'] })));
    const rotate = (id: string) =>
      world.manage.rotate(id, 0, by(thief)).then(
        ({ secret }) => secret,
        () => null,
      );
    const secrets = await parallel(51, async (index) => {
      const sibling = siblings[index];
      if (!sibling) return null;
      if (index !== 20) return rotate(sibling.key.id);
      await world.manage.revokeFamily(thief.id, 'stolen', world.asAda);
      return null;
    });
    for (const secret of secrets) if (secret) expect(await world.works(secret)).to.equal(false);
  });

  describe('an app', () => {
    it('takes bounds away from no key, gets no secret and resumes nothing', async () => {
      const { key } = await world.issue(BOUND);
      for (const attempt of [
        world.manage.update(key.id, { limit: null }, asApp()),
        world.manage.update(key.id, { allowedAddresses: [] }, asApp()),
        world.manage.update(key.id, { limit: { quota: 6, windowSeconds: 3600 } }, asApp()),
        world.manage.rotate(key.id, 0, asApp()),
        world.issue({}, asApp()),
      ]) {
        expect((await refusalOf(attempt)).code).to.equal('insufficient_scope');
      }
    });

    it('makes a key tighter, and renames it', async () => {
      const { key } = await world.issue(BOUND);
      const tight = { name: 'Tighter', limit: { quota: 4, windowSeconds: 3600 }, allowedAddresses: ['10.1.0.0/16'] };
      expect(await world.manage.update(key.id, tight, asApp())).to.deep.include(tight);
    });
  });

  it('binds neither a person who signed in nor an operator', async () => {
    const operator = world.actor(world.ada, { id: 'operator', scopes: null });
    for (const actor of [world.asAda, operator]) {
      const { key } = await world.issue(BOUND);
      expect(await world.manage.update(key.id, { limit: null, allowedAddresses: [] }, actor)).to.deep.include({
        ...{ limit: null, allowedAddresses: [] },
      });
      expect(await world.works((await world.manage.rotate(key.id, 0, actor)).secret)).to.equal(true);
    }
  });
});
