import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { addPepper } from '../../../src/domain/data-keys/peppers.ts';
import {
  auditOf,
  call,
  good,
  isAccepted,
  newKey,
  newPerson,
  outcome,
  type Person,
  verify,
} from '../../support/api-client.ts';
import { type Harness, startHarness, travel } from '../../support/harness.ts';

const FULL_KEY = /^gh_(live|test)_[0-9A-Za-z]{54}$/;

describe('API keys', () => {
  let harness: Harness;
  let ada: Person;
  let eve: Person;
  before(async () => {
    harness = await startHarness();
    [ada, eve] = [await newPerson(harness), await newPerson(harness)];
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const get = (id: string, as = ada.token) => good(call(harness, `GET /v1/api-keys/${id}`, { as }));

  it('are shown once, when they are made, in an answer that nobody may keep', async () => {
    const reply = await call(harness, 'POST /v1/api-keys', { as: ada.token, body: { name: 'Once' } });
    expect([reply.status, reply.headers['cache-control']]).to.deep.equal([201, 'no-store']);
    const { key, ...rest } = reply.json();
    expect(key).to.match(FULL_KEY);
    expect(rest).to.include({ environment: 'live', prefix: 'gh_live_', last_four: key.slice(-4), state: 'active' });
    expect(rest.id).to.equal(`key_${key.slice(8, 24)}`);
    expect(await get(rest.id)).to.deep.equal(rest);
    const list = await call(harness, 'GET /v1/api-keys?limit=200', { as: ada.token });
    expect(list.text).to.contain(rest.id).and.not.contain(key.slice(24, 56));
  });

  it('are listed newest first, page by page, each once, and to their owner alone', async () => {
    const person = await newPerson(harness);
    const made: string[] = [];
    for (let i = 0; i < 7; i += 1) made.push((await newKey(harness, person, { name: `Key ${i}` })).id);
    const seen: string[] = [];
    let cursor: string | null = '';
    for (let pages = 0; cursor !== null; pages += 1) {
      expect(pages).to.be.lessThan(4);
      const page = `GET /v1/api-keys?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`;
      const answer = await good(call(harness, page, { as: person.token }));
      expect(answer.data.length).to.be.at.most(3);
      seen.push(...answer.data.map(({ id }: { id: string }) => id));
      cursor = answer.next_cursor;
      // What is made meanwhile neither moves nor repeats what follows.
      if (pages === 0) await newKey(harness, person);
    }
    expect(seen).to.deep.equal(made.toReversed());
    expect((await good(call(harness, 'GET /v1/api-keys', { as: eve.token }))).data).to.deep.equal([]);
  });

  it('are listed by no cursor but ours', async () => {
    const forged = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const cursor of [
      'x',
      forged(null),
      forged([1]),
      forged(['1', 'a']),
      forged([1, 'a b']),
      forged([1e300, 'a']),
    ]) {
      const reply = await call(harness, `GET /v1/api-keys?cursor=${cursor}`, { as: ada.token });
      expect([reply.status, reply.json().fields[0].field]).to.deep.equal([400, 'cursor']);
    }
    for (const limit of ['0', '201', '-1', '1.5', 'x', '']) {
      expect((await call(harness, `GET /v1/api-keys?limit=${limit}`, { as: ada.token })).status).to.equal(400);
    }
  });

  it('can be renamed, which ends nothing and moves nothing', async () => {
    const { id, key } = await newKey(harness, ada);
    const answer = await good(call(harness, `PATCH /v1/api-keys/${id}`, { as: ada.token, body: { name: 'Renamed' } }));
    expect(answer).to.include({ id, name: 'Renamed' });
    expect(answer).to.not.have.property('key');
    expect(await isAccepted(harness, key)).to.equal(true);
    const nameless = call(harness, `PATCH /v1/api-keys/${id}`, { as: ada.token, body: { name: '' } });
    expect(await outcome(nameless)).to.equal('400 invalid_request');
  });

  it('end when they are revoked, at once and for good, warm as they may be', async () => {
    const { id, key } = await newKey(harness, ada);
    for (let i = 0; i < 2; i += 1) expect(await isAccepted(harness, key)).to.equal(true);
    const answer = await good(call(harness, `DELETE /v1/api-keys/${id}`, { as: ada.token }));
    expect(answer.state).to.equal('revoked');
    expect(await isAccepted(harness, key)).to.equal(false);
    // Again changes nothing, and nothing brings it back.
    const again = await good(call(harness, `DELETE /v1/api-keys/${id}`, { as: ada.token }));
    expect(again.revoked_at).to.equal(answer.revoked_at);
    for (const request of [`POST /v1/api-keys/${id}/rotate`, `POST /v1/api-keys/${id}/resume`]) {
      expect((await call(harness, request, { as: ada.token })).status, request).to.equal(409);
    }
    expect(await isAccepted(harness, key)).to.equal(false);
    expect(await auditOf(harness, 'api_key.revoked', ada.id)).to.have.length(1);
  });

  it('are nobody else’s: whatever is asked of another’s key, there is none', async () => {
    const { id, key } = await newKey(harness, ada);
    const requests: [string, object?][] = [
      [`GET /v1/api-keys/${id}`],
      [`PATCH /v1/api-keys/${id}`, { name: 'Mine' }],
      [`POST /v1/api-keys/${id}/rotate`, {}],
      [`POST /v1/api-keys/${id}/resume`, {}],
      [`DELETE /v1/api-keys/${id}`],
    ];
    for (const [request, body] of requests) {
      const reply = await call(harness, request, { as: eve.token, ...(body ? { body } : {}) });
      expect(await outcome(reply), request).to.equal('404 not_found');
      const missing = await call(harness, request.replace(id, `key_${'A'.repeat(16)}`), {
        as: eve.token,
        ...(body ? { body } : {}),
      });
      expect(missing.json().detail).to.equal(reply.json().detail);
    }
    expect(await isAccepted(harness, key)).to.equal(true);
  });

  it('end by days or at a time, at the second, without any job', async () => {
    const inDays = await newKey(harness, ada, { expires_in_days: 1 });
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const byDate = await newKey(harness, ada, { expires_at: at });
    expect(Date.parse((await get(byDate.id)).expires_at)).to.equal(Math.floor(Date.parse(at) / 1000) * 1000);
    const elsewhere = await newKey(harness, ada, { expires_at: at.replace('Z', '+00:00') });
    expect((await get(elsewhere.id)).expires_at).to.equal((await get(byDate.id)).expires_at);
    {
      using _ = travel(3590);
      expect(await isAccepted(harness, byDate.key)).to.equal(true);
      using __ = travel(11);
      expect(await isAccepted(harness, byDate.key)).to.equal(false);
      expect(await isAccepted(harness, inDays.key)).to.equal(true);
    }
    using _ = travel(86_401);
    expect(await isAccepted(harness, inDays.key)).to.equal(false);
    expect((await harness.services.stores.apiKeys.find(inDays.id))?.key.revokedAt).to.equal(null);
  });

  it('end after a year unless told otherwise, and never in the past or beyond ten years', async () => {
    const { id } = await newKey(harness, ada);
    expect(Date.parse((await get(id)).expires_at)).to.be.closeTo(Date.now() + 365 * 86_400_000, 60_000);
    const inYears = (years: number): string => new Date(Date.now() + years * 365.25 * 86_400_000).toISOString();
    for (const wrong of [
      { expires_in_days: 0 },
      { expires_in_days: 3651 },
      { expires_in_days: 1.5 },
      { expires_in_days: '30' },
      { expires_at: inYears(-0.001) },
      { expires_at: inYears(10.1) },
      { expires_at: 'tomorrow' },
      { expires_at: '2030-02-30T00:00:00Z' },
      { expires_at: '2030-01-01' },
      { expires_in_days: 1, expires_at: inYears(1) },
    ]) {
      const body = { name: 'A key', ...wrong };
      expect(
        (await call(harness, 'POST /v1/api-keys', { as: ada.token, body })).status,
        JSON.stringify(wrong),
      ).to.equal(400);
    }
  });

  it('keep the data of each apart, and share it where the owner says so', async () => {
    const [one, two] = [await newKey(harness, ada), await newKey(harness, ada)];
    expect(one.namespace).to.match(/^ns_/).and.not.equal(two.namespace);
    const shared = await newKey(harness, ada, { namespace: one.namespace });
    expect((await verify(harness, shared.key)).json().namespace).to.equal(one.namespace);
    const stolen = await call(harness, 'POST /v1/api-keys', {
      as: eve.token,
      body: { name: 'A key', namespace: one.namespace },
    });
    const invented = await call(harness, 'POST /v1/api-keys', {
      as: eve.token,
      body: { name: 'A key', namespace: 'ns_invented' },
    });
    expect([stolen.status, stolen.json().fields]).to.deep.equal([400, invented.json().fields]);
  });

  it('go on working under a new pepper, and are digested anew with their next use', async () => {
    const { stores, sealer, clock, audit, keyDigests } = harness.services;
    const { id, key } = await newKey(harness, ada);
    const pepperOf = async (): Promise<string | undefined> => (await stores.apiKeys.find(id))?.key.current?.pepperId;
    const before = await pepperOf();
    const added = await addPepper({ store: stores.dataKeys, sealer, clock, audit });
    await keyDigests.reload();
    expect(await isAccepted(harness, key)).to.equal(true);
    for (let i = 0; i < 100 && (await pepperOf()) === before; i += 1) await setTimeout(10);
    expect(await pepperOf()).to.equal(added);
    expect(await isAccepted(harness, key)).to.equal(true);
    expect(await isAccepted(harness, `${key.slice(0, -1)}!`)).to.equal(false);
  });

  it('are good from the addresses of their list alone', async () => {
    const behind = await startHarness({ env: { GATEHOUSE_TRUSTED_PROXIES: '127.0.0.1' } });
    const owner = await newPerson(behind);
    const listed = await newKey(behind, owner, { allowed_addresses: ['192.0.2.0/24', '2001:db8::/48'] });
    const from = async (ip: string): Promise<number> =>
      (
        await call(behind, 'POST /v1/auth/verify', {
          body: { credential: listed.key },
          headers: { 'x-forwarded-for': ip },
        })
      ).status;
    for (const ip of ['192.0.2.1', '::ffff:192.0.2.7', '2001:db8:0:1::1']) expect(await from(ip), ip).to.equal(200);
    for (const ip of ['192.0.3.1', '2001:db8:1::1', 'garbage']) expect(await from(ip), ip).to.equal(401);
    // An answer that is kept would be good from elsewhere too.
    const reply = await call(behind, 'POST /v1/auth/verify', {
      body: { credential: listed.key },
      headers: { 'x-forwarded-for': '192.0.2.1' },
    });
    expect(reply.headers['cache-control']).to.equal('no-store');
    const body = { allowed_addresses: ['192.0.3.1'] };
    await good(call(behind, `PATCH /v1/api-keys/${listed.id}`, { as: owner.token, body }));
    expect([await from('192.0.2.1'), await from('192.0.3.1')]).to.deep.equal([401, 200]);
    for (const wrong of [
      ['300.0.0.1'],
      ['10.0.0.0/33'],
      ['example.com'],
      ['fe80::1%eth0'],
      [''],
      Array(51).fill('::1'),
    ]) {
      const reply = await call(behind, 'POST /v1/api-keys', {
        as: owner.token,
        body: { name: 'A key', allowed_addresses: wrong },
      });
      expect(reply.status, JSON.stringify(wrong)).to.equal(400);
    }
    await behind[Symbol.asyncDispose]();
  });
});
