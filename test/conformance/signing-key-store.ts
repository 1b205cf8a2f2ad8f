import { expect } from 'chai';
import type { SigningKey } from '../../src/domain/signing-keys/signing-key.ts';
import type { SigningKeyStore } from '../../src/domain/signing-keys/signing-key-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { countTrue, parallel } from './parallel.ts';

const signingKey = (changes: Partial<SigningKey> = {}): SigningKey => ({
  kid: newId('kid'),
  algorithm: 'ES256',
  state: 'published',
  publicJwk: '{"kty":"EC"}',
  sealedPrivateJwk: `v1.${'s'.repeat(3000)}`,
  createdAt: 1_700_000_000_000,
  stateSince: 1_700_000_000_001,
  ...changes,
});

export function signingKeyStoreSuite(open: () => Promise<SigningKeyStore>): void {
  describe('signing key store', () => {
    let keys: SigningKeyStore;
    before(async () => {
      keys = await open();
    });
    const find = async (kid: string) => (await keys.list()).find((key) => key.kid === kid);

    it('keeps every field and takes a kid once', async () => {
      const key = signingKey({ algorithm: 'RS256', state: 'retired' });
      expect(countTrue(await parallel(20, () => keys.insert(key)))).to.equal(1);
      expect(await find(key.kid)).to.deep.equal(key);
    });

    it('lists oldest first', async () => {
      const older = signingKey({ createdAt: 1000 });
      const newer = signingKey({ createdAt: 1001 });
      await keys.insert(newer);
      await keys.insert(older);
      const kids = (await keys.list()).map(({ kid }) => kid);
      expect(kids.indexOf(older.kid)).to.be.below(kids.indexOf(newer.kid));
    });

    it('moves several keys together', async () => {
      const next = signingKey();
      const present = signingKey({ state: 'active' });
      await keys.insert(next);
      await keys.insert(present);
      const moves = [
        { kid: next.kid, from: 'published', to: 'active' },
        { kid: present.kid, from: 'active', to: 'retired' },
      ] as const;
      expect(await keys.transition(moves, 1_800_000_000_000)).to.equal(true);
      expect(await find(next.kid)).to.deep.equal({ ...next, state: 'active', stateSince: 1_800_000_000_000 });
      expect(await find(present.kid)).to.deep.equal({ ...present, state: 'retired', stateSince: 1_800_000_000_000 });
    });

    it('moves none when one is not in the state named or not there', async () => {
      const next = signingKey();
      const other = signingKey({ state: 'retired' });
      await keys.insert(next);
      await keys.insert(other);
      for (const kid of [other.kid, newId('kid')]) {
        const moves = [
          { kid: next.kid, from: 'published', to: 'active' },
          { kid, from: 'active', to: 'retired' },
        ] as const;
        expect(await keys.transition(moves, 5)).to.equal(false);
        expect(await find(next.kid)).to.deep.equal(next);
      }
    });

    it('lets exactly one of 20 parallel rotations through', async () => {
      const next = signingKey();
      const present = signingKey({ state: 'active' });
      await keys.insert(next);
      await keys.insert(present);
      const moves = [
        { kid: next.kid, from: 'published', to: 'active' },
        { kid: present.kid, from: 'active', to: 'retired' },
      ] as const;
      // In either order, as two versions of the program might.
      const results = await parallel(20, (index) => keys.transition(index % 2 ? moves : [...moves].reverse(), index));
      expect(countTrue(results)).to.equal(1);
      expect([(await find(next.kid))?.state, (await find(present.kid))?.state]).to.deep.equal(['active', 'retired']);
    });

    it('reseals only what was not resealed since', async () => {
      const key = signingKey();
      await keys.insert(key);
      const results = await parallel(20, (index) => keys.reseal(key.kid, key.sealedPrivateJwk, `v1.${index}`));
      expect(countTrue(results)).to.equal(1);
      expect((await find(key.kid))?.sealedPrivateJwk).to.equal(`v1.${results.indexOf(true)}`);
    });

    it('removes, once', async () => {
      const key = signingKey();
      await keys.insert(key);
      expect(countTrue(await parallel(10, () => keys.remove(key.kid)))).to.equal(1);
      expect(await find(key.kid)).to.equal(undefined);
    });
  });
}
