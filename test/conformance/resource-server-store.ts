import { expect } from 'chai';
import type { ResourceServer } from '../../src/domain/resources/resource-server.ts';
import type { ResourceServerStore } from '../../src/domain/resources/resource-server-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_TEXT, countTrue, parallel } from './parallel.ts';

export const resourceOf = (changes: Partial<ResourceServer> = {}): ResourceServer => ({
  identifier: `https://api.example.com/${newId('r')}`,
  name: 'An API',
  scopes: [],
  accessTokenFormat: 'jwt',
  accessTokenLifetimeSeconds: 600,
  clientId: newId('client'),
  createdAt: 1_700_000_000_000,
  ...changes,
});

export function resourceServerStoreSuite(open: () => Promise<ResourceServerStore>): void {
  describe('resource server store', () => {
    let resources: ResourceServerStore;
    before(async () => {
      resources = await open();
    });

    it('keeps every field, also under the longest identifier', async () => {
      const identifier = `https://api.example.com/${newId('r')}`.padEnd(512, 'x');
      const scopes = [{ name: 'read', description: AWKWARD_TEXT }];
      const full = resourceOf({ identifier, name: AWKWARD_TEXT, scopes, accessTokenFormat: 'opaque' });
      expect(await resources.insert(full)).to.equal(true);
      expect(await resources.find(identifier)).to.deep.equal(full);
    });

    it('takes an identifier once, and tells identifiers apart that differ in case or a slash', async () => {
      const { identifier } = resourceOf();
      expect(countTrue(await parallel(20, () => resources.insert(resourceOf({ identifier }))))).to.equal(1);
      expect(await resources.find(`${identifier}/`)).to.equal(null);
      expect(await resources.find(identifier.toUpperCase())).to.equal(null);
      expect(await resources.find('\u0000')).to.equal(null);
    });

    it('lists all, ordered by identifier', async () => {
      const inserted = [resourceOf(), resourceOf(), resourceOf()];
      for (const each of inserted) await resources.insert(each);
      const all = (await resources.list()).map(({ identifier }) => identifier);
      expect(all).to.include.members(inserted.map(({ identifier }) => identifier));
      expect(all).to.deep.equal([...all].sort());
    });

    it('removes, once', async () => {
      const inserted = resourceOf();
      await resources.insert(inserted);
      expect(countTrue(await parallel(10, () => resources.remove(inserted.identifier)))).to.equal(1);
      expect(await resources.find(inserted.identifier)).to.equal(null);
    });
  });
}
