import { expect } from 'chai';
import { parallel } from '../../../conformance/parallel.ts';
import { ADA, BOB, failure, openVault, providerValue, settled, type VaultWorld } from './vault-world.ts';

describe('a provider key that is stored', () => {
  let world: VaultWorld;
  beforeEach(async () => {
    world = await openVault();
  });
  afterEach(() => world[Symbol.asyncDispose]());
  const add = (number: number, more: { provider?: string; label?: string; makeDefault?: boolean } = {}, actor = ADA) =>
    world.vault.add({ provider: 'openai', value: providerValue(number), ...more }, actor);

  it('is shown without its value and without what it is sealed in', async () => {
    const { key, checked } = await add(1);
    expect(checked).to.equal(false);
    const { id, fingerprint, ...rest } = key;
    expect(id).to.match(/^pvk_\w{22}$/);
    expect(fingerprint).to.match(/^[\w-]{16}$/);
    expect(rest).to.deep.equal({
      provider: 'openai',
      label: 'OpenAI',
      version: 1,
      mask: 'sk-proj-…nd0m',
      isDefault: true,
      createdAt: world.clock.ms,
      updatedAt: world.clock.ms,
      lastUsedAt: null,
      state: 'usable',
    });
    expect(await world.vault.list(ADA)).to.deep.equal([key]);
    expect(await world.vault.get(id, ADA)).to.deep.equal(key);
  });

  it('stands in the audit trail by id and provider, never by value, mask or label', async () => {
    const { key } = await add(1, { label: 'My office' });
    const [event, ...more] = await world.stores.audit.list({ limit: 10 });
    expect(more).to.deep.equal([]);
    expect(event).to.include({ type: 'provider_key.added', accountId: 'acc_ada', ip: '192.0.2.1', requestId: 'req_1' });
    expect(event?.details).to.deep.equal({ keyId: key.id, provider: 'openai', by: 'acc_ada' });
  });

  it('becomes the default of its provider when it is the first, or says so', async () => {
    const first = await add(1);
    const second = await add(2);
    expect([first.key.isDefault, second.key.isDefault]).to.deep.equal([true, false]);
    expect((await add(3, { provider: 'xai' })).key.isDefault).to.equal(true);
    expect((await add(4, { makeDefault: true })).key.isDefault).to.equal(true);
    const defaults = (await world.vault.list(ADA)).filter(({ isDefault }) => isDefault);
    expect(defaults.map(({ provider }) => provider)).to.deep.equal(['openai', 'xai']);
  });

  it('is refused with the names of the fields that are wrong, and nothing is stored', async () => {
    const input = { provider: 'nobody', value: 'a b', label: 'x'.repeat(121) };
    const { facts } = await failure(world.vault.add(input, ADA), 'invalid_request');
    expect(facts.fields?.map(({ field }) => field)).to.deep.equal(['provider', 'value', 'label']);
    expect(JSON.stringify(facts)).not.to.include('a b');
    expect(await world.vault.list(ADA)).to.deep.equal([]);
  });

  it('is refused when the owner has it already for the provider, naming the label', async () => {
    await add(1, { label: 'My office' });
    expect((await failure(add(1), 'conflict')).public).to.include('"My office"');
    await add(1, { provider: 'xai' });
    await add(1, {}, BOB);
    expect(await world.vault.list(ADA)).to.have.length(2);
  });

  it('is refused when the provider refuses it, and tells when the provider knows it', async () => {
    const asked: unknown[] = [];
    const vaultOf = (answer: 'accepted' | 'refused' | 'unknown') =>
      world.vaultWith({
        async checkKey({ name }, value) {
          asked.push([name, value]);
          return answer;
        },
      });
    const input = { provider: 'xai', value: providerValue(1) };
    const { facts } = await failure(vaultOf('refused').add(input, ADA), 'provider_key_refused');
    expect(facts.provider).to.equal('xai');
    expect(await world.vault.list(ADA)).to.deep.equal([]);
    expect((await vaultOf('accepted').add(input, ADA)).checked).to.equal(true);
    expect((await vaultOf('unknown').add({ ...input, value: providerValue(2) }, ADA)).checked).to.equal(false);
    expect(asked).to.deep.equal([
      ['xai', providerValue(1)],
      ['xai', providerValue(1)],
      ['xai', providerValue(2)],
    ]);
  });

  it('is one of at most 50, however many come at once', async () => {
    for (let number = 0; number < 45; number += 1) await add(number);
    await settled(Array.from({ length: 50 }, (_, index) => add(100 + index)));
    const { length } = await world.vault.list(ADA);
    expect(length).to.be.within(45, 50);
    for (let number = length; number < 50; number += 1) await add(200 + number);
    expect((await failure(add(999), 'conflict')).public).to.include('50');
    expect(await world.vault.list(ADA)).to.have.length(50);
    await add(1, {}, BOB);
  });
});

describe('adding a provider key under an idempotency key', () => {
  let world: VaultWorld;
  beforeEach(async () => {
    world = await openVault();
  });
  afterEach(() => world[Symbol.asyncDispose]());
  const add = (number: number, idempotencyKey = 'once', actor = ADA) =>
    world.vault.add({ provider: 'openai', value: providerValue(number) }, actor, {
      idempotencyKey,
      content: JSON.stringify(['openai', providerValue(number)]),
    });

  it('makes one key of 50 requests at once, and tells all of them the same', async () => {
    const answers = await parallel(50, () => add(1));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).to.equal(1);
    expect(await world.vault.list(ADA)).to.have.length(1);
    expect(await world.stores.audit.list({ limit: 10 })).to.have.length(1);
    expect(await add(1)).to.deep.equal(answers[0]);
  });

  it('tells again whether the provider was asked, without asking again', async () => {
    let asked = 0;
    const vault = world.vaultWith({
      async checkKey() {
        asked += 1;
        return 'accepted';
      },
    });
    const input = { provider: 'openai', value: providerValue(1) };
    for (let time = 0; time < 3; time += 1) {
      const { checked } = await vault.add(input, ADA, { idempotencyKey: 'once', content: 'x' });
      expect(checked).to.equal(true);
    }
    expect(asked).to.equal(1);
  });

  it('refuses another request under the same key, and takes the same key from somebody else', async () => {
    const first = await add(1);
    await failure(add(2), 'idempotency_mismatch');
    expect((await add(1, 'once', BOB)).key.id).to.not.equal(first.key.id);
    expect((await add(2, 'twice')).key.id).to.not.equal(first.key.id);
  });

  it('does not bring back a key that was removed since', async () => {
    const { key } = await add(1);
    await world.vault.remove(key.id, ADA);
    await failure(add(1), 'conflict');
    expect(await world.vault.list(ADA)).to.deep.equal([]);
  });
});
