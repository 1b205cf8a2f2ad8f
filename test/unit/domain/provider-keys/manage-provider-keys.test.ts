import { expect } from 'chai';
import { parallel } from '../../../conformance/parallel.ts';
import {
  ADA,
  API,
  BOB,
  failure,
  NEW,
  OLD,
  openVault,
  providerValue,
  ringOf,
  settled,
  type VaultWorld,
} from './vault-world.ts';

describe('the provider keys of an owner', () => {
  let world: VaultWorld;
  let id: string;
  beforeEach(async () => {
    world = await openVault();
    id = (await world.vault.add({ provider: 'openai', value: providerValue(1), label: 'First' }, ADA)).key.id;
  });
  afterEach(() => world[Symbol.asyncDispose]());
  const use = async (vault = world.vault): Promise<string> =>
    (await vault.use({ ownerId: ADA.ownerId, provider: 'openai' }, API)).value;

  it('are nobody else’s: not to see, change, choose, remove or use', async () => {
    const before = await world.row(id);
    const { vault } = world;
    expect(await vault.list(BOB)).to.deep.equal([]);
    await failure(vault.get(id, BOB), 'not_found');
    await failure(vault.update(id, { value: providerValue(2) }, BOB), 'not_found');
    await failure(vault.makeDefault(id, BOB), 'not_found');
    await failure(vault.remove(id, BOB), 'not_found');
    await failure(vault.use({ ownerId: BOB.ownerId, provider: 'openai', keyId: id }, API), 'provider_key_missing');
    expect(await world.row(id)).to.deep.equal(before);
  });

  it('get a new value, which serves at once', async () => {
    world.clock.ms += 1000;
    const { key } = await world.vault.update(id, { value: providerValue(2) }, ADA);
    expect(key).to.include({ id, version: 2, label: 'First', updatedAt: world.clock.ms, isDefault: true });
    expect(key.createdAt).to.equal(world.clock.ms - 1000);
    expect(await use()).to.equal(providerValue(2));
    const [event] = await world.stores.audit.list({ type: 'provider_key.updated', limit: 1 });
    expect(event?.details).to.deep.equal({ keyId: id, provider: 'openai', by: 'acc_ada', change: 'value' });
  });

  it('get a new label, and the value stays', async () => {
    world.clock.ms += 1000;
    const { key, checked } = await world.vault.update(id, { label: 'Second' }, ADA);
    expect([key.label, key.updatedAt, checked]).to.deep.equal(['Second', world.clock.ms - 1000, false]);
    expect(await use()).to.equal(providerValue(1));
  });

  it('keep the wrapping that a rotation gave them while their label changed', async () => {
    const ring = ringOf(NEW, OLD);
    const { providerKeys } = world.stores;
    const vault = world.vaultWith({
      ring,
      store: {
        ...providerKeys,
        // Between reading and writing, everything gets under the new secret.
        async replace(key, before) {
          const { rewrapped } = await import('../../../../src/domain/provider-keys/envelope.ts');
          const row = await world.row(id);
          expect(await providerKeys.rewrap(id, row.wrappedKey, rewrapped(row, ring))).to.equal(true);
          return providerKeys.replace(key, before);
        },
      },
    });
    await vault.update(id, { label: 'Second' }, ADA);
    expect((await world.row(id)).wrappedBy).to.equal(ring.currentId);
    expect(await use(world.vaultWith({ ring: ringOf(NEW) }))).to.equal(providerValue(1));
  });

  it('refuse a change that changes nothing, is wrong, or doubles another key', async () => {
    await world.vault.add({ provider: 'openai', value: providerValue(2), label: 'Other' }, ADA);
    const before = await world.row(id);
    await failure(world.vault.update(id, {}, ADA), 'invalid_request');
    await failure(world.vault.update(id, { value: 'short' }, ADA), 'invalid_request');
    await failure(world.vault.update(id, { label: '' }, ADA), 'invalid_request');
    expect((await failure(world.vault.update(id, { value: providerValue(2) }, ADA), 'conflict')).public).to.include(
      '"Other"',
    );
    const refusing = world.vaultWith({ checkKey: async () => 'refused' });
    await failure(refusing.update(id, { value: providerValue(3) }, ADA), 'provider_key_refused');
    expect(await world.row(id)).to.deep.equal(before);
    expect((await world.vault.update(id, { value: providerValue(1) }, ADA)).key.version).to.equal(2);
  });

  it('take one change after the other: of 50 at once each is made or told to start again', async () => {
    const { done, codes } = await settled(
      Array.from({ length: 50 }, (_, index) => world.vault.update(id, { value: providerValue(100 + index) }, ADA)),
    );
    expect(done.length + codes.length).to.equal(50);
    expect(new Set(codes)).to.deep.equal(new Set(codes.length > 0 ? ['conflict'] : []));
    expect((await world.row(id)).version).to.equal(1 + done.length);
    const last = done.find(({ key }) => key.version === 1 + done.length);
    expect((await world.vault.get(id, ADA)).fingerprint).to.equal(last?.key.fingerprint);
    expect(await use()).to.match(/^sk-proj-01/);
  });

  it('have one default for each provider, whatever is chosen at once', async () => {
    const ids = [id];
    for (let number = 2; number <= 10; number += 1)
      ids.push((await world.vault.add({ provider: 'openai', value: providerValue(number) }, ADA)).key.id);
    await parallel(50, (index) => world.vault.makeDefault(ids[index % ids.length] as string, ADA));
    const defaults = (await world.vault.list(ADA)).filter(({ isDefault }) => isDefault);
    expect(defaults).to.have.length(1);
    const chosen = await world.vault.makeDefault(ids[4] as string, ADA);
    expect(chosen).to.include({ id: ids[4], isDefault: true });
    expect(await use()).to.equal(providerValue(5));
  });

  it('are gone when they are removed, and the oldest other one serves instead', async () => {
    await world.vault.add({ provider: 'openai', value: providerValue(2) }, ADA);
    await world.vault.remove(id, ADA);
    await failure(world.vault.get(id, ADA), 'not_found');
    await failure(world.vault.remove(id, ADA), 'not_found');
    expect(await use()).to.equal(providerValue(2));
    const [event] = await world.stores.audit.list({ type: 'provider_key.removed', limit: 1 });
    expect(event?.details).to.deep.equal({ keyId: id, provider: 'openai', by: 'acc_ada' });
  });
});

