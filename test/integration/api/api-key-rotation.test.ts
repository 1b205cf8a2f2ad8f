import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
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

describe('rotating an API key', () => {
  let harness: Harness;
  let ada: Person;
  before(async () => {
    harness = await startHarness();
    ada = await newPerson(harness);
  });
  after(() => harness?.[Symbol.asyncDispose]());

  const rotate = (id: string, body: object = {}) =>
    call(harness, `POST /v1/api-keys/${id}/rotate`, { as: ada.token, body });
  const get = (id: string) => good(call(harness, `GET /v1/api-keys/${id}`, { as: ada.token }));

  it('keeps its id, and both secrets work until the overlap ends', async () => {
    const old = await newKey(harness, ada);
    const reply = await rotate(old.id, { overlap_seconds: 60 });
    expect(reply.headers['cache-control']).to.equal('no-store');
    const fresh = reply.json();
    expect(fresh.id).to.equal(old.id);
    expect(fresh.key).to.not.equal(old.key);
    expect(Date.parse(fresh.previous_secret.ends_at)).to.be.closeTo(Date.now() + 60_000, 2000);
    for (const key of [old.key, fresh.key]) {
      expect((await verify(harness, key)).json()).to.include({ key_id: old.id, namespace: old.namespace });
    }
    using _ = travel(61);
    expect(await isAccepted(harness, old.key)).to.equal(false);
    expect(await isAccepted(harness, fresh.key)).to.equal(true);
    expect((await get(old.id)).previous_secret).to.equal(null);
  });

  it('tells callers on the old secret until when it works, and counts them for the owner', async () => {
    const old = await newKey(harness, ada);
    const fresh = await good(rotate(old.id, { overlap_seconds: 3600 }));
    for (let i = 0; i < 3; i += 1) {
      const reply = await verify(harness, old.key);
      expect(reply.headers['x-api-key-replaced']).to.equal(`old secret works until ${fresh.previous_secret.ends_at}`);
    }
    expect((await verify(harness, fresh.key)).headers).to.not.have.property('x-api-key-replaced');
    const viaProxy = await harness.get('/forward-auth', { 'x-api-key': old.key });
    expect(viaProxy.headers).to.have.property('x-api-key-replaced');
    await harness.services.usage.flush();
    const { previous_secret: previous } = await get(old.id);
    expect(previous.uses).to.equal(4);
    expect(Date.parse(previous.last_used_at)).to.be.closeTo(Date.now(), 5000);
  });

  it('lets nobody believe in the old secret for longer than it works', async () => {
    const old = await newKey(harness, ada);
    await good(rotate(old.id, { overlap_seconds: 2 }));
    const reply = await verify(harness, old.key);
    expect(Number(/max-age=(\d+)/.exec(reply.headers['cache-control'] ?? '')?.[1] ?? 0)).to.be.at.most(2);
  });

  it('without overlap ends the old secret at once', async () => {
    const old = await newKey(harness, ada);
    expect(await isAccepted(harness, old.key)).to.equal(true);
    const fresh = await good(rotate(old.id, { overlap_seconds: 0 }));
    expect(await isAccepted(harness, old.key)).to.equal(false);
    expect(await isAccepted(harness, fresh.key)).to.equal(true);
    expect(fresh.previous_secret).to.equal(null);
  });

  it('is over at once for both secrets when the key is revoked: no overlap outlives that', async () => {
    const old = await newKey(harness, ada);
    const fresh = await good(rotate(old.id, { overlap_seconds: 604_800 }));
    for (const key of [old.key, fresh.key]) expect(await isAccepted(harness, key)).to.equal(true);
    await good(call(harness, `DELETE /v1/api-keys/${old.id}`, { as: ada.token }));
    for (const key of [old.key, fresh.key]) expect(await isAccepted(harness, key)).to.equal(false);
  });

  it('gives a secret that works at once in a process that remembers the old one and hears of nothing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gatehouse-rotation-'));
    try {
      const env = { DATABASE_URL: `sqlite:${join(folder, 'shared.sqlite')}` };
      await using here = await startHarness({ env });
      await using there = await startHarness({ env });
      const owner = await newPerson(here);
      const old = await newKey(here, owner);
      for (const overlap of [60, 0]) {
        await verify(there, old.key);
        const path = `POST /v1/api-keys/${old.id}/rotate` as const;
        const fresh = await good(call(here, path, { as: owner.token, body: { overlap_seconds: overlap } }));
        there.keepSecret(fresh.key);
        const answers = await Promise.all(Array.from({ length: 50 }, () => isAccepted(there, fresh.key)));
        expect(new Set(answers)).to.deep.equal(new Set([true]));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('takes a day unless told otherwise, and a week at most', async () => {
    const { id } = await newKey(harness, ada);
    const { previous_secret: previous } = await good(rotate(id));
    expect(Date.parse(previous.ends_at)).to.be.closeTo(Date.now() + 86_400_000, 5000);
    for (const overlap_seconds of [604_801, -1, 0.5, '60', null]) {
      expect(await outcome(rotate(id, { overlap_seconds })), String(overlap_seconds)).to.equal('400 invalid_request');
    }
  });

  it('of 50 at once hands out no secret that does not work', async () => {
    const owner = await newPerson(harness);
    const old = await newKey(harness, owner);
    const request = { as: owner.token, body: { overlap_seconds: 600 } };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => call(harness, `POST /v1/api-keys/${old.id}/rotate`, request)),
    );
    const made = replies.filter(({ status }) => status === 200).map((reply) => reply.json().key);
    expect(made.length).to.be.at.least(1);
    for (const reply of replies) expect(await outcome(reply)).to.be.oneOf(['200', '409 conflict']);
    // One after another they may succeed; the last and the one before it are what works, and whoever lost was told so.
    const working = await Promise.all(made.map((key) => isAccepted(harness, key)));
    expect(working.filter(Boolean).length).to.be.at.least(Math.min(2, made.length));
    expect(await isAccepted(harness, made.at(-1))).to.equal(true);
  });

  it('is in the audit trail, without a secret', async () => {
    const { id } = await newKey(harness, ada);
    await good(rotate(id, { overlap_seconds: 7 }));
    const [event] = await auditOf(harness, 'api_key.rotated', ada.id);
    expect(event?.details).to.deep.equal({ keyId: id, name: 'A key', by: ada.id, overlapSeconds: 7 });
  });
});
