import { expect } from 'chai';
import { call, good, isAccepted, newKey, newPerson, outcome, type Person } from '../../support/api-client.ts';
import { createClient, obtainTokens } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const BOUND = {
  scopes: ['manage', 'read'],
  allowed_addresses: ['127.0.0.0/8', '::1'],
  limit: { quota: 500, window_seconds: 3600 },
  expires_in_days: 1,
};

describe('a bounded key', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  it('does not get the secret of an unbounded sibling by rotating it', async () => {
    const bounded = await newKey(harness, ada, BOUND);
    const sibling = await newKey(harness, ada, { scopes: ['read'], expires_in_days: 3650 });
    const body = { overlap_seconds: 604_800 };
    const reply = await call(harness, `POST /v1/api-keys/${sibling.id}/rotate`, { as: bounded.key, body });
    expect(await outcome(reply)).to.equal('403 insufficient_scope');
    expect(reply.json().detail).to.contain('expires_at, allowed_addresses, limit');
    expect(reply.text).to.not.contain('gh_live_');
    const shown = await good(call(harness, `GET /v1/api-keys/${sibling.id}`, { as: ada.token }));
    expect(shown.rotated_at).to.equal(null);
  });

  it('is not freed by the key it made, nor frees that one', async () => {
    const bounded = await newKey(harness, ada, BOUND);
    const child = await newKey(harness, bounded.key, { scopes: ['manage', 'read'] });
    for (const [by, id] of [
      [child.key, bounded.id],
      [bounded.key, child.id],
      [bounded.key, bounded.id],
    ] as const) {
      for (const body of [{ limit: null }, { allowed_addresses: [] }, { limit: null, allowed_addresses: [] }]) {
        const reply = call(harness, `PATCH /v1/api-keys/${id}`, { as: by, body });
        expect(await outcome(reply)).to.equal('403 insufficient_scope');
      }
    }
    const tight = { limit: { quota: 10, window_seconds: 3600 } };
    expect(
      await good(call(harness, `PATCH /v1/api-keys/${child.id}`, { as: bounded.key, body: tight })),
    ).to.deep.include(tight);
    expect(await isAccepted(harness, bounded.key)).to.equal(true);
  });

  it('is not freed by the token of an app, which may make it tighter', async () => {
    const bounded = await newKey(harness, ada, BOUND);
    const web = await createClient(harness, { scopes: ['openid', 'read', 'manage'], resources: [harness.issuer] });
    const { access_token: app } = await obtainTokens(harness, web, {
      who: { email: ada.email, password: ada.password },
      scope: 'openid read manage',
      resource: harness.issuer,
    });
    const patch = (as: string, body: object) => call(harness, `PATCH /v1/api-keys/${bounded.id}`, { as, body });
    expect(await outcome(patch(app, { limit: null }))).to.equal('403 insufficient_scope');
    expect(await outcome(patch(app, { allowed_addresses: [] }))).to.equal('403 insufficient_scope');
    expect(await outcome(patch(app, { allowed_addresses: ['127.0.0.1', '::1'] }))).to.equal('200');
    // The owner in person undoes what the app did.
    expect(await outcome(patch(ada.token, { allowed_addresses: [], limit: null }))).to.equal('200');
  });

  it('is named by the keys that it made, and takes them along when its owner wants that', async () => {
    const root = await newKey(harness, ada, BOUND);
    const child = await newKey(harness, root.key, { scopes: ['manage', 'read'] });
    const grandchild = await newKey(harness, child.key, { scopes: ['read'] });
    const createdBy = async (id: string): Promise<string> =>
      (await good(call(harness, `GET /v1/api-keys/${id}`, { as: ada.token }))).created_by;
    expect(await createdBy(root.id)).to.equal(ada.id);
    expect(await createdBy(child.id)).to.equal(root.id);
    expect(await createdBy(grandchild.id)).to.equal(child.id);

    const plain = await good(call(harness, `DELETE /v1/api-keys/${root.id}`, { as: ada.token }));
    expect(plain).to.not.have.property('revoked_descendants');
    expect(await isAccepted(harness, grandchild.key)).to.equal(true);
    const all = await good(call(harness, `DELETE /v1/api-keys/${root.id}?descendants=true`, { as: ada.token }));
    expect(all.revoked_descendants).to.have.members([child.id, grandchild.id]);
    expect(all).to.include({ id: root.id, state: 'revoked' });
    for (const { key } of [root, child, grandchild]) expect(await isAccepted(harness, key)).to.equal(false);
    const odd = call(harness, `DELETE /v1/api-keys/${root.id}?descendants=yes`, { as: ada.token });
    expect(await outcome(odd)).to.equal('400 invalid_request');
  });

  it('that is reported as leaked ends with all that it made', async () => {
    const root = await newKey(harness, ada, BOUND);
    const child = await newKey(harness, root.key, { scopes: ['manage'] });
    expect(await isAccepted(harness, child.key)).to.equal(true);
    await good(call(harness, 'POST /v1/leaks', { body: { key: root.key } }));
    expect(await isAccepted(harness, child.key)).to.equal(false);
    const shown = await good(call(harness, `GET /v1/api-keys/${child.id}`, { as: ada.token }));
    expect(shown.state).to.equal('revoked');
  });

  describe('that rotated another within its bounds', () => {
    const WITHIN = { ...BOUND, scopes: ['read'] };
    const rotate = async (id: string, as: string, overlap: number): Promise<string> =>
      (await good(call(harness, `POST /v1/api-keys/${id}/rotate`, { as, body: { overlap_seconds: overlap } }))).key;
    const shown = (id: string) => good(call(harness, `GET /v1/api-keys/${id}`, { as: ada.token }));

    it('is named beside its maker, and takes the key along when its owner wants that', async () => {
      const thief = await newKey(harness, ada, { ...BOUND, expires_in_days: 2 });
      const sibling = await newKey(harness, ada, WITHIN);
      expect((await shown(sibling.id)).rotated_by).to.equal(null);
      const secret = await rotate(sibling.id, thief.key, 0);
      expect(await shown(sibling.id)).to.include({ created_by: ada.id, rotated_by: thief.id });
      expect(await isAccepted(harness, secret)).to.equal(true);
      const all = await good(call(harness, `DELETE /v1/api-keys/${thief.id}?descendants=true`, { as: ada.token }));
      expect(all.revoked_descendants).to.deep.equal([sibling.id]);
      expect(await isAccepted(harness, secret)).to.equal(false);
    });

    it('ends that key with it, and what that one made, when it is reported as leaked', async () => {
      const thief = await newKey(harness, ada, { ...BOUND, expires_in_days: 2 });
      const sibling = await newKey(harness, ada, { ...BOUND, scopes: ['manage', 'read'] });
      const secret = await rotate(sibling.id, thief.key, 0);
      const child = await newKey(harness, secret, { scopes: ['read'] });
      await good(call(harness, 'POST /v1/leaks', { body: { key: thief.key } }));
      for (const each of [secret, child.key]) expect(await isAccepted(harness, each)).to.equal(false);
    });

    it('loses the older secret only, once the owner has rotated the key in person', async () => {
      const thief = await newKey(harness, ada, { ...BOUND, expires_in_days: 2 });
      const sibling = await newKey(harness, ada, WITHIN);
      const stolen = await rotate(sibling.id, thief.key, 0);
      const own = await rotate(sibling.id, ada.token, 86_400);
      for (const each of [stolen, own]) expect(await isAccepted(harness, each)).to.equal(true);
      await good(call(harness, 'POST /v1/leaks', { body: { key: thief.key } }));
      expect(await isAccepted(harness, stolen)).to.equal(false);
      expect(await isAccepted(harness, own)).to.equal(true);
    });
  });

  it('makes no key that may do more at once at the same rate', async () => {
    const maker = await newKey(harness, ada, { scopes: ['manage'], limit: { quota: 10, window_seconds: 1 } });
    const body = { name: 'Burst', scopes: ['manage'], limit: { quota: 864_000, window_seconds: 86_400 } };
    const reply = await call(harness, 'POST /v1/api-keys', { as: maker.key, body });
    expect(await outcome(reply)).to.equal('400 invalid_request');
    expect(reply.json().fields).to.deep.equal([{ field: 'limit', problem: 'is beyond that of the key that asks' }]);
  });
});
