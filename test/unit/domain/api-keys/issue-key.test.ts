import { expect } from 'chai';
import { parallel } from '../../../conformance/parallel.ts';
import { createWorld, DAY_MS, refusalOf, type World } from './world.ts';

describe('issuing an API key', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());

  it('shows the key once and stores nothing that opens it', async () => {
    const { key, secret, repeated } = await world.issue({ name: 'Robot', environment: 'test' });
    expect(repeated).to.equal(false);
    expect(world.format.parse(secret)).to.deep.equal({ id: key.id, environment: 'test' });
    expect(secret.slice(-4)).to.equal(key.lastFour);
    const stored = await world.stores.apiKeys.find(key.id);
    expect(stored?.key).to.deep.equal(key);
    expect(stored?.owner.id).to.equal(world.ada.id);
    const [event] = await world.events('api_key.created');
    expect(event).to.deep.equal({
      ...{ accountId: world.ada.id, keyId: key.id, name: 'Robot', by: world.ada.id, environment: 'test' },
    });
    const everything = JSON.stringify([stored, await world.stores.audit.list({ limit: 100 })]);
    expect(everything).not.to.include(secret.slice(-38, -6));
    expect(world.announced).to.include(`key:${key.id}`);
    expect(await world.works(secret)).to.equal(true);
  });

  it('gives what is usual: the first environment, an end, a namespace of its own', async () => {
    const { key } = await world.issue();
    expect(key).to.deep.include({ environment: 'live', scopes: ['read', 'write'], allowedAddresses: [], limit: null });
    expect(key).to.deep.include({ expiresAt: world.clock.atMs + 365 * DAY_MS, createdBy: world.ada.id, version: 1 });
    expect(key.namespace).to.match(/^ns_[0-9A-Za-z]{22}$/);
    expect((await world.issue()).key.namespace).not.to.equal(key.namespace);
    const shared = await world.issue({ namespace: key.namespace });
    expect(shared.key.namespace).to.equal(key.namespace);
  });

  it('takes an end in days or as a time', async () => {
    expect((await world.issue({ expiresInDays: 7 })).key.expiresAt).to.equal(world.clock.atMs + 7 * DAY_MS);
    const inAnHour = Math.floor(world.clock.atMs / 1000) + 3600;
    expect((await world.issue({ expiresAt: inAnHour })).key.expiresAt).to.equal(inAnHour * 1000);
  });

  it('makes keys without an end only where the operator wants that', async () => {
    const lasting = await createWorld({ lifetimeSeconds: null });
    expect((await lasting.issue()).key.expiresAt).to.equal(null);
    await lasting.close();
  });

  it('names every wrong field, as the JSON API calls it', async () => {
    const refusal = await refusalOf(
      world.issue({
        name: ' ',
        environment: 'staging',
        scopes: ['read', 'rule'],
        expiresInDays: 0,
        allowedAddresses: ['10.0.0.0/8', 'home'],
        namespace: 'ns_of_someone',
        limit: { quota: 0, windowSeconds: 60 },
      }),
    );
    expect(refusal.code).to.equal('invalid_request');
    expect(refusal.fields).to.have.members([
      ...['name', 'environment', 'scopes', 'expires_in_days', 'allowed_addresses', 'namespace', 'limit'],
    ]);
  });

  it('refuses what is out of bounds', async () => {
    const nowSeconds = Math.floor(world.clock.atMs / 1000);
    const wrong: [object, string][] = [
      [{ name: '' }, 'name'],
      [{ name: 'x'.repeat(121) }, 'name'],
      [{ name: 'two\nlines' }, 'name'],
      [{ name: '\ud83d' }, 'name'],
      [{ expiresInDays: 3651 }, 'expires_in_days'],
      [{ expiresInDays: 1.5 }, 'expires_in_days'],
      [{ expiresInDays: 7, expiresAt: nowSeconds + 60 }, 'expires_at'],
      [{ expiresAt: nowSeconds }, 'expires_at'],
      [{ expiresAt: nowSeconds + 3651 * 86_400 }, 'expires_at'],
      [{ allowedAddresses: Array.from({ length: 51 }, () => '10.0.0.1') }, 'allowed_addresses'],
      [{ limit: { quota: 1e9 + 1, windowSeconds: 60 } }, 'limit'],
      [{ limit: { quota: 10, windowSeconds: 86_401 } }, 'limit'],
      [{ limit: { quota: Number.NaN, windowSeconds: 60 } }, 'limit'],
      [{ environment: 'toString' }, 'environment'],
    ];
    for (const [change, field] of wrong) {
      const { code, fields } = await refusalOf(world.issue(change));
      expect({ code, fields }, JSON.stringify(change)).to.deep.equal({ code: 'invalid_request', fields: [field] });
    }
    // The bounds themselves are good.
    await world.issue({ name: 'x'.repeat(120), expiresInDays: 3650, limit: { quota: 1e9, windowSeconds: 86_400 } });
  });

  it('uses no namespace of another owner', async () => {
    const { key } = await world.issue();
    expect((await refusalOf(world.issue({ namespace: key.namespace }, world.asGrace))).fields).to.deep.equal([
      'namespace',
    ]);
  });

  it('never gives more than the owner has', async () => {
    const operator = world.actor(world.grace, { scopes: null, id: 'operator' });
    const refusal = await refusalOf(world.issue({ scopes: ['read', 'admin'] }, operator));
    expect(refusal).to.include({ code: 'insufficient_scope', scope: 'admin' });
    // What a scope of the owner includes is the owner's too.
    expect((await world.issue({ scopes: ['read'] }, operator)).key.scopes).to.deep.equal(['read']);
    for (const by of [world.asAda, world.actor(world.ada, { scopes: null })]) {
      expect(await refusalOf(world.issue({ scopes: ['keys:verify'] }, by))).to.include({
        ...{ code: 'insufficient_scope', scope: 'keys:verify' },
      });
    }
  });

  it('never gives more than whoever makes it has', async () => {
    const reader = world.actor(world.ada, { id: 'key_reader', scopes: ['read'] });
    expect(await refusalOf(world.issue({ scopes: ['read', 'write', 'admin'] }, reader))).to.include({
      ...{ code: 'insufficient_scope', scope: 'write admin' },
    });
    const { key } = await world.issue({}, reader);
    expect(key).to.deep.include({ scopes: ['read'], createdBy: 'key_reader' });
  });

  it('lets a key make and see keys of its own environment only', async () => {
    const { key: live } = await world.issue({ environment: 'live' });
    const byTestKey = world.actor(world.ada, { id: 'key_test', environment: 'test' });
    expect((await world.issue({}, byTestKey)).key.environment).to.equal('test');
    expect((await refusalOf(world.issue({ environment: 'live' }, byTestKey))).code).to.equal('insufficient_scope');
    const refusals = await Promise.all(
      [
        world.manage.get(live.id, byTestKey),
        world.manage.revoke(live.id, 'mine', byTestKey),
        world.manage.rotate(live.id, 0, byTestKey),
        world.manage.update(live.id, { name: 'x' }, byTestKey),
        world.manage.resume(live.id, byTestKey),
      ].map(refusalOf),
    );
    for (const { code } of refusals) expect(code).to.equal('not_found');
    const seen = await world.manage.list({ limit: 100 }, byTestKey);
    expect(new Set(seen.map(({ environment }) => environment))).to.deep.equal(new Set(['test']));
    expect(await world.manage.list({ environment: 'live', limit: 100 }, byTestKey)).to.deep.equal([]);
  });

  it('shows nobody the keys of another owner', async () => {
    const { key } = await world.issue();
    const refusals = await Promise.all(
      [
        world.manage.get(key.id, world.asGrace),
        world.manage.revoke(key.id, 'not mine', world.asGrace),
        world.manage.rotate(key.id, 0, world.asGrace),
        world.manage.update(key.id, { name: 'x' }, world.asGrace),
      ].map(refusalOf),
    );
    for (const { code } of refusals) expect(code).to.equal('not_found');
    expect((await world.manage.list({ limit: 100 }, world.asGrace)).map(({ id }) => id)).not.to.include(key.id);
    expect(await world.manage.get(key.id, world.asAda)).to.deep.equal(key);
  });

  it('makes no key for an account that is disabled or unknown', async () => {
    const late = await createWorld();
    await late.stores.accounts.update(late.grace.id, { disabledAt: late.clock.atMs }, late.clock.atMs);
    expect((await refusalOf(late.issue({}, late.asGrace))).code).to.equal('conflict');
    expect((await refusalOf(late.issue({}, { ...late.asAda, ownerId: 'acc_nobody' }))).code).to.equal('not_found');
    await late.close();
  });
});

