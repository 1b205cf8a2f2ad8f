import { expect } from 'chai';
import type { AccountStore } from '../../src/domain/accounts/account-store.ts';
import type { IdempotentRequestStore } from '../../src/domain/idempotency/idempotent-request.ts';
import type { ProviderKey } from '../../src/domain/provider-keys/provider-key.ts';
import type { ProviderKeyStore } from '../../src/domain/provider-keys/provider-key-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { accountOf } from './account-store.ts';
import { idempotentInsertSuite } from './idempotent-requests.ts';
import { AWKWARD_TEXT, countTrue, parallel } from './parallel.ts';

const T = 1_700_000_000_000;

const keyOf = (changes: Partial<ProviderKey> = {}): ProviderKey => ({
  id: newId('pvk'),
  ownerId: newId('acc'),
  provider: 'openai',
  label: 'A key',
  version: 1,
  sealedValue: 'v1.value',
  wrappedKey: `v1.${newId('wrapped')}`,
  wrappedBy: 'ring-1',
  mask: 'sk-…wxyz',
  fingerprint: newId('f').slice(0, 16),
  isDefault: true,
  createdAt: T,
  updatedAt: T,
  lastUsedAt: null,
  ...changes,
});

interface Parts {
  accounts: AccountStore;
  providerKeys: ProviderKeyStore;
  idempotentRequests: IdempotentRequestStore;
}

