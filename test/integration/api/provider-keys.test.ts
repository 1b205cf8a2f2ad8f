import { expect } from 'chai';
import { auditOf, call, good, newKey, newPerson, outcome, type Person } from '../../support/api-client.ts';
import { type Harness, startHarness } from '../../support/harness.ts';

const OPENAI = 'sk-proj-abcdefghijklmnopqrstuvwxyz';
const SECOND = 'sk-proj-another-key-of-the-same-one';

describe('provider keys', () => {
  let harness: Harness;
  before(async () => {
    harness = await startHarness();
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const add = (as: Person, body: object) => call(harness, 'POST /v1/provider-keys', { as: as.token, body });
  const list = async (as: Person) => (await good(call(harness, 'GET /v1/provider-keys', { as: as.token }))).data;

  it('go in and never come out: only a mask and a fingerprint are shown', async () => {
    const person = await newPerson(harness);
    const reply = await add(person, { provider: 'openai', value: OPENAI, label: 'Work' });
    expect([reply.status, reply.headers['cache-control']]).to.deep.equal([201, 'no-store']);
    const { id } = reply.json();
    expect(reply.json()).to.include({ provider: 'openai', label: 'Work', mask: 'sk-proj-…wxyz', is_default: true });
    const answers = [
      reply,
      await call(harness, `GET /v1/provider-keys/${id}`, { as: person.token }),
      await call(harness, 'GET /v1/provider-keys', { as: person.token }),
      await call(harness, `PATCH /v1/provider-keys/${id}`, { as: person.token, body: { label: 'New' } }),
      await call(harness, `POST /v1/provider-keys/${id}/default`, { as: person.token }),
      await add(person, { provider: 'openai', value: OPENAI }),
    ];
    for (const { text } of answers) expect(text).to.not.contain('abcdefghijkl');
  });

  it('are stored once each: the same value again is a conflict, of another person it is not', async () => {
    const [ada, eve] = [await newPerson(harness), await newPerson(harness)];
    const first = await good(add(ada, { provider: 'openai', value: OPENAI }));
    expect(await outcome(add(ada, { provider: 'openai', value: OPENAI }))).to.equal('409 conflict');
    expect((await add(ada, { provider: 'mistral', value: OPENAI })).status).to.equal(201);
    const other = await good(add(eve, { provider: 'openai', value: OPENAI }));
    // Nobody learns from fingerprints who else has that key.
    expect(other.fingerprint).to.not.equal(first.fingerprint);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => add(eve, { provider: 'groq', value: 'gsk_the_same_value_many_times' })),
    );
    expect(replies.filter(({ status }) => status === 201)).to.have.length(1);
    for (const reply of replies) expect(await outcome(reply)).to.be.oneOf(['201', '409 conflict']);
  });

  it('have one default for each provider, which another can become', async () => {
    const person = await newPerson(harness);
    const first = await good(add(person, { provider: 'openai', value: OPENAI }));
    const second = await good(add(person, { provider: 'openai', value: SECOND }));
    expect([first.is_default, second.is_default]).to.deep.equal([true, false]);
    const third = await good(add(person, { provider: 'openai', value: `${SECOND}3`, make_default: true }));
    const defaults = async () => (await list(person)).filter((key: { is_default: boolean }) => key.is_default);
    expect((await defaults()).map(({ id }: { id: string }) => id)).to.deep.equal([third.id]);
    await Promise.all(
      [first, second, third, first, second].map(({ id }) =>
        call(harness, `POST /v1/provider-keys/${id}/default`, { as: person.token }),
      ),
    );
    expect(await defaults()).to.have.length(1);
  });

  it('can be replaced, keeping their id and place, and deleted', async () => {
    const person = await newPerson(harness);
    const first = await good(add(person, { provider: 'anthropic', value: 'sk-ant-the-first-value-of-it' }));
    const body = { value: 'sk-ant-quite-another-value-of-it', label: 'Newer' };
    const changed = await good(call(harness, `PATCH /v1/provider-keys/${first.id}`, { as: person.token, body }));
    expect(changed).to.include({ id: first.id, label: 'Newer', is_default: true, mask: 'sk-ant-…f-it' });
    expect(changed.fingerprint).to.not.equal(first.fingerprint);
    const gone = () => call(harness, `DELETE /v1/provider-keys/${first.id}`, { as: person.token });
    expect((await gone()).status).to.equal(204);
    expect(await outcome(gone())).to.equal('404 not_found');
    expect(await list(person)).to.deep.equal([]);
    const events = ['provider_key.added', 'provider_key.updated', 'provider_key.removed'];
    for (const type of events) expect(await auditOf(harness, type, person.id)).to.have.length(1);
  });

  it('are nobody else’s: whatever is asked of another’s key, there is none', async () => {
    const [ada, eve] = [await newPerson(harness), await newPerson(harness)];
    const { id } = await good(add(ada, { provider: 'openai', value: OPENAI }));
    const requests: [string, object?][] = [
      [`GET /v1/provider-keys/${id}`],
      [`PATCH /v1/provider-keys/${id}`, { value: SECOND }],
      [`POST /v1/provider-keys/${id}/default`],
      [`DELETE /v1/provider-keys/${id}`],
    ];
    for (const [request, body] of requests) {
      const reply = call(harness, request, { as: eve.token, ...(body ? { body } : {}) });
      expect(await outcome(reply), request).to.equal('404 not_found');
    }
    expect(await list(eve)).to.deep.equal([]);
    expect(await list(ada)).to.have.length(1);
  });

  it('are managed by a key with the scope for that, and by no other', async () => {
    const person = await newPerson(harness);
    const plain = await newKey(harness, person, { scopes: ['read', 'write'] });
    const manager = await newKey(harness, person, { scopes: ['manage'] });
    const body = { provider: 'openai', value: OPENAI };
    expect((await call(harness, 'POST /v1/provider-keys', { as: plain.key, body })).status).to.equal(403);
    expect((await call(harness, 'POST /v1/provider-keys', { as: manager.key, body })).status).to.equal(201);
  });

  it('are refused with the name of the member that is wrong, and without its value', async () => {
    const person = await newPerson(harness);
    const wrong: [object, string][] = [
      [{ provider: 'nobody', value: OPENAI }, 'provider'],
      [{ provider: 'openai', value: 'short' }, 'value'],
      [{ provider: 'openai', value: `${OPENAI} with spaces` }, 'value'],
      [{ provider: 'openai', value: `${OPENAI}\u0000` }, 'value'],
      [{ provider: 'openai', value: `${OPENAI}\u00e9` }, 'value'],
      [{ provider: 'openai', value: OPENAI, label: '\u202eevil' }, 'label'],
      [{ provider: '__proto__', value: OPENAI }, 'provider'],
      [{ value: OPENAI }, 'provider'],
    ];
    for (const [body, field] of wrong) {
      const reply = await add(person, body);
      expect([reply.status, reply.json().fields[0].field], JSON.stringify(body)).to.deep.equal([400, field]);
      expect(reply.text).to.not.contain('abcdefghijkl');
    }
    const { id } = await good(add(person, { provider: 'openai', value: OPENAI }));
    const empty = await call(harness, `PATCH /v1/provider-keys/${id}`, { as: person.token, body: {} });
    expect([empty.status, empty.json().fields[0].field]).to.deep.equal([400, 'value']);
  });

  it('are of the providers that are listed, which anyone may see', async () => {
    const { data } = await good(call(harness, 'GET /v1/providers'));
    expect(data.map(({ name }: { name: string }) => name)).to.include.members(['openai', 'anthropic', 'google']);
    expect(Object.keys(data[0])).to.deep.equal(['name', 'title']);
  });

  it('are not tried out here: nobody adds or replaces more than a few a minute', async () => {
    const person = await newPerson(harness);
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, i) => add(person, { provider: 'openai', value: `sk-trying-out-keys-${i}` })),
    );
    expect(replies.filter(({ status }) => status === 201)).to.have.length(30);
    for (const reply of replies) expect(await outcome(reply)).to.be.oneOf(['201', '429 rate_limit_exceeded']);
  });

  it('are asked about at the provider when the operator wants that; one that is refused is not stored', async () => {
    const asked: { url: string; authorization: string | null }[] = [];
    const answers: Record<string, () => Response> = {
      good: () => new Response('{}'),
      bad: () => new Response('{}', { status: 401 }),
      down: () => {
        throw new Error('no route to host');
      },
    };
    const checking = await startHarness({
      env: { GATEHOUSE_PROVIDER_KEY_CHECK: 'true' },
      outbound: async (url, init) => {
        const authorization = new Headers(init?.headers).get('authorization');
        asked.push({ url: String(url), authorization });
        return (answers[authorization?.split('-')[1] ?? ''] as () => Response)();
      },
    });
    const person = await newPerson(checking);
    const save = (value: string) =>
      call(checking, 'POST /v1/provider-keys', { as: person.token, body: { provider: 'openai', value } });
    expect((await good(save('sk-good-one-of-the-provider'))).checked).to.equal(true);
    expect(await outcome(save('sk-bad-one-of-the-provider'))).to.equal('422 provider_key_refused');
    expect((await good(save('sk-down-while-it-was-asked'))).checked).to.equal(false);
    expect(asked[0]).to.deep.equal({
      url: 'https://api.openai.com/v1/models',
      authorization: 'Bearer sk-good-one-of-the-provider',
    });
    expect((await good(call(checking, 'GET /v1/provider-keys', { as: person.token }))).data).to.have.length(2);
    await checking[Symbol.asyncDispose]();
  });
});
