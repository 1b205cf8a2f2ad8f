import { expect } from 'chai';
import { createAudit } from '../../../../src/domain/audit/audit.ts';
import { rotateSecrets } from '../../../../src/domain/data-keys/rotate-secrets.ts';
import { openValue, sealValue } from '../../../../src/domain/provider-keys/envelope.ts';
import type { ProviderKey } from '../../../../src/domain/provider-keys/provider-key.ts';
import type { ProviderKeyStore } from '../../../../src/domain/provider-keys/provider-key-store.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { createSealer } from '../../../../src/kit/seal.ts';
import { accountOf } from '../../../conformance/account-store.ts';
import { NEW, OLD, openVault, providerValue, ringOf, type VaultWorld } from './vault-world.ts';

/** More than two batches. */
const MANY = 1203;
const FOREIGN = 'f'.repeat(32);

describe('rotating the secrets of provider keys', () => {
  let world: VaultWorld;
  beforeEach(async () => {
    world = await openVault();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function insert(number: number, ring = ringOf(OLD)): Promise<ProviderKey> {
    const place = {
      id: `pvk_${String(number).padStart(6, '0')}`,
      ownerId: `acc_${number}`,
      provider: 'openai',
      version: 1,
    };
    const key: ProviderKey = {
      ...place,
      ...sealValue(providerValue(number), place, ring),
      label: 'OpenAI',
      mask: '…',
      fingerprint: String(number),
      isDefault: true,
      createdAt: 1,
      updatedAt: 1,
      lastUsedAt: null,
    };
    await world.stores.accounts.insert(accountOf({ id: key.ownerId }));
    expect((await world.stores.providerKeys.insert(key)).kind).to.equal('inserted');
    return key;
  }
  async function insertMany(count: number): Promise<ProviderKey[]> {
    const keys: ProviderKey[] = [];
    for (let number = 0; number < count; number += 1) keys.push(await insert(number));
    return keys;
  }
  function rotate({
    secrets = [NEW, OLD],
    store = {},
    onProgress,
  }: {
    secrets?: string[];
    store?: Partial<ProviderKeyStore>;
    onProgress?: (done: number) => void;
  } = {}) {
    const { dataKeys, signingKeys, providerKeys, audit } = world.stores;
    return rotateSecrets({
      dataKeys,
      signingKeys,
      providerKeys: { ...providerKeys, ...store },
      sealer: createSealer(secrets),
      ring: ringOf(...secrets),
      audit: createAudit({ store: audit, clock: systemClock }),
      ...(onProgress ? { onProgress } : {}),
    });
  }
  const rowOf = ({ id, ownerId }: ProviderKey): Promise<ProviderKey> => world.row(id, ownerId);
  const underOld = (): Promise<number> => world.stores.providerKeys.countWrappedByOthers(ringOf(NEW).currentId);

  it('wraps every key under the first secret and touches nothing else of them', async () => {
    const keys = await insertMany(MANY);
    const progress: number[] = [];
    const done = await rotate({ onProgress: (soFar) => progress.push(soFar) });
    expect(done).to.deep.equal({ dataKeys: 0, signingKeys: 0, providerKeys: MANY, unreadable: new Map() });
    expect(progress).to.deep.equal([500, 1000, MANY]);
    expect(await underOld()).to.equal(0);
    for (const [number, before] of keys.entries()) {
      const { wrappedKey, wrappedBy, ...after } = await rowOf(before);
      const { wrappedKey: oldKey, wrappedBy: _old, ...same } = before;
      expect(after).to.deep.equal(same);
      expect(wrappedKey).to.not.equal(oldKey);
      expect(openValue({ ...after, wrappedKey, wrappedBy }, ringOf(NEW))).to.equal(providerValue(number));
    }
    const [event] = await world.stores.audit.list({ type: 'secrets.rotated', limit: 1 });
    expect(event?.details).to.deep.equal({ dataKeys: 0, signingKeys: 0, providerKeys: MANY, unreadable: 0 });
    expect((await rotate()).providerKeys).to.equal(0);
  });

  it('counts a key it cannot open by what wrapped it, leaves it as it is and goes on', async () => {
    const keys = [await insert(1), await insert(2, ringOf(FOREIGN)), await insert(3), await insert(4)];
    const damaged = keys[3] as ProviderKey;
    const { wrappedBy } = damaged;
    await world.stores.providerKeys.rewrap(damaged.id, damaged.wrappedKey, { wrappedKey: 'v1.x.y', wrappedBy });
    const before = await Promise.all([1, 3].map((index) => rowOf(keys[index] as ProviderKey)));

    const done = await rotate();
    expect(done.providerKeys).to.equal(2);
    expect(done.unreadable).to.deep.equal(
      new Map([
        [ringOf(FOREIGN).currentId, 1],
        [ringOf(OLD).currentId, 1],
      ]),
    );
    expect(await Promise.all([1, 3].map((index) => rowOf(keys[index] as ProviderKey)))).to.deep.equal(before);
    expect(await underOld()).to.equal(2);
    // The secret it lacked brings the one that is whole.
    expect((await rotate({ secrets: [NEW, OLD, FOREIGN] })).providerKeys).to.equal(1);
  });

  it('is finished by the next one when it ends in the middle', async () => {
    await insertMany(700);
    let left = 600;
    const rewrap: ProviderKeyStore['rewrap'] = (...row) => {
      if (left === 0) return Promise.reject(new Error('the end'));
      left -= 1;
      return world.stores.providerKeys.rewrap(...row);
    };
    await rotate({ store: { rewrap } }).then(
      () => expect.fail('it must end'),
      () => {},
    );
    expect(await underOld()).to.equal(100);
    expect((await rotate()).providerKeys).to.equal(100);
    expect(await underOld()).to.equal(0);
  });

  it('never overwrites a value that its owner replaces meanwhile, and gets what was added behind its back', async () => {
    const keys = await insertMany(3);
    let late = true;
    const rewrap: ProviderKeyStore['rewrap'] = async (id, ...more) => {
      if (late) {
        late = false;
        // By a process whose ring has the old secret in front still.
        const row = await rowOf(keys[0] as ProviderKey);
        const next = { ...row, version: 2 };
        const value = sealValue('a-value-entered-meanwhile', next, ringOf(OLD));
        expect(await world.stores.providerKeys.replace({ ...next, ...value }, 1)).to.equal(true);
        await insert(-1);
      }
      return world.stores.providerKeys.rewrap(id, ...more);
    };
    expect((await rotate({ store: { rewrap } })).providerKeys).to.equal(4);
    expect(await underOld()).to.equal(0);
    expect(openValue(await rowOf(keys[0] as ProviderKey), ringOf(NEW))).to.equal('a-value-entered-meanwhile');
  });

  it('gives up, and says so, when keys never stop coming under an old secret', async () => {
    await insert(0);
    const rewrap: ProviderKeyStore['rewrap'] = async () => false;
    const error = await rotate({ store: { rewrap } }).catch((reason: unknown) => reason);
    expect(error).to.include({ code: 'temporarily_unavailable' });
    expect(await world.stores.audit.list({ type: 'secrets.rotated', limit: 1 })).to.deep.equal([]);
  });
});
