import { expect } from 'chai';
import type { Client } from '../../src/domain/clients/client.ts';
import type { ClientStore } from '../../src/domain/clients/client-store.ts';
import { newId } from '../../src/kit/ids.ts';
import { AWKWARD_TEXT, countTrue, parallel } from './parallel.ts';

export const clientOf = (changes: Partial<Client> = {}): Client => ({
  id: newId('client'),
  name: 'A client',
  applicationType: 'web',
  authMethod: 'client_secret_basic',
  grantTypes: [],
  redirectUris: [],
  postLogoutRedirectUris: [],
  scopes: [],
  resources: [],
  allowedOrigins: [],
  requirePkce: true,
  jwks: [],
  secrets: [],
  certificateThumbprints: [],
  tokenBinding: null,
  ownerId: null,
  createdAt: 1_700_000_000_000,
  updatedAt: 1_700_000_000_000,
  ...changes,
});

export function clientStoreSuite(open: () => Promise<ClientStore>): void {
  describe('client store', () => {
    let clients: ClientStore;
    before(async () => {
      clients = await open();
    });

    it('keeps every field', async () => {
      const full = clientOf({
        name: AWKWARD_TEXT,
        applicationType: 'native',
        authMethod: 'private_key_jwt',
        grantTypes: ['authorization_code', 'refresh_token'],
        redirectUris: ['https://app.example.com/callback?a=1&b=%20', 'com.example.app:/callback'],
        postLogoutRedirectUris: ['https://app.example.com/'],
        scopes: ['openid', 'read:things'],
        resources: ['https://api.example.com'],
        allowedOrigins: ['https://app.example.com'],
        requirePkce: false,
        jwks: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: AWKWARD_TEXT }],
        secrets: [
          { digest: 'a'.repeat(43), createdAt: 1, expiresAt: 2 },
          { digest: 'b'.repeat(43), createdAt: 2, expiresAt: null },
        ],
        certificateThumbprints: ['c'.repeat(43), 'd'.repeat(43)],
        tokenBinding: 'mtls',
        ownerId: newId('acc'),
      });
      const empty = clientOf();
      for (const inserted of [full, empty]) {
        expect(await clients.insert(inserted)).to.equal(true);
        expect(await clients.find(inserted.id)).to.deep.equal(inserted);
      }
    });

    it('returns null for what is not there, whatever it is made of', async () => {
      for (const id of ['', '\u0000', "' or '1'='1", 'x'.repeat(5000)]) expect(await clients.find(id)).to.equal(null);
    });

    it('takes an id once, and tells ids apart that differ in case', async () => {
      const id = newId('Client');
      expect(countTrue(await parallel(20, () => clients.insert(clientOf({ id }))))).to.equal(1);
      expect(await clients.insert(clientOf({ id: id.toLowerCase() }))).to.equal(true);
      expect((await clients.find(id))?.id).to.equal(id);
    });

    it('updates all fields when nobody did since', async () => {
      const inserted = clientOf();
      await clients.insert(inserted);
      const changed = clientOf({
        id: inserted.id,
        name: 'Changed',
        requirePkce: false,
        scopes: ['a'],
        updatedAt: 2e12,
      });
      expect(await clients.update(changed, inserted.updatedAt)).to.equal(true);
      expect(await clients.find(inserted.id)).to.deep.equal(changed);
      expect(await clients.update({ ...changed, updatedAt: 3e12 }, inserted.updatedAt), 'stale').to.equal(false);
      expect(await clients.find(inserted.id)).to.deep.equal(changed);
      expect(await clients.update(clientOf(), 1), 'unknown').to.equal(false);
    });

    it('lets exactly one of 50 operators that read the same version write theirs', async () => {
      const inserted = clientOf();
      await clients.insert(inserted);
      const results = await parallel(50, (index) =>
        clients.update(
          { ...inserted, name: `${index}`, updatedAt: inserted.updatedAt + 1 + index },
          inserted.updatedAt,
        ),
      );
      expect(countTrue(results)).to.equal(1);
      expect((await clients.find(inserted.id))?.name).to.equal(`${results.indexOf(true)}`);
    });

    it('removes, once', async () => {
      const inserted = clientOf();
      await clients.insert(inserted);
      expect(countTrue(await parallel(10, () => clients.remove(inserted.id)))).to.equal(1);
      expect(await clients.find(inserted.id)).to.equal(null);
    });

    it('lists the clients of one owner, newest first', async () => {
      const ownerId = newId('acc');
      const [old, new1, new2] = [
        clientOf({ ownerId, createdAt: 1 }),
        clientOf({ ownerId, createdAt: 2, id: newId('a') }),
        clientOf({ ownerId, createdAt: 2, id: newId('b') }),
      ];
      for (const each of [new1, old, new2, clientOf({ ownerId: newId('acc') })]) await clients.insert(each);
      expect(await clients.listByOwner(ownerId)).to.deep.equal([new2, new1, old]);
      expect(await clients.listByOwner(newId('acc'))).to.deep.equal([]);
    });

    it('lists page by page, ordered by id', async () => {
      for (const prefix of ['a', 'B', 'c', '_']) await clients.insert(clientOf({ id: newId(prefix) }));
      const all = (await clients.list({ limit: 1000 })).map(({ id }) => id);
      expect(all).to.deep.equal([...all].sort());
      const [first, second, third] = all;
      expect((await clients.list({ limit: 2, after: first ?? '' })).map(({ id }) => id)).to.deep.equal([second, third]);
    });
  });
}