export function providerKeyStoreSuite(open: () => Promise<Parts>): void {
  describe('provider key store', () => {
    let keys: ProviderKeyStore;
    let parts: Parts;
    let ownerId: string;
    before(async () => {
      parts = await open();
      keys = parts.providerKeys;
    });
    beforeEach(async () => {
      ownerId = newId('acc');
      await parts.accounts.insert(accountOf({ id: ownerId }));
    });

    idempotentInsertSuite(async () => ({
      requests: parts.idempotentRequests,
      build: () => keyOf({ ownerId }),
      insert: (key: ProviderKey, request) => keys.insert(key, request),
      exists: async (key) => (await keys.find(key.ownerId, key.id)) !== null,
    }));

    it('goes with its owner, and none comes after', async () => {
      const neighbour = newId('acc');
      await parts.accounts.insert(accountOf({ id: neighbour }));
      await keys.insert(keyOf({ ownerId: neighbour }));
      const [removed] = await Promise.all([
        parts.accounts.remove(ownerId),
        parallel(50, () => keys.insert(keyOf({ ownerId, isDefault: false }))),
      ]);
      expect(removed).to.equal(true);
      expect(await keys.list(ownerId)).to.deep.equal([]);
      expect((await keys.insert(keyOf({ ownerId }))).kind).to.equal('taken');
      expect(await parts.accounts.remove(ownerId), 'again').to.equal(false);
      expect(await keys.list(neighbour)).to.have.length(1);
    });

    it('stores one value of an owner and provider once, however many ask at once', async () => {
      const fingerprint = 'the-same-value';
      const results = await parallel(50, () => keys.insert(keyOf({ ownerId, fingerprint, isDefault: false })));
      expect(results.filter(({ kind }) => kind === 'inserted')).to.have.length(1);
      expect(results.filter(({ kind }) => kind === 'taken')).to.have.length(49);
      expect(await keys.list(ownerId)).to.have.length(1);
      const elsewhere = await keys.insert(keyOf({ ownerId, fingerprint, provider: 'anthropic' }));
      expect(elsewhere.kind, 'another provider').to.equal('inserted');
    });

    it('replaces no value by one that another key of the owner has', async () => {
      const [first, second] = [keyOf({ ownerId }), keyOf({ ownerId, isDefault: false })];
      await keys.insert(first);
      await keys.insert(second);
      const twin = { ...second, fingerprint: first.fingerprint, version: 2 };
      expect(await keys.replace(twin, 1)).to.equal(false);
      expect((await keys.find(ownerId, second.id))?.version).to.equal(1);
      expect(await keys.replace({ ...first, version: 2 }, 1), 'its own').to.equal(true);
    });

    /** The ids of the owner's defaults for the provider; findDefault must agree. */
    async function defaults(): Promise<string[]> {
      const ids = (await keys.list(ownerId)).filter(({ isDefault }) => isDefault).map(({ id }) => id);
      expect((await keys.findDefault(ownerId, 'openai'))?.id).to.equal(ids[0]);
      return ids;
    }

    async function insert(changes: Partial<ProviderKey> = {}): Promise<ProviderKey> {
      const key = keyOf({ ownerId, isDefault: false, ...changes });
      expect(await keys.insert(key)).to.deep.equal({ kind: 'inserted' });
      return key;
    }

    it('keeps every field', async () => {
      const key = keyOf({
        ownerId,
        label: AWKWARD_TEXT,
        mask: AWKWARD_TEXT,
        version: 9,
        lastUsedAt: T + 3,
        updatedAt: T + 2,
      });
      await keys.insert(key);
      expect(await keys.find(key.ownerId, key.id)).to.deep.equal(key);
      expect(await keys.findDefault(key.ownerId, key.provider)).to.deep.equal(key);
    });

    it('gives nobody the key of another owner', async () => {
      const key = await insert();
      const other = newId('acc');
      expect(await keys.find(other, key.id)).to.equal(null);
      expect(await keys.findDefault(other, key.provider)).to.equal(null);
      expect(await keys.list(other)).to.deep.equal([]);
      expect(await keys.makeDefault(other, key.id)).to.equal(false);
      expect(await keys.remove(other, key.id)).to.equal(false);
      expect(await keys.replace({ ...key, ownerId: other, version: 2 }, 1)).to.equal(false);
      expect(await keys.find(ownerId, key.id)).to.deep.equal({ ...key, isDefault: true });
    });

    it('makes the first key of a provider its default, and one inserted as default take over', async () => {
      const first = await insert();
      const second = await insert();
      const elsewhere = await insert({ provider: 'anthropic' });
      expect((await keys.findDefault(ownerId, 'anthropic'))?.id).to.equal(elsewhere.id);
      expect(await keys.remove(ownerId, elsewhere.id)).to.equal(true);
      expect(await defaults()).to.deep.equal([first.id]);
      const third = await insert({ isDefault: true });
      expect(await defaults()).to.deep.equal([third.id]);
      expect((await keys.list(ownerId)).map(({ id }) => id)).to.deep.equal([first.id, second.id, third.id].sort());
    });

    it('lists by provider, then id', async () => {
      const made = [];
      for (const provider of ['openai', 'anthropic', 'openai', 'mistral']) made.push(await insert({ provider }));
      const order = ({ provider, id }: ProviderKey) => `${provider} ${id}`;
      expect((await keys.list(ownerId)).map(order)).to.deep.equal(made.map(order).sort());
    });

    for (const isDefault of [true, false]) {
      it(`has one default after 50 ${isDefault ? 'defaults' : 'keys'} were inserted at once`, async () => {
        const outcomes = await parallel(50, () => keys.insert(keyOf({ ownerId, isDefault })));
        expect(outcomes.every(({ kind }) => kind === 'inserted')).to.equal(true);
        expect(await keys.list(ownerId)).to.have.lengthOf(50);
        expect(await defaults()).to.have.lengthOf(1);
      });
    }

    it('has one default after 50 were made the default at once', async () => {
      const made = await Promise.all(Array.from({ length: 10 }, () => insert()));
      const done = await parallel(50, (index) => keys.makeDefault(ownerId, made[index % 10]?.id ?? ''));
      expect(countTrue(done)).to.equal(50);
      expect(await defaults()).to.have.lengthOf(1);
      expect(await keys.makeDefault(ownerId, made[7]?.id ?? '')).to.equal(true);
      expect(await defaults()).to.deep.equal([made[7]?.id]);
      expect(await keys.makeDefault(ownerId, newId('pvk'))).to.equal(false);
      expect(await defaults()).to.deep.equal([made[7]?.id]);
    });

    it('hands the default on to the oldest other key when it is removed', async () => {
      const [newer, oldest, removed] = [
        await insert({ createdAt: T + 2 }),
        await insert({ createdAt: T + 1 }),
        await insert({ createdAt: T + 3, isDefault: true }),
      ];
      expect(await keys.remove(ownerId, removed.id)).to.equal(true);
      expect(await defaults()).to.deep.equal([oldest.id]);
      expect(await keys.remove(ownerId, newer.id)).to.equal(true);
      expect(await defaults()).to.deep.equal([oldest.id]);
      expect(countTrue(await parallel(20, () => keys.remove(ownerId, oldest.id)))).to.equal(1);
      expect(await keys.findDefault(ownerId, 'openai')).to.equal(null);
    });

    it('has one default, whatever is removed, inserted and made the default at once', async () => {
      const made = await Promise.all(Array.from({ length: 12 }, () => insert()));
      await parallel(40, async (index) => {
        const id = made[index % 12]?.id ?? '';
        if (index % 3 === 0) await keys.insert(keyOf({ ownerId, isDefault: index % 2 === 0 }));
        else if (index % 3 === 1) await keys.remove(ownerId, id);
        else await keys.makeDefault(ownerId, id);
      });
      expect(await defaults()).to.have.lengthOf(1);
    });

    it('replaces the value for exactly one of 50 that read the same version', async () => {
      const key = await insert({ lastUsedAt: T });
      const changed = (index: number): ProviderKey => ({
        ...key,
        ...{
          label: `${index}`,
          version: 2,
          sealedValue: `v1.${index}`,
          wrappedKey: `v1.k${index}`,
          wrappedBy: 'ring-2',
        },
        ...{ mask: `m${index}`, fingerprint: `f${index}`, updatedAt: T + 1 },
      });
      const results = await parallel(50, (index) => keys.replace(changed(index), 1));
      expect(countTrue(results)).to.equal(1);
      const winner = changed(results.indexOf(true));
      expect(await keys.find(ownerId, key.id)).to.deep.equal({ ...winner, isDefault: true });
      expect(await keys.replace(keyOf(), 1), 'unknown').to.equal(false);
    });

    it('moves the last use only forward', async () => {
      const { id } = await insert();
      await parallel(20, (index) => keys.touch(id, T + ((index * 7) % 20)));
      await keys.touch(id, T - 1);
      await keys.touch(newId('pvk'), T);
      expect((await keys.find(ownerId, id))?.lastUsedAt).to.equal(T + 19);
      await keys.touch(id, T - 3_600_000);
      expect((await keys.find(ownerId, id))?.lastUsedAt, 'by a clock that was ahead').to.equal(T - 3_600_000);
    });

    it('lists and counts what other keys of the ring wrapped, and rewraps each once', async () => {
      const ring = newId('ring');
      const made = await Promise.all(['zz-old', 'aa-old', ring].map((wrappedBy) => insert({ wrappedBy })));
      const others = async () => (await keys.listWrappedByOthers(ring, '', 100_000)).map(({ id }) => id);
      const before = await keys.countWrappedByOthers(ring);
      expect(await others())
        .to.include.members([made[0]?.id, made[1]?.id])
        .and.not.include(made[2]?.id);
      expect(await others())
        .to.have.lengthOf(before)
        .and.deep.equal((await others()).sort());
      const [first, second] = await others();
      expect((await keys.listWrappedByOthers(ring, first ?? '', 1)).map(({ id }) => id)).to.deep.equal([second]);

      for (const { id, wrappedKey } of made.slice(0, 2)) {
        const to = { wrappedKey: `v2.${id}`, wrappedBy: ring };
        expect(countTrue(await parallel(20, () => keys.rewrap(id, wrappedKey, to)))).to.equal(1);
        expect(await keys.find(ownerId, id)).to.include(to);
      }
      expect(await keys.countWrappedByOthers(ring)).to.equal(before - 2);
    });
  });
}
