import { expect } from 'chai';
import type { Account } from '../../src/domain/accounts/account.ts';
import type { AccountStore } from '../../src/domain/accounts/account-store.ts';
import type { ApiKey } from '../../src/domain/api-keys/api-key.ts';
import type { ApiKeyStore } from '../../src/domain/api-keys/api-key-store.ts';
import { createChangeKey } from '../../src/domain/api-keys/change-key.ts';
import { createEndDescendants } from '../../src/domain/api-keys/descendants.ts';
import type { IdempotentRequestStore } from '../../src/domain/idempotency/idempotent-request.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { newId } from '../../src/kit/ids.ts';
import { accountOf } from './account-store.ts';
import { apiKeyOf, T } from './api-keys.ts';
import { idempotentInsertSuite, requestOf } from './idempotent-requests.ts';
import { AWKWARD_TEXT, countTrue, parallel } from './parallel.ts';

interface Parts {
  apiKeys: ApiKeyStore;
  accounts: AccountStore;
  idempotentRequests: IdempotentRequestStore;
}

export function apiKeyStoreSuite(open: () => Promise<Parts>): void {
  describe('api key store', () => {
    let keys: ApiKeyStore;
    let owner: Account;
    let parts: Parts;
    before(async () => {
      parts = await open();
      keys = parts.apiKeys;
      owner = accountOf({ givenName: AWKWARD_TEXT, scopes: ['read'], disabledAt: 5, signedOutAt: 6 });
      await parts.accounts.insert(owner);
    });
    const keyOf = (changes: Partial<ApiKey> = {}): ApiKey => apiKeyOf({ ownerId: owner.id, ...changes });

    idempotentInsertSuite(async () => ({
      requests: parts.idempotentRequests,
      build: () => keyOf(),
      insert: (key: ApiKey, request) => keys.insert(key, request),
      exists: async ({ id }) => (await keys.find(id)) !== null,
    }));

    const full = (): ApiKey =>
      keyOf({
        ...{ name: AWKWARD_TEXT, environment: 'test', previous: { mac: 'm2', pepperId: 'p2', endsAt: T + 5 } },
        ...{ importedDigest: newId('digest'), importedEndsAt: T + 6, scopes: ['memories:read', 'keys:*'] },
        ...{ allowedAddresses: ['192.0.2.0/24', '2001:db8::/32'], limit: { quota: 1e9, windowSeconds: 86_400 } },
        ...{ expiresAt: T + 7, revokedAt: T + 8, revokeReason: AWKWARD_TEXT, suspendedAt: T + 9, rotatedAt: T + 10 },
        ...{ rotatedBy: newId('key'), previousBy: newId('key') },
        ...{ lastUsedAt: T + 11, previousUses: 12, previousUsedAt: T + 13, warnedDays: 14, version: 15 },
      });

    it('keeps every field, and gives the owner with the key', async () => {
      for (const key of [full(), keyOf(), keyOf({ current: null, importedDigest: newId('digest') })]) {
        expect(await keys.insert(key)).to.deep.equal({ kind: 'inserted' });
        expect(await keys.find(key.id)).to.deep.equal({ key, owner });
        if (key.importedDigest !== null) {
          expect(await keys.findImported(key.importedDigest)).to.deep.equal({ key, owner });
        }
      }
      expect(await keys.hasImported()).to.equal(true);
    });

    it('finds many imported keys at once, each once, and none that there is not', async () => {
      const imported = Array.from({ length: 5 }, () => keyOf({ importedDigest: newId('digest') }));
      for (const key of imported) await keys.insert(key);
      const digests = imported.map(({ importedDigest }) => importedDigest ?? '');
      const found = await keys.findManyImported([newId('digest'), ...digests, "' or '1'='1"]);
      expect(new Set(found.map(({ key }) => key.id))).to.deep.equal(new Set(imported.map(({ id }) => id)));
      expect(found).to.have.length(5);
      expect(found[0]?.owner).to.deep.equal(owner);
      expect(await keys.findManyImported([])).to.deep.equal([]);
      expect(await keys.findManyImported(Array.from({ length: 256 }, () => newId('digest')))).to.deep.equal([]);
    });

    it('returns null for what is not there, whatever it is made of', async () => {
      for (const id of ['', '\u0000', "' or '1'='1", 'x'.repeat(5000), newId('key')]) {
        expect(await keys.find(id)).to.equal(null);
        expect(await keys.findImported(id)).to.equal(null);
      }
    });

    it('finds no key by an id in another case', async () => {
      const key = keyOf({ id: `key_Ab${newId('x')}` });
      await keys.insert(key);
      expect(await keys.find(key.id.toLowerCase())).to.equal(null);
    });

    it('refuses a taken id and a taken imported digest', async () => {
      const key = keyOf({ importedDigest: newId('digest') });
      await keys.insert(key);
      expect(await keys.insert(keyOf({ id: key.id }))).to.deep.equal({ kind: 'taken' });
      expect(await keys.insert(keyOf({ importedDigest: key.importedDigest }))).to.deep.equal({ kind: 'taken' });
      expect(await keys.find(key.id)).to.deep.equal({ key, owner });
    });

    it('inserts of many those that are new, and says which', async () => {
      const [known, digest] = [keyOf(), newId('digest')];
      await keys.insert(known);
      const fresh = Array.from({ length: 237 }, () => keyOf({ importedDigest: newId('digest') }));
      const twice = [keyOf({ importedDigest: digest }), keyOf({ importedDigest: digest })];
      const inserted = await keys.insertMany([known, ...fresh, ...twice]);
      expect(inserted).to.have.lengthOf(238);
      expect(inserted)
        .to.include.members(fresh.map(({ id }) => id))
        .and.not.include(known.id);
      expect(await keys.find(fresh[236]?.id ?? '')).to.deep.equal({ key: fresh[236], owner });
      expect(await keys.insertMany(fresh)).to.deep.equal([]);
      expect(await keys.insertMany([])).to.deep.equal([]);
    });

    it('inserts each of the same many once when 10 imports run at once', async () => {
      const many = Array.from({ length: 30 }, () => keyOf({ importedDigest: newId('digest') }));
      const inserted = await parallel(10, () => keys.insertMany(many));
      expect(inserted.flat().sort()).to.deep.equal(many.map(({ id }) => id).sort());
    });

    it('lists page by page, newest first, by environment too', async () => {
      const ownerId = newId('acc');
      const made = [1, 2, 2, 2, 3].map((ms, index) =>
        apiKeyOf({ ownerId, createdAt: T + ms, environment: index % 2 ? 'test' : 'live', revokedAt: index || null }),
      );
      for (const key of [...made, keyOf()]) await keys.insert(key);
      const expected = [...made].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
      expect(await keys.list({ ownerId, limit: 10 })).to.deep.equal(expected);

      const seen: string[] = [];
      for (let after: ApiKey | undefined; ; ) {
        const page = await keys.list({ ownerId, limit: 2, ...(after ? { after } : {}) });
        seen.push(...page.map(({ id }) => id));
        if (page.length < 2) break;
        after = page.at(-1);
      }
      expect(seen).to.deep.equal(expected.map(({ id }) => id));
      expect(await keys.list({ ownerId, environment: 'test', limit: 10 })).to.deep.equal(
        expected.filter(({ environment }) => environment === 'test'),
      );
    });

    it('knows whose a namespace is', async () => {
      const key = keyOf({ namespace: newId('ns'), revokedAt: 1 });
      await keys.insert(key);
      const { environment, namespace } = key;
      expect(await keys.listOfNamespace(owner.id, environment, namespace, 1)).to.have.length(1);
      expect(await keys.listOfNamespace(owner.id, 'another', namespace, 1)).to.deep.equal([]);
      expect(await keys.listOfNamespace(newId('acc'), environment, namespace, 1)).to.deep.equal([]);
      expect(await keys.listOfNamespace(owner.id, environment, newId('ns'), 1)).to.deep.equal([]);
    });

    it('counts the live keys of an owner, and says when each was last used', async () => {
      const another = accountOf();
      await parts.accounts.insert(another);
      const used = keyOf({ ownerId: another.id, lastUsedAt: T + 5 });
      const others = [
        keyOf({ ownerId: another.id, revokedAt: T }),
        keyOf({ ownerId: another.id, expiresAt: T }),
        keyOf({ ownerId: another.id, expiresAt: T + 2 }),
      ];
      for (const key of [used, ...others]) await keys.insert(key);
      expect(await keys.countLive(another.id, T + 1)).to.equal(2);
      expect([...(await keys.lastUses(another.id))]).to.deep.equal([[used.id, T + 5]]);
      expect((await keys.lastUses(newId('acc'))).size).to.equal(0);
    });

    it('updates everything but what never changes and the use counters', async () => {
      const { rotatedAt } = full();
      const before = keyOf({ rotatedAt, lastUsedAt: 1, previousUses: 2, previousUsedAt: 3, warnedDays: 4 });
      await keys.insert(before);
      const changed = { ...full(), id: before.id, version: before.version };
      expect(await keys.update(changed)).to.equal(true);
      const { ownerId, createdBy, createdAt, lastUsedAt, previousUses, previousUsedAt, warnedDays } = before;
      expect((await keys.find(before.id))?.key).to.deep.equal({
        ...changed,
        ...{ ownerId, createdBy, createdAt, lastUsedAt, previousUses, previousUsedAt, warnedDays },
        version: before.version + 1,
      });
      expect(await keys.update(changed), 'stale').to.equal(false);
      expect(await keys.update(keyOf()), 'unknown').to.equal(false);
    });

    describe('for a key that another key makes', () => {
      const family = (maker: ApiKey) => keyOf({ createdBy: maker.id, expiresAt: maker.expiresAt });
      const madeBy = async ({ id, ownerId }: ApiKey) =>
        (await keys.listMadeByOthers(ownerId)).filter(({ createdBy }) => createdBy === id);

      it('inserts it only while the maker is of the version that was read', async () => {
        const maker = keyOf();
        await keys.insert(maker);
        const child = family(maker);
        expect(await keys.insertMade(child, maker)).to.deep.equal({ kind: 'inserted' });
        expect((await keys.find(maker.id))?.key, 'the maker is as it was').to.deep.equal(maker);
        expect(await keys.insertMade(family(maker), { id: maker.id, version: 2 })).to.deep.equal({
          kind: 'maker-changed',
        });
        expect(await keys.insertMade(family(maker), keyOf()), 'unknown').to.deep.equal({ kind: 'maker-changed' });
        expect(await keys.insertMade(child, maker), 'an id that is taken').to.deep.equal({ kind: 'taken' });
        await keys.update({ ...maker, revokedAt: T });
        expect(await keys.insertMade(family(maker), maker)).to.deep.equal({ kind: 'maker-changed' });
        expect(await madeBy(maker)).to.deep.equal([
          {
            ...{ id: child.id, createdBy: maker.id, rotatedBy: null, previousBy: null },
            ...{ revokedAt: null, suspendedAt: null },
          },
        ]);
      });

      it('keeps no request whose key was not made', async () => {
        const maker = keyOf();
        await keys.insert(maker);
        const request = requestOf();
        const outdated = { id: maker.id, version: maker.version + 1 };
        expect(await keys.insertMade(family(maker), outdated, request)).to.deep.equal({ kind: 'maker-changed' });
        expect(await keys.insertMade(family(maker), maker, request)).to.deep.equal({ kind: 'inserted' });
        expect(await keys.insertMade(family(maker), maker, request)).to.deep.include({ kind: 'repeated' });
      });

      it('shows whoever ends the maker all that it made, of 50 at once, and lets none come after', async () => {
        const maker = keyOf();
        await keys.insert(maker);
        let seen: string[] = [];
        const outcomes = await parallel(51, async (index) => {
          if (index !== 17) return keys.insertMade(family(maker), maker);
          expect(await keys.update({ ...maker, revokedAt: T })).to.equal(true);
          seen = (await madeBy(maker)).map(({ id }) => id);
          return null;
        });
        const inserted = outcomes.filter((outcome) => outcome?.kind === 'inserted').length;
        const refused = outcomes.filter((outcome) => outcome?.kind === 'maker-changed').length;
        expect(inserted + refused).to.equal(50);
        expect((await madeBy(maker)).map(({ id }) => id))
          .to.have.members(seen)
          .and.to.have.length(inserted);
      });

      it('leaves nothing alive that descends from a key that ends, while 50 more are made at once', async () => {
        const root = keyOf();
        await keys.insert(root);
        const clock = { ...systemClock };
        const change = createChangeKey({ apiKeys: keys, announce: async () => undefined, clock });
        const endDescendants = createEndDescendants({ apiKeys: keys, change });
        const end = (key: ApiKey): ApiKey | null => (key.revokedAt === null ? { ...key, revokedAt: T } : null);
        const makers = [root];
        await parallel(51, async (index) => {
          if (index === 25) {
            await change(root.id, null, ({ key }) => end(key));
            return endDescendants(root, end);
          }
          // Of the root, of a child of it, of a child of that: as far as there is one.
          for (let round = 0; round < 3; round += 1) {
            const maker = makers[(index * 7) % makers.length] ?? root;
            const child = family(maker);
            if ((await keys.insertMade(child, maker)).kind === 'inserted') makers.push(child);
          }
          return null;
        });
        expect(makers.length).to.be.greaterThan(1);
        for (const { id } of makers) expect((await keys.find(id))?.key.revokedAt, id).to.equal(T);
      });
    });

    describe('for a key that another key changes', () => {
      const rotated = (key: ApiKey, maker: ApiKey): ApiKey => ({
        ...key,
        ...{ current: { mac: newId('mac'), pepperId: 'pepper' }, rotatedAt: T, rotatedBy: maker.id },
      });
      const rotatedKeysOf = async ({ id, ownerId }: ApiKey) =>
        (await keys.listMadeByOthers(ownerId)).filter(({ rotatedBy }) => rotatedBy === id).map(({ id }) => id);

      it('changes it only while the other is of the version that was read, and says who made the secrets', async () => {
        const [maker, sibling] = [keyOf(), keyOf({ createdBy: owner.id })];
        await keys.insert(maker);
        await keys.insert(sibling);
        const outdated = { id: maker.id, version: maker.version + 1 };
        expect(await keys.updateMade(rotated(sibling, maker), outdated)).to.deep.equal({ kind: 'maker-changed' });
        const request = requestOf();
        expect(await keys.updateMade(rotated(sibling, maker), outdated, request)).to.deep.equal({
          kind: 'maker-changed',
        });
        expect((await keys.find(sibling.id))?.key, 'nothing was changed').to.deep.equal(sibling);
        const next = rotated(sibling, maker);
        expect(await keys.updateMade(next, maker, request)).to.deep.equal({ kind: 'inserted' });
        expect(await keys.updateMade(next, maker, request)).to.deep.include({ kind: 'repeated' });
        expect(await keys.updateMade(next, maker), 'stale').to.deep.equal({ kind: 'taken' });
        expect((await keys.find(sibling.id))?.key).to.deep.equal({ ...next, version: 2 });
        expect((await keys.find(maker.id))?.key, 'the maker is as it was').to.deep.equal(maker);
        expect(await rotatedKeysOf(maker)).to.deep.equal([sibling.id]);
        const again = { ...next, version: 2, rotatedBy: owner.id, previousBy: maker.id };
        expect(await keys.update(again)).to.equal(true);
        const shown = (await keys.listMadeByOthers(maker.ownerId)).filter(({ id }) => id === sibling.id);
        expect(shown.map(({ rotatedBy, previousBy }) => [rotatedBy, previousBy])).to.deep.equal([[owner.id, maker.id]]);
      });

      it('shows whoever ends the other all that it changed, of 50 at once, and lets none come after', async () => {
        const maker = keyOf();
        const siblings = Array.from({ length: 50 }, () => keyOf({ createdBy: owner.id }));
        for (const key of [maker, ...siblings]) await keys.insert(key);
        let seen: string[] = [];
        const outcomes = await parallel(51, async (index) => {
          const sibling = siblings[index];
          if (sibling && index !== 17) return keys.updateMade(rotated(sibling, maker), maker);
          if (index !== 17) return null;
          expect(await keys.update({ ...maker, revokedAt: T })).to.equal(true);
          seen = await rotatedKeysOf(maker);
          return null;
        });
        const changed = outcomes.filter((outcome) => outcome?.kind === 'inserted').length;
        const refused = outcomes.filter((outcome) => outcome?.kind === 'maker-changed').length;
        expect(changed + refused).to.equal(49);
        expect(await rotatedKeysOf(maker))
          .to.have.members(seen)
          .and.to.have.length(changed);
      });

      it('does not wait for ever when 50 change each other at once', async () => {
        const [a, b] = [keyOf(), keyOf()];
        await keys.insert(a);
        await keys.insert(b);
        const outcomes = await parallel(50, (index) =>
          index % 2 === 0 ? keys.updateMade(rotated(a, b), b) : keys.updateMade(rotated(b, a), a),
        );
        expect(outcomes.filter(({ kind }) => kind === 'inserted')).to.have.length(1);
      });

      it('leaves no secret usable that an ended key made, whatever 50 rotations do at that moment', async () => {
        const root = keyOf();
        const siblings = Array.from({ length: 10 }, () => keyOf({ createdBy: owner.id }));
        for (const key of [root, ...siblings]) await keys.insert(key);
        const change = createChangeKey({
          apiKeys: keys,
          announce: async () => undefined,
          clock: { ...systemClock },
        });
        const endDescendants = createEndDescendants({ apiKeys: keys, change });
        const end = (key: ApiKey): ApiKey | null => (key.revokedAt === null ? { ...key, revokedAt: T } : null);
        let made = 0;
        await parallel(51, async (index) => {
          if (index === 25) {
            await change(root.id, null, ({ key }) => end(key));
            return endDescendants(root, end);
          }
          // Half of them by the root, the others by what the root may have rotated.
          const makerId = index % 2 === 0 ? root.id : siblings[index % 10]?.id;
          const maker = (await keys.find(makerId ?? ''))?.key;
          const sibling = (await keys.find(siblings[(index * 3) % 10]?.id ?? ''))?.key;
          if (!maker || !sibling || maker.id === sibling.id || maker.revokedAt !== null || sibling.revokedAt !== null)
            return;
          const outcome = await keys.updateMade({ ...rotated(sibling, maker), previousBy: sibling.rotatedBy }, maker);
          if (outcome.kind === 'inserted') made += 1;
          return null;
        });
        expect(made).to.be.greaterThan(0);
        const all = await Promise.all(siblings.map(async ({ id }) => (await keys.find(id))?.key));
        const dead = new Set([root.id, ...all.filter((key) => key?.revokedAt === T).map((key) => key?.id)]);
        for (const key of all) {
          if (!key || dead.has(key.id)) continue;
          expect(dead.has(key.rotatedBy ?? ''), 'the current secret').to.equal(false);
          expect(dead.has(key.previousBy ?? ''), 'the one before').to.equal(false);
        }
      });
    });

    it('counts the uses of the secret before from the rotation on', async () => {
      const key = keyOf({ rotatedAt: T, previousUses: 2, previousUsedAt: 3 });
      await keys.insert(key);
      expect(await keys.update({ ...key, rotatedAt: T + 1 })).to.equal(true);
      expect((await keys.find(key.id))?.key).to.include({ rotatedAt: T + 1, previousUses: 0, previousUsedAt: null });
    });

    it('lets exactly one of 50 that read the same version write theirs', async () => {
      const key = keyOf();
      await keys.insert(key);
      const results = await parallel(50, (index) => keys.update({ ...key, name: `${index}` }));
      expect(countTrue(results)).to.equal(1);
      expect((await keys.find(key.id))?.key).to.include({ name: `${results.indexOf(true)}`, version: key.version + 1 });
    });

    it('lists live keys that expire and were not warned about, in the order of their expiry', async () => {
      // A time of its own, so that no other test has keys there.
      const start = 9_000_000_000_000 + Math.floor(performance.now() * 1e6);
      const at = (ms: number, changes: Partial<ApiKey> = {}) => keyOf({ expiresAt: start + ms, ...changes });
      const [last, first, warnedFar] = [at(30), at(10), at(20, { warnedDays: 30 })];
      const others = [at(0), at(50), at(5, { revokedAt: 1 }), at(6, { suspendedAt: 1 }), at(7, { warnedDays: 7 })];
      for (const key of [last, first, warnedFar, ...others, keyOf()]) await keys.insert(key);
      const expiring = (limit: number) => keys.listExpiring(start + 50, start, 7, limit);
      expect(await expiring(10)).to.deep.equal([first, warnedFar, last]);
      expect(await expiring(1)).to.deep.equal([first]);
    });

    it('marks as warned once for 50 at once, never farther, and leaves the version alone', async () => {
      const key = keyOf({ expiresAt: T });
      await keys.insert(key);
      expect(countTrue(await parallel(50, () => keys.markWarned(key.id, 30)))).to.equal(1);
      expect(await keys.markWarned(key.id, 7)).to.equal(true);
      expect(await keys.markWarned(key.id, 30)).to.equal(false);
      expect((await keys.find(key.id))?.key).to.deep.equal({ ...key, warnedDays: 7 });
      expect(await keys.markWarned(newId('key'), 7)).to.equal(false);
    });
  });
}
