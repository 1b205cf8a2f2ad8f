import { expect } from 'chai';
import { auditOf, call, good, newKey, newPerson, outcome, type Person } from '../../support/api-client.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

describe('an Idempotency-Key', () => {
  let harness: Harness;
  let ada: Person;
  let eve: Person;
  before(async () => {
    harness = await startHarness();
    [ada, eve] = [await newPerson(harness), await newPerson(harness)];
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const create = (as: string, key: string, body: object | string) =>
    call(harness, 'POST /v1/api-keys', { as, body, headers: { 'idempotency-key': key } });
  const keysOf = async (as: string): Promise<{ id: string }[]> =>
    (await good(call(harness, 'GET /v1/api-keys?limit=200', { as }))).data;

  it('makes one API key of 50 identical requests at once, and 50 identical answers', async () => {
    const person = await newPerson(harness);
    const body = { name: 'Fifty', scopes: ['read', 'write'] };
    const replies = await Promise.all(Array.from({ length: 50 }, () => create(person.token, 'one-of-fifty', body)));
    expect(new Set(replies.map(({ status }) => status))).to.deep.equal(new Set([201]));
    expect(new Set(replies.map(({ text }) => text)).size).to.equal(1);
    expect(await keysOf(person.token)).to.have.length(1);
    expect(await auditOf(harness, 'api_key.created', person.id)).to.have.length(1);
    expect((await call(harness, 'GET /v1/auth/me', { as: replies[0]?.json().key })).status).to.equal(200);
  });

  it('rotates a key once for 50 identical requests at once, and gives 50 identical secrets', async () => {
    for (const overlap of [0, 60]) {
      const person = await newPerson(harness);
      const { id } = await newKey(harness, person);
      const replies = await Promise.all(
        Array.from({ length: 50 }, () =>
          call(harness, `POST /v1/api-keys/${id}/rotate`, {
            as: person.token,
            body: { overlap_seconds: overlap },
            headers: { 'idempotency-key': 'rotate-once' },
          }),
        ),
      );
      expect(new Set(replies.map(({ status }) => status))).to.deep.equal(new Set([200]));
      expect(new Set(replies.map((reply) => reply.json().key)).size).to.equal(1);
      expect(await auditOf(harness, 'api_key.rotated', person.id)).to.have.length(1);
    }
  });

  it('makes one provider key of 20 identical requests at once', async () => {
    const person = await newPerson(harness);
    const body = { provider: 'openai', value: 'sk-proj-the-same-value-twenty-times' };
    const replies = await Promise.all(
      Array.from({ length: 20 }, () =>
        call(harness, 'POST /v1/provider-keys', {
          as: person.token,
          body,
          headers: { 'idempotency-key': 'one-of-twenty' },
        }),
      ),
    );
    expect(replies.map(({ status }) => status)).to.deep.equal(Array(20).fill(201));
    expect(new Set(replies.map((reply) => reply.json().id)).size).to.equal(1);
    expect((await good(call(harness, 'GET /v1/provider-keys', { as: person.token }))).data).to.have.length(1);
  });

  it('knows its request whatever the order of its members, and refuses another one', async () => {
    const first = await good(create(ada.token, 'order', '{"name":"Order","scopes":["read"]}'));
    expect((await good(create(ada.token, 'order', '{"scopes": ["read"], "name": "Order"}'))).key).to.equal(first.key);
    for (const body of [{ name: 'Other', scopes: ['read'] }, { name: 'Order' }]) {
      expect(await outcome(create(ada.token, 'order', body))).to.equal('422 idempotency_mismatch');
    }
  });

  it('is one’s own: of another person, or of a key of the same person, it is another request', async () => {
    const body = { name: 'Own' };
    const mine = await good(create(ada.token, 'own', body));
    expect((await good(create(eve.token, 'own', body))).id).to.not.equal(mine.id);
    const manager = await newKey(harness, ada, { scopes: ['manage', 'read'] });
    expect((await good(create(manager.key, 'own', body))).id).to.not.equal(mine.id);
    // Another sign-in of the same person is the same person.
    const { signIn } = await import('../../support/api-client.ts');
    expect((await good(create((await signIn(harness, ada)).token, 'own', body))).key).to.equal(mine.key);
  });

  it('of a request that was refused makes nothing, and can be used for the right one', async () => {
    expect((await create(ada.token, 'refused', { name: '' })).status).to.equal(400);
    expect((await create(ada.token, 'refused', { name: 'Right' })).status).to.equal(201);
  });

  it('tells the secret to nobody who has lost the right to it', async () => {
    const person = await newPerson(harness);
    await good(create(person.token, 'lost', { name: 'Lost', scopes: ['write'] }));
    await harness.services.manageAccounts.setScopes(person.id, ['read', 'manage']);
    const again = create(person.token, 'lost', { name: 'Lost', scopes: ['write'] });
    expect(await outcome(again)).to.equal('403 insufficient_scope');
  });

  it('is of printable ASCII, and not too long', async () => {
    for (const key of ['x'.repeat(256), 'with space', '\u00e9']) {
      expect(await outcome(create(ada.token, key, { name: 'Odd' })), key).to.equal('400 invalid_request');
    }
    expect((await create(ada.token, 'x'.repeat(255), { name: 'Long' })).status).to.equal(201);
  });
});
