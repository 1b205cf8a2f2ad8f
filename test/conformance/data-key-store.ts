import { expect } from 'chai';
import { DATA_KEY_NAMES, type DataKeyName } from '../../src/domain/data-keys/data-key.ts';
import type { DataKeyStore } from '../../src/domain/data-keys/data-key-store.ts';
import { countTrue, parallel } from './parallel.ts';

/** Needs an empty store: the names are few and fixed. */
export function dataKeyStoreSuite(open: () => Promise<DataKeyStore>): void {
  describe('data key store', () => {
    let keys: DataKeyStore;
    before(async () => {
      keys = await open();
    });
    const sealedOf = async (name: DataKeyName) => (await keys.list()).find((key) => key.name === name)?.sealed;

    it('lets exactly one of 50 processes that start at once write the keys, all of them', async () => {
      const results = await parallel(50, (index) =>
        keys.insertAll(DATA_KEY_NAMES.map((name) => ({ name, sealed: `v1.${index}`, createdAt: 17e11 }))),
      );
      expect(countTrue(results)).to.equal(1);
      const rows = await keys.list();
      expect(rows.map(({ name }) => name)).to.have.members([...DATA_KEY_NAMES]);
      expect(new Set(rows.map(({ sealed }) => sealed))).to.deep.equal(new Set([`v1.${results.indexOf(true)}`]));
      expect(rows[0]?.createdAt).to.equal(17e11);
    });

    it('inserts none of several when one of them exists', async () => {
      await keys.insertAll([{ name: 'digest', sealed: 'v1.0', createdAt: 17e11 }]);
      const before = await keys.list();
      const more = (['digest', 'api-key.901', 'api-key.902'] as const).map((name) => ({
        name,
        sealed: 'x',
        createdAt: 1,
      }));
      expect(await keys.insertAll(more)).to.equal(false);
      expect(await keys.insertAll([...more].reverse())).to.equal(false);
      expect(await keys.list()).to.deep.equal(before);
    });

    it('reseals only what was not resealed since', async () => {
      const from = (await sealedOf('digest')) ?? '';
      const results = await parallel(20, (index) => keys.reseal('digest', from, `v2.${index}`));
      expect(countTrue(results)).to.equal(1);
      expect(await sealedOf('digest')).to.equal(`v2.${results.indexOf(true)}`);
    });
  });
}