describe('issuing an API key under an Idempotency-Key', () => {
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world.close());
  const once = (idempotencyKey: string, content = '{"name":"My key"}') => ({ idempotencyKey, content });
  const issue = (idempotencyKey: string, content?: string, by = world.asAda) =>
    world.manage.issue({ name: 'My key' }, by, once(idempotencyKey, content));

  it('makes one key for 50 requests at once, and tells all of them its secret', async () => {
    const answers = await parallel(50, () => issue('at-once'));
    expect(new Set(answers.map(({ secret }) => secret)).size).to.equal(1);
    expect(answers.filter(({ repeated }) => !repeated)).to.have.length(1);
    expect(await world.manage.list({ limit: 100 }, world.asAda)).to.have.length(1);
    expect(await world.works(answers[0]?.secret ?? '')).to.equal(true);
  });

  it('refuses other content under the same key', async () => {
    await issue('once');
    expect((await refusalOf(issue('once', '{"name":"Another"}'))).code).to.equal('idempotency_mismatch');
  });

  it('tells the answer to nobody else: other owners, keys and environments have their own', async () => {
    const first = await issue('shared');
    for (const by of [
      world.asGrace,
      world.actor(world.ada, { id: 'key_another' }),
      world.actor(world.ada, { environment: 'live' }),
    ]) {
      const other = await issue('shared', undefined, by);
      expect(other.repeated).to.equal(false);
      expect(other.key.id).not.to.equal(first.key.id);
    }
  });

  it('tells the answer no more to whoever has lost a scope of the key', async () => {
    await issue('rights');
    const fewer = world.actor(world.ada, { scopes: ['read'] });
    expect((await refusalOf(issue('rights', undefined, fewer))).code).to.equal('insufficient_scope');
  });

  it('keeps the answer sealed, and nowhere the Idempotency-Key that opens it', async () => {
    const stored: string[] = [];
    const { secret } = await issue('sealed-answer');
    const find = world.stores.idempotentRequests.find;
    world.stores.idempotentRequests.find = async (id) => {
      const request = await find(id);
      stored.push(JSON.stringify(request));
      return request;
    };
    expect((await issue('sealed-answer')).secret).to.equal(secret);
    world.stores.idempotentRequests.find = find;
    expect(stored).to.have.length(1);
    expect(stored[0]).to.include('sealedAnswer').and.not.to.include(secret).and.not.to.include('sealed-answer');
  });

  it('forgets a request after a day', async () => {
    const first = await issue('yesterday');
    world.clock.atMs += 86_400_000;
    const second = await issue('yesterday');
    expect(second.repeated).to.equal(false);
    expect(second.key.id).not.to.equal(first.key.id);
  });

  it('takes 1 to 255 printable ASCII characters for a key', async () => {
    for (const bad of ['', 'x'.repeat(256), 'tab\t', 'é', '\n']) {
      expect((await refusalOf(issue(bad))).code, JSON.stringify(bad)).to.equal('invalid_request');
    }
    await issue('x'.repeat(255));
  });
});
