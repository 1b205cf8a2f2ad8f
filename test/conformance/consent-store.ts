import { expect } from 'chai';
import type { Consent } from '../../src/domain/consents/consent.ts';
import type { ConsentStore } from '../../src/domain/consents/consent-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_TEXT, parallel } from './parallel.ts';

export const consentOf = (changes: Partial<Consent> = {}): Consent => ({
  accountId: newId('acc'),
  clientId: newId('client'),
  scopes: ['openid', 'email'],
  claims: ['name'],
  resources: { 'https://api.example.com': ['read', AWKWARD_TEXT] },
  updatedAt: 1_700_000_000_123,
  ...changes,
});

export function consentStoreSuite(open: () => Promise<ConsentStore>): void {
  describe('consent store', () => {
    let consents: ConsentStore;
    before(async () => {
      consents = await open();
    });

    it('keeps every field and replaces them all', async () => {
      const first = consentOf();
      await consents.save(first);
      expect(await consents.find(first.accountId, first.clientId)).to.deep.equal(first);
      const second = { ...first, scopes: [], claims: [], resources: {}, updatedAt: 1_800_000_000_000 };
      await consents.save(second);
      expect(await consents.find(first.accountId, first.clientId)).to.deep.equal(second);
    });

    it('is apart for every pair of account and client', async () => {
      const saved = consentOf();
      await consents.save(saved);
      expect(await consents.find(saved.accountId, newId('client'))).to.equal(null);
      expect(await consents.find(newId('acc'), saved.clientId)).to.equal(null);
      expect(await consents.find(saved.clientId, saved.accountId)).to.equal(null);
    });

    it('survives 50 parallel saves of one pair', async () => {
      const saved = consentOf();
      await parallel(50, (index) => consents.save({ ...saved, updatedAt: index }));
      expect((await consents.find(saved.accountId, saved.clientId))?.updatedAt).to.be.within(0, 49);
    });

    it('removes one, those of an account, those of a client', async () => {
      const saved = consentOf();
      const sameAccount = consentOf({ accountId: saved.accountId });
      const sameClient = consentOf({ clientId: saved.clientId });
      const exists = async ({ accountId, clientId }: Consent) => (await consents.find(accountId, clientId)) !== null;
      for (const each of [saved, sameAccount, sameClient]) await consents.save(each);

      expect(await consents.remove(saved.accountId, saved.clientId)).to.equal(true);
      expect(await consents.remove(saved.accountId, saved.clientId)).to.equal(false);
      expect([await exists(sameAccount), await exists(sameClient)]).to.deep.equal([true, true]);

      await consents.removeByAccount(saved.accountId);
      expect([await exists(sameAccount), await exists(sameClient)]).to.deep.equal([false, true]);
      await consents.removeByClient(saved.clientId);
      expect(await exists(sameClient)).to.equal(false);
    });
  });
}
