import { expect } from 'chai';
import { StoreUnavailableError } from '../../../../src/kit/errors.ts';
import { parallel } from '../../../conformance/parallel.ts';
import { ADA, API, failure, openVault, providerValue, type VaultWorld } from './vault-world.ts';

describe('using a provider key', () => {
  let world: VaultWorld;
  let id: string;
  beforeEach(async () => {
    world = await openVault();
    id = (await world.vault.add({ provider: 'openai', value: providerValue(1), label: 'My office' }, ADA)).key.id;
  });
  afterEach(() => world[Symbol.asyncDispose]());
  const request = { ownerId: ADA.ownerId, provider: 'openai' };
  const used = () => world.stores.audit.list({ type: 'provider_key.used', limit: 100 });

  it('hands out the default, or the one that is named, with how to show it', async () => {
    const other = (await world.vault.add({ provider: 'openai', value: providerValue(2) }, ADA)).key.id;
    const { value, key, provider } = await world.vault.use(request, API);
    expect([value, key.id]).to.deep.equal([providerValue(1), id]);
    expect(provider).to.include({ name: 'openai', header: 'Authorization', scheme: 'Bearer ' });
    expect((await world.vault.use({ ...request, keyId: other }, API)).value).to.equal(providerValue(2));
  });

  it('stands in the audit trail by client and credential, never by value, mask or label', async () => {
    await world.vault.use(request, API);
    await world.vault.use(request, { ...API, credentialId: null });
    const [second, first] = await used();
    expect(first).to.include({ accountId: 'acc_ada', clientId: 'demo-api', ip: '192.0.2.3', requestId: 'req_3' });
    expect(first?.details).to.deep.equal({ keyId: id, provider: 'openai', credentialId: 'key_ada' });
    expect(second?.details).to.deep.equal({ keyId: id, provider: 'openai' });
  });

  it('waits until the audit trail has it', async () => {
    let write = (): void => {};
    const written = new Promise<void>((resolve) => {
      write = resolve;
    });
    let released = false;
    const using = world
      .vaultWith({ audit: () => written })
      .use(request, API)
      .then(() => {
        released = true;
      });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(released).to.equal(false);
    write();
    await using;
    expect(released).to.equal(true);
  });

  it('is refused when the audit trail cannot be written, and so is passing a key on', async () => {
    const vault = world.vaultWith({
      audit: () => Promise.reject(new StoreUnavailableError('database', new Error('disk full'))),
    });
    await failure(vault.use(request, API), 'temporarily_unavailable');
    await failure(vault.passThrough({ ...request, value: providerValue(2) }, API), 'temporarily_unavailable');
    expect(await used()).to.deep.equal([]);
  });

  it('is remembered at most once a minute', async () => {
    const touched: number[] = [];
    const vault = world.vaultWith({
      store: {
        ...world.stores.providerKeys,
        touch(key, atMs) {
          touched.push(atMs);
          return world.stores.providerKeys.touch(key, atMs);
        },
      },
    });
    const start = world.clock.ms;
    for (const seconds of [0, 1, 59, 60, 61, 119, 120]) {
      world.clock.ms = start + seconds * 1000;
      await vault.use(request, API);
    }
    expect(touched.map((atMs) => (atMs - start) / 1000)).to.deep.equal([0, 60, 120]);
    expect((await world.vault.get(id, ADA)).lastUsedAt).to.equal(start + 120_000);
  });

  it('by 50 at once is 50 events and one value', async () => {
    const values = await parallel(50, async () => (await world.vault.use(request, API)).value);
    expect(new Set(values)).to.deep.equal(new Set([providerValue(1)]));
    expect(await used()).to.have.length(50);
  });

  it('ends with the key: nothing is kept in memory', async () => {
    await world.vault.use(request, API);
    await world.stores.providerKeys.remove(ADA.ownerId, id);
    await failure(world.vault.use(request, API), 'provider_key_missing');
  });

  it('says which provider has no key, and nothing about keys of others', async () => {
    const missing = await failure(world.vault.use({ ...request, provider: 'xai' }, API), 'provider_key_missing');
    expect(missing.public).to.equal('No API key configured for provider: xai');
    expect(missing.facts).to.deep.equal({ provider: 'xai' });
    // Of another provider than asked for: its value must not go there.
    await failure(world.vault.use({ ...request, provider: 'xai', keyId: id }, API), 'provider_key_missing');
    await failure(world.vault.use({ ...request, keyId: 'pvk_unknown' }, API), 'provider_key_missing');
    await failure(world.vault.use({ ...request, provider: 'nobody' }, API), 'not_found');
    expect(await used()).to.deep.equal([]);
  });
});

describe('passing on a provider key that came with the request', () => {
  let world: VaultWorld;
  before(async () => {
    world = await openVault();
  });
  after(() => world[Symbol.asyncDispose]());
  const request = { ownerId: ADA.ownerId, provider: 'openai', value: providerValue(1) };

  it('is audited like a use, and stores nothing', async () => {
    const { mask, fingerprint, provider } = await world.vault.passThrough(request, API);
    expect([mask, provider.name]).to.deep.equal(['sk-proj-…nd0m', 'openai']);
    expect(await world.vault.list(ADA)).to.deep.equal([]);
    const [event] = await world.stores.audit.list({ limit: 10 });
    expect(event).to.include({ type: 'provider_key.passed_through', accountId: 'acc_ada', clientId: 'demo-api' });
    expect(event?.details).to.deep.equal({ provider: 'openai', credentialId: 'key_ada' });
    const { key } = await world.vault.add({ provider: 'openai', value: providerValue(1) }, ADA);
    expect(key.fingerprint).to.equal(fingerprint);
  });

  it('is refused for a provider nobody knows and for what cannot be a key', async () => {
    await failure(world.vault.passThrough({ ...request, provider: 'nobody' }, API), 'not_found');
    const { facts } = await failure(
      world.vault.passThrough({ ...request, value: `${providerValue(1)}\r\nX-Evil: 1` }, API),
      'invalid_request',
    );
    expect(facts.fields?.map(({ field }) => field)).to.deep.equal(['value']);
  });
});