describe('a provider key that the ring does not open', () => {
  let world: VaultWorld;
  let id: string;
  beforeEach(async () => {
    world = await openVault();
    id = (await world.vault.add({ provider: 'openai', value: providerValue(1) }, ADA)).key.id;
  });
  afterEach(() => world[Symbol.asyncDispose]());
  const request = { ownerId: ADA.ownerId, provider: 'openai' };

  it('is listed as one to enter again, is never an empty value and never overwritten', async () => {
    const vault = world.vaultWith({ ring: ringOf(NEW) });
    const before = await world.row(id);
    expect((await vault.list(ADA)).map(({ state }) => state)).to.deep.equal(['needs-re-entry']);
    expect((await vault.get(id, ADA)).state).to.equal('needs-re-entry');
    const { facts } = await failure(vault.use(request, API), 'provider_key_unreadable');
    expect(facts.provider).to.equal('openai');
    await failure(vault.update(id, { label: 'Other' }, ADA), 'provider_key_unreadable');
    expect(await world.row(id)).to.deep.equal(before);
    expect(await world.stores.audit.list({ type: 'provider_key.used', limit: 1 })).to.deep.equal([]);
    // The ring with its secret opens it still.
    expect((await world.vaultWith({ ring: ringOf(NEW, OLD) }).use(request, API)).value).to.equal(providerValue(1));
  });

  it('is repaired by entering it again, the same value or another', async () => {
    const vault = world.vaultWith({ ring: ringOf(NEW) });
    expect((await vault.update(id, { value: providerValue(1) }, ADA)).key.state).to.equal('usable');
    expect((await vault.use(request, API)).value).to.equal(providerValue(1));
  });

  it('may be one whose row was damaged', async () => {
    const { providerKeys } = world.stores;
    const row = await world.row(id);
    await providerKeys.replace({ ...row, sealedValue: '' }, row.version);
    expect((await world.vault.get(id, ADA)).state).to.equal('needs-re-entry');
    await failure(world.vault.use(request, API), 'provider_key_unreadable');
    await world.vault.remove(id, ADA);
  });
});
