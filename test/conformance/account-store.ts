import { expect } from 'chai';
import { type Account, normalizeEmail } from '../../src/domain/accounts/account.ts';
import type { AccountStore } from '../../src/domain/accounts/account-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_TEXT, countTrue, parallel } from './parallel.ts';

export const accountOf = (changes: Partial<Account> = {}): Account => ({
  id: newId('acc'),
  email: `${newId('Ada')}@Example.com`,
  emailVerified: false,
  passwordHash: null,
  givenName: null,
  familyName: null,
  scopes: null,
  disabledAt: null,
  signedOutAt: null,
  createdAt: 1_700_000_000_123,
  updatedAt: 1_700_000_000_123,
  ...changes,
});

export function accountStoreSuite(open: () => Promise<AccountStore>): void {
  describe('account store', () => {
    let accounts: AccountStore;
    before(async () => {
      accounts = await open();
    });

    it('keeps every field', async () => {
      const full = accountOf({
        emailVerified: true,
        passwordHash: `$argon2id$v=19$${'x'.repeat(300)}`,
        givenName: AWKWARD_TEXT,
        familyName: '',
        scopes: ['memories:read', 'keys:write'],
        disabledAt: 1_700_000_000_456,
      });
      const empty = accountOf();
      for (const inserted of [full, empty]) {
        expect(await accounts.insert(inserted)).to.equal(true);
        expect(await accounts.find(inserted.id)).to.deep.equal(inserted);
      }
    });

    it('removes one, whose address is free then', async () => {
      const [removed, other] = [accountOf(), accountOf()];
      for (const account of [removed, other]) await accounts.insert(account);
      expect(countTrue(await parallel(50, () => accounts.remove(removed.id)))).to.equal(1);
      expect(await accounts.find(removed.id)).to.equal(null);
      expect(await accounts.find(other.id)).to.deep.equal(other);
      expect(await accounts.insert(accountOf({ email: removed.email }))).to.equal(true);
    });

    it('finds by normalized email', async () => {
      const inserted = accountOf();
      await accounts.insert(inserted);
      expect(await accounts.findByEmail(normalizeEmail(inserted.email) ?? '')).to.deep.equal(inserted);
      expect(await accounts.findByEmail('nobody@example.com')).to.equal(null);
    });

    it('returns null for what is not there, whatever it is made of', async () => {
      for (const id of ['', '\u0000', "' or '1'='1", 'x'.repeat(5000)]) {
        expect(await accounts.find(id)).to.equal(null);
        expect(await accounts.findByEmail(id)).to.equal(null);
      }
    });

    it('refuses an email that differs from a taken one only in case or width', async () => {
      const name = newId('bob');
      expect(await accounts.insert(accountOf({ email: `${name}@example.com` }))).to.equal(true);
      expect(await accounts.insert(accountOf({ email: `${name.toUpperCase()}@EXAMPLE.com` }))).to.equal(false);
      expect(await accounts.insert(accountOf({ email: `${name}＠example.com` }))).to.equal(false);
    });

    it('takes two emails that differ in an accent', async () => {
      const name = newId('zoe');
      expect(await accounts.insert(accountOf({ email: `${name}e@example.com` }))).to.equal(true);
      expect(await accounts.insert(accountOf({ email: `${name}é@example.com` }))).to.equal(true);
    });

    it('lets exactly one of 50 parallel sign-ups with one email through', async () => {
      const email = `${newId('eve')}@example.com`;
      expect(countTrue(await parallel(50, () => accounts.insert(accountOf({ email }))))).to.equal(1);
    });

    it('updates the given fields only', async () => {
      const inserted = accountOf({ givenName: 'Ada', familyName: 'King' });
      await accounts.insert(inserted);
      const change = { emailVerified: true, givenName: null, familyName: undefined, disabledAt: 5 };
      expect(await accounts.update(inserted.id, change, 1_700_000_000_999)).to.equal(true);
      expect(await accounts.find(inserted.id)).to.deep.equal({
        ...inserted,
        emailVerified: true,
        givenName: null,
        disabledAt: 5,
        updatedAt: 1_700_000_000_999,
      });
      expect(await accounts.update(inserted.id, {}, 1_700_000_000_999), 'the same again').to.equal(true);
      expect(await accounts.update(newId('acc'), change, 1)).to.equal(false);
    });

    it('changes the scopes to a list, an empty one and back to all', async () => {
      const inserted = accountOf();
      await accounts.insert(inserted);
      for (const scopes of [['read'], [], null]) {
        await accounts.update(inserted.id, { scopes }, 1_700_000_000_999);
        expect((await accounts.find(inserted.id))?.scopes).to.deep.equal(scopes);
      }
    });

    it('lists page by page, ordered by id', async () => {
      for (let count = 0; count < 5; count += 1) await accounts.insert(accountOf());
      const seen: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await accounts.list({ limit: 3, ...(after === undefined ? {} : { after }) });
        seen.push(...page.map(({ id }) => id));
        if (page.length < 3) break;
        after = seen.at(-1);
      }
      expect(seen.length).to.be.at.least(5);
      expect(seen).to.deep.equal([...new Set(seen)].sort());
    });
  });
}
