import { expect } from 'chai';
import type { AccountStore } from '../../src/domain/accounts/account-store.ts';
import type { ApiKeyStore } from '../../src/domain/api-keys/api-key-store.ts';
import type { KeyUse, UsageBucket, UsageStore } from '../../src/domain/usage/usage-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { accountOf } from './account-store.ts';
import { apiKeyOf, T } from './api-keys.ts';
import { parallel } from './parallel.ts';

const HOUR = 3_600_000;

interface Parts {
  usage: UsageStore;
  apiKeys: ApiKeyStore;
  accounts: AccountStore;
}

export function usageStoreSuite(open: () => Promise<Parts>): void {
  describe('usage store', () => {
    let usage: UsageStore;
    let parts: Parts;
    let ownerId: string;
    before(async () => {
      parts = await open();
      usage = parts.usage;
    });
    beforeEach(() => {
      ownerId = newId('acc');
    });

    const bucketOf = (changes: Partial<UsageBucket> = {}): UsageBucket => ({
      ...{ keyId: 'key_a', ownerId, environment: 'live', hour: 10 * HOUR, allowed: 1, refused: 0 },
      ...changes,
    });
    const all = (filter: Partial<Parameters<UsageStore['list']>[0]> = {}) =>
      usage.list({ ownerId, from: 0, to: 1e15, ...filter });

    it('adds to what is there, to each bucket apart', async () => {
      const [a, b] = [newId('key'), newId('key')];
      await usage.add([bucketOf({ keyId: a, allowed: 3, refused: 1 }), bucketOf({ keyId: b })], []);
      await usage.add(
        [
          bucketOf({ keyId: a, allowed: 4, refused: 2 }),
          bucketOf({ keyId: a, allowed: 10 }),
          bucketOf({ keyId: a, environment: 'test', allowed: 5 }),
          bucketOf({ keyId: a, hour: 11 * HOUR, allowed: 0, refused: 6 }),
        ],
        [],
      );
      expect(await all({ keyId: a })).to.deep.equal([
        bucketOf({ keyId: a, allowed: 17, refused: 3 }),
        bucketOf({ keyId: a, environment: 'test', allowed: 5 }),
        bucketOf({ keyId: a, hour: 11 * HOUR, allowed: 0, refused: 6 }),
      ]);
      expect(await all({ keyId: b })).to.deep.equal([bucketOf({ keyId: b })]);
      await usage.add([], []);
    });

    it('lists by owner, key, environment and time, ordered by hour, key, environment', async () => {
      const [a, b] = [newId('key'), newId('key')].sort();
      const buckets = [9, 10, 11].flatMap((hour) =>
        [a, b].flatMap((keyId = '') =>
          ['live', 'test'].map((environment) => bucketOf({ keyId, environment, hour: hour * HOUR })),
        ),
      );
      await usage.add([...buckets].reverse(), []);
      await usage.add([bucketOf({ ownerId: newId('acc'), keyId: newId('key') })], []);
      expect(await all()).to.deep.equal(buckets);
      const some = buckets.filter(
        ({ keyId, environment, hour }) => keyId === b && environment === 'test' && hour < 11 * HOUR,
      );
      expect(await all({ keyId: b ?? '', environment: 'test', from: 9 * HOUR, to: 11 * HOUR })).to.deep.equal(some);
    });

    it('loses nothing of 20 flushes at once, each in an order of its own', async () => {
      const keyIds = Array.from({ length: 130 }, () => newId('key'));
      await parallel(20, (index) => {
        const buckets = keyIds.map((keyId) => bucketOf({ keyId, allowed: index, refused: 1 }));
        return usage.add(index % 2 ? buckets : buckets.reverse(), []);
      });
      const found = await all();
      expect(found).to.have.lengthOf(130);
      expect(new Set(found.map(({ allowed, refused }) => `${allowed} ${refused}`))).to.deep.equal(new Set(['190 20']));
    });

    describe('of a key', () => {
      const useOf = (changes: Partial<KeyUse> = {}): KeyUse => ({
        ...{ keyId: '', lastUsedAt: T, previousUses: 0, previousUsedAt: null },
        ...changes,
      });
      let keyId: string;
      beforeEach(async () => {
        await parts.accounts.insert(accountOf({ id: ownerId }));
        const key = apiKeyOf({ ownerId });
        await parts.apiKeys.insert(key);
        keyId = key.id;
      });
      const counters = async () => {
        const key = (await parts.apiKeys.find(keyId))?.key;
        return [key?.lastUsedAt, key?.previousUses, key?.previousUsedAt, key?.version];
      };

      it('moves times only forward and adds uses', async () => {
        expect(await counters()).to.deep.equal([null, 0, null, 1]);
        await usage.add([], [useOf({ keyId, lastUsedAt: T + 5 })]);
        expect(await counters()).to.deep.equal([T + 5, 0, null, 1]);
        await usage.add([], [useOf({ keyId, lastUsedAt: T, previousUses: 3, previousUsedAt: T })]);
        expect(await counters()).to.deep.equal([T + 5, 3, T, 1]);
        await usage.add([], [useOf({ keyId, lastUsedAt: T + 9, previousUses: 2, previousUsedAt: T - 1 })]);
        expect(await counters()).to.deep.equal([T + 9, 5, T, 1]);
      });

      it('believes no last use that a clock set far ahead has written', async () => {
        const day = 86_400_000;
        await usage.add([], [useOf({ keyId, lastUsedAt: T + day, previousUses: 1, previousUsedAt: T + day })]);
        await usage.add([], [useOf({ keyId, lastUsedAt: T })]);
        expect(await counters()).to.deep.equal([T, 1, T + day, 1]);
        await usage.add([], [useOf({ keyId, lastUsedAt: T, previousUses: 1, previousUsedAt: T })]);
        expect(await counters()).to.deep.equal([T, 2, T, 1]);
      });

      it('loses no use of 20 flushes at once', async () => {
        const other = apiKeyOf({ ownerId });
        await parts.apiKeys.insert(other);
        await parallel(20, (index) => {
          const uses = [keyId, other.id].map((id) =>
            useOf({ keyId: id, lastUsedAt: T + index, previousUses: 2, previousUsedAt: T + 20 - index }),
          );
          return usage.add([bucketOf({ keyId })], index % 2 ? uses : uses.reverse());
        });
        expect(await counters()).to.deep.equal([T + 19, 40, T + 20, 1]);
        expect((await all({ keyId }))[0]?.allowed).to.equal(20);
      });

      it('counts the request of a key that is gone', async () => {
        const gone = newId('key');
        await usage.add([bucketOf({ keyId: gone })], [useOf({ keyId: gone })]);
        expect(await all({ keyId: gone })).to.have.lengthOf(1);
      });
    });

    it('purges the oldest buckets from before a time, at most `limit`', async () => {
      await usage.purge(1000, 100_000);
      const hours = [1, 2, 3].map((hour) => bucketOf({ hour }));
      await usage.add(hours, []);
      expect(await usage.purge(3, 1)).to.equal(1);
      expect((await all()).map(({ hour }) => hour)).to.deep.equal([2, 3]);
      expect(await usage.purge(3, 10)).to.equal(1);
      expect(await usage.purge(3, 10)).to.equal(0);
      await usage.purge(1000, 100_000);
    });
  });
}
