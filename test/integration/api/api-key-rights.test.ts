import { expect } from 'chai';
import { call, good, isAccepted, newKey, newPerson, outcome, type Person, verify } from '../../support/api-client.ts';
import { createClient, obtainTokens } from '../../support/builders.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const ALL = ['read', 'write', 'manage'];

describe('the rights of an API key', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const create = (as: string, given: object) =>
    call(harness, 'POST /v1/api-keys', { as, body: { name: 'A key', ...given } });

  it('are the usual ones unless asked for, and never more than there are', async () => {
    expect((await newKey(harness, ada)).scopes).to.deep.equal(['read']);
    for (const scopes of [['nonsense'], ['read', 'openid'], ['READ'], ['read ']]) {
      const reply = await create(ada.token, { scopes });
      expect(reply.status, scopes.join()).to.equal(400);
      expect(reply.json().fields[0].field, scopes.join()).to.match(/^scopes(\.\d+)?$/);
    }
    // Nobody lends out what resource servers are trusted with.
    expect(await outcome(create(ada.token, { scopes: ['provider-keys:use'] }))).to.equal('403 insufficient_scope');
  });

  it('are never more than the owner has', async () => {
    const owner = await newPerson(harness);
    await harness.services.manageAccounts.setScopes(owner.id, ['read', 'manage']);
    expect(await outcome(create(owner.token, { scopes: ['read', 'write'] }))).to.equal('403 insufficient_scope');
    expect((await create(owner.token, { scopes: ['read', 'manage'] })).status).to.equal(201);
  });

  it('are never more than those of the key that made it', async () => {
    const maker = await newKey(harness, ada, { scopes: ['manage'] });
    for (const scopes of [['read'], ALL]) {
      expect(await outcome(create(maker.key, { scopes }))).to.equal('403 insufficient_scope');
    }
    expect((await good(create(maker.key, { scopes: ['manage'] }))).scopes).to.deep.equal(['manage']);
    // Of the usual ones it has none to give.
    expect(await outcome(create(maker.key, {}))).to.equal('400 invalid_request');
    // Nor by taking over a key that has more.
    const better = await newKey(harness, ada, { scopes: ALL });
    const taken = call(harness, `POST /v1/api-keys/${better.id}/rotate`, { as: maker.key });
    expect(await outcome(taken)).to.equal('403 insufficient_scope');
    expect(await isAccepted(harness, better.key)).to.equal(true);
  });

  it('need `manage` to manage anything, and a sign-in for what only the owner does', async () => {
    const plain = await newKey(harness, ada, { scopes: ['read', 'write'] });
    for (const request of [
      'GET /v1/api-keys',
      'POST /v1/api-keys',
      `GET /v1/api-keys/${plain.id}`,
      `PATCH /v1/api-keys/${plain.id}`,
      `POST /v1/api-keys/${plain.id}/rotate`,
      `DELETE /v1/api-keys/${plain.id}`,
      'GET /v1/provider-keys',
      'POST /v1/provider-keys',
      'GET /v1/provider-keys/pvk_x',
      'PATCH /v1/provider-keys/pvk_x',
      'POST /v1/provider-keys/pvk_x/default',
      'DELETE /v1/provider-keys/pvk_x',
      'GET /v1/usage',
    ]) {
      const reply = await call(harness, request, { as: plain.key });
      expect(await outcome(reply), request).to.equal('403 insufficient_scope');
      expect(reply.json().required_scope).to.equal('manage');
      expect(reply.headers['www-authenticate']).to.contain('error="insufficient_scope"').and.contain('scope="manage"');
    }
    const manager = await newKey(harness, ada, { scopes: ALL });
    for (const request of [
      'GET /v1/auth/sessions',
      'DELETE /v1/auth/sessions/ses_x',
      'POST /v1/auth/password',
      `POST /v1/api-keys/${plain.id}/resume`,
      'GET /v1/clients',
      'POST /v1/clients',
      'POST /v1/clients/x/rotate',
      'DELETE /v1/clients/x',
    ]) {
      expect(await outcome(call(harness, request, { as: manager.key })), request).to.equal('403 insufficient_scope');
    }
    expect((await call(harness, 'GET /v1/api-keys', { as: manager.key })).status).to.equal(200);
    expect(await isAccepted(harness, plain.key)).to.equal(true);
  });

  it('shrink at once with those of the owner', async () => {
    const owner = await newPerson(harness);
    const { key } = await newKey(harness, owner, { scopes: ALL });
    const scopesNow = async (): Promise<string[]> => (await verify(harness, key)).json().scopes;
    expect(await scopesNow()).to.deep.equal(ALL);
    await harness.services.manageAccounts.setScopes(owner.id, ['read']);
    expect(await scopesNow()).to.deep.equal(['read']);
    expect(await outcome(verify(harness, key, { required_scopes: ['write'] }))).to.equal('403 insufficient_scope');
    expect(await outcome(call(harness, 'GET /v1/api-keys', { as: key }))).to.equal('403 insufficient_scope');
    await harness.services.manageAccounts.setScopes(owner.id, null);
    expect(await scopesNow()).to.deep.equal(ALL);
  });

  it('end at once with an owner who is disabled, and come back with them', async () => {
    const owner = await newPerson(harness);
    const { key } = await newKey(harness, owner);
    expect(await isAccepted(harness, key)).to.equal(true);
    await harness.services.manageAccounts.disable(owner.id);
    expect(await isAccepted(harness, key)).to.equal(false);
    await harness.services.manageAccounts.enable(owner.id);
    expect(await isAccepted(harness, key)).to.equal(true);
  });

  describe('by environment', () => {
    it('are one or the other: no key passes for a key of the other environment', async () => {
      const live = await newKey(harness, ada, { environment: 'live' });
      const test = await newKey(harness, ada, { environment: 'test' });
      expect(live.key).to.match(/^gh_live_/);
      expect(test.key).to.match(/^gh_test_/);
      for (const [mine, other] of [
        [live, 'test'],
        [test, 'live'],
      ] as const) {
        expect((await verify(harness, mine.key, { environment: mine.environment })).status).to.equal(200);
        expect(await outcome(verify(harness, mine.key, { environment: other }))).to.equal('401 unauthenticated');
        // Written anew with the other prefix, and with a checksum that is right, it is nobody's.
        const { checksum } = await import('../../../src/kit/checksum.ts');
        const unchecked = `gh_${other}_${mine.key.slice(8, -6)}`;
        expect(await isAccepted(harness, unchecked + checksum(unchecked))).to.equal(false);
      }
      expect(await outcome(create(ada.token, { environment: 'staging' }))).to.equal('400 invalid_request');
    });

    it('make keys of their own environment only', async () => {
      const test = await newKey(harness, ada, { environment: 'test', scopes: ALL });
      expect((await good(create(test.key, {}))).environment).to.equal('test');
      expect(await outcome(create(test.key, { environment: 'live' }))).to.equal('403 insufficient_scope');
    });

    it('see, change and end keys of their own environment only', async () => {
      const owner = await newPerson(harness);
      const live = await newKey(harness, owner, { environment: 'live', scopes: ALL });
      const test = await newKey(harness, owner, { environment: 'test', scopes: ALL });
      const { data } = await good(call(harness, 'GET /v1/api-keys', { as: test.key }));
      expect(data.map(({ id }: { id: string }) => id)).to.deep.equal([test.id]);
      const asked = await call(harness, 'GET /v1/api-keys?environment=live', { as: test.key });
      expect(asked.text).to.not.contain(live.id);
      const requests: [string, object?][] = [
        [`GET /v1/api-keys/${live.id}`],
        [`PATCH /v1/api-keys/${live.id}`, { name: 'Taken' }],
        [`POST /v1/api-keys/${live.id}/rotate`, {}],
        [`DELETE /v1/api-keys/${live.id}`],
      ];
      for (const [request, body] of requests) {
        const reply = call(harness, request, { as: test.key, ...(body ? { body } : {}) });
        expect(await outcome(reply), request).to.equal('404 not_found');
      }
      expect(await isAccepted(harness, live.key)).to.equal(true);
    });
  });

  it('to manage are no rights of an app: its token needs the scope and our own audience', async () => {
    const web = await createClient(harness, { scopes: ['openid', 'read', 'manage'], resources: [harness.issuer] });
    const who = { email: ada.email, password: ada.password };
    const reads = await obtainTokens(harness, web, { who, scope: 'openid read', resource: harness.issuer });
    expect(await outcome(call(harness, 'GET /v1/api-keys', { as: reads.access_token }))).to.equal(
      '403 insufficient_scope',
    );
    const manages = await obtainTokens(harness, web, { who, scope: 'openid manage', resource: harness.issuer });
    expect((await call(harness, 'GET /v1/api-keys', { as: manages.access_token })).status).to.equal(200);
    // One that is for userinfo alone says who somebody is to the app it was given to, and opens nothing here.
    const plain = await obtainTokens(harness, web, { who, scope: 'openid', resource: undefined });
    expect(await outcome(call(harness, 'GET /v1/auth/me', { as: plain.access_token }))).to.equal('401 unauthenticated');
  });
});
